"""What the vault does when the rooms below say that something has happened. Wakes tasks up; does no work itself."""

import logging
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver
from kombu.exceptions import OperationalError

from organizations import signals
from organizations.models import Member
from vault import tasks

log = logging.getLogger("sidebar.vault")


@receiver(signals.member_deactivated)
def end_grants(member: Member, **_: object) -> None:
    """His grants end as soon as this is committed (V23)."""
    transaction.on_commit(lambda: _wake(member.pk))


def _wake(member_id: UUID) -> None:
    """A queue that is away costs a minute: `upkeep.finish_revocations` finds what is left."""
    try:
        tasks.end_grants_of.apply_async((str(member_id),), retry=False)
    except OperationalError as error:
        log.warning("the end of a member's grants waits for the timetable: %s", type(error).__name__)
