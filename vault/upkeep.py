"""What keeps grants usable and tables small, a little at a time. Passing trouble is left for the next run."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now

from organizations import membership
from providers.errors import ProviderError
from vault import (
    access,
    admission,
    answers,
    grants,
    offboarding,
    pending,
    proof,
    quarantine,
    renewal,
    revocation,
    salesforce,
    settling,
    suspicion,
    turns,
    withdrawals,
)
from vault.errors import VaultError
from vault.models import Attempt, Connection, ObjectAccess
from vault.tokens import ConnectionTokens

T = TypeVar("T")
log = logging.getLogger("sidebar.vault")

#: Handled in one run where the run does the work itself; the rest is due again at the next.
BATCH = 200
PURPOSE = "vault.profile"
_ACCESS_EVERY = timedelta(hours=24)
_RENEW_EVERY = timedelta(days=7)
_KEEP_ATTEMPTS = timedelta(days=30)


def end_grants_of(member_id: UUID) -> None:
    for connection_id in offboarding.left_of(member_id):
        _passing(offboarding.end, connection_id)


def finish_revocations() -> None:
    """First what a lost message, a crash or a key service that was away has left of people who were sent away."""
    for connection_id in offboarding.left_of_all(BATCH):
        _passing(offboarding.end, connection_id)
    for connection_id in revocation.put_off().values_list("pk", flat=True)[:BATCH]:
        if not _passing(revocation.carry_on, connection_id):
            break  # a key service that is away is so for most of them
    for discarded_id in revocation.due_ids()[:BATCH]:
        revocation.finish(discarded_id)


def import_spool() -> None:
    """Take over what an outage has left on this host's disk; what cannot be had now is left for the next sweep."""
    _passing(lambda _: answers.import_spool(), None)


def sweep() -> None:
    pending.sweep()
    withdrawals.sweep()
    import_spool()
    stuck = Attempt.objects.filter(ended_at__isnull=True, sealed_answer__isnull=False)
    for connection_id in set(stuck.values_list("connection_id", flat=True)[:BATCH]):
        _passing(settling.settle_pending, connection_id)
    for connection_id in set(quarantine.over().values_list("connection_id", flat=True)[:BATCH]):
        _passing(settling.release, connection_id)
    quarantine.forget()
    old = Attempt.objects.filter(ended_at__lt=Now() - _KEEP_ATTEMPTS, sealed_answer__isnull=True)
    old.exclude(generation=F("connection__generation")).delete()  # those say whether a renewal ahead of need is safe


def due_for_access() -> list[UUID]:
    """All of them, each a task of its own: a part would always be the same ones while those keep failing."""
    return list(_due_for_access().values_list("pk", flat=True))


def _due_for_access() -> QuerySet[Connection]:
    fresh = ObjectAccess.objects.filter(connection=OuterRef("pk"), fetched_at__gt=Now() - _ACCESS_EVERY)
    return turns.in_use().filter(~Exists(fresh), provider=salesforce.PROVIDER)


def refresh_access(connection_id: UUID) -> None:
    """Fetch what the person may see and who he is now: two API calls, shed first when the allowance is short.

    Nothing where it is not due any more: the same id may have waited in the queue twice."""
    row = _due_for_access().select_related("member").filter(pk=connection_id).first()
    if row is not None:
        _passing(_refresh_access, row)


def _refresh_access(row: Connection) -> None:
    tokens = ConnectionTokens(row.pk, PURPOSE)
    access.save(row.pk, salesforce.current_access(tokens, row.organization_id))
    found = tokens.access()
    row.refresh_from_db(fields=["generation", "state"])
    identity = salesforce.identify(grants.load(row).renewed(access_token=found.token))
    membership.refresh_profile(row.member, admission.arrival_of(identity))
    proof.note(row.pk)


def due_for_renewal() -> list[UUID]:
    """Neither connected nor renewed lately; that its access token works says nothing about its refresh token."""
    return list(_due_for_renewal().values_list("pk", flat=True))


def _due_for_renewal() -> QuerySet[Connection]:
    since = Now() - _RENEW_EVERY
    renewed = Attempt.objects.filter(connection=OuterRef("pk"), outcome=answers.RENEWED, ended_at__gt=since)
    return turns.in_use().filter(
        ~Exists(renewed), connected_at__lt=since, scopes__overlap=["refresh_token", "offline_access"]
    )


def keep_alive(connection_id: UUID) -> None:
    """Renew ahead of need, where it is still due; never while an earlier renewal's outcome is unknown: its re-use
    would end the grant (V3)."""
    row = suspicion.may_renew_ahead(_due_for_renewal()).filter(pk=connection_id).first()
    if row is not None:
        _passing(lambda found: renewal.renew_ahead(found.pk, beyond=found.generation), row)


def renew_ahead(connection_id: UUID, generation: int) -> None:
    """Renew before the access token runs out, unless somebody has done so meanwhile."""
    row = suspicion.may_renew_ahead(turns.in_use()).filter(pk=connection_id, generation=generation).first()
    if row is not None:
        _passing(lambda found: renewal.renew_ahead(found.pk, beyond=found.generation), row)


def _passing(work: Callable[[T], object], subject: T) -> bool:
    """One person's trouble must not keep the others waiting; the connection's state says what it is. False where there
    was some."""
    try:
        work(subject)
    except (ProviderError, VaultError) as error:
        log.info("upkeep of a connection put off: %s", type(error).__name__)
        return False
    except Exception as error:  # noqa: BLE001  a mistake of ours; it may quote what it met, so its name only
        log.error("some upkeep failed: %s", type(error).__name__)
        return False
    return True
