"""Tracked mails whose opens and clicks are to be noted on their activities: which, when, and who is at it. Ids, counts
and digests; asks no provider.

`tracking` says by signals what was sent and seen; neither room knows the other (organizations/signals.py)."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.functions import Greatest, Now
from django.dispatch import receiver

from organizations.models import Member
from organizations.registries import Seen
from organizations.signals import mail_seen, mail_sent
from providers.errors import Transient
from sync import policies, retries
from sync.ledger import marks_of
from sync.models import LedgerEntry, NotedMail, Pause
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

#: The first note waits until it is known whether a machine did it; each next one so long after the last.
SETTLING, WINDOW = timedelta(minutes=2), timedelta(hours=1)
#: Longer than the calls of one try may take.
LEASE = timedelta(minutes=5)
#: A mail may be saved after it was opened: until then it is looked for once a WINDOW.
UNSAVED = timedelta(days=3)
AT_ONCE, MEMBERS = 25, 500
_ID = re.compile(r"[!-;=?-~]{1,996}")

#: Held by everybody who writes counts until his commit, so that whoever claims reads what was counted before.
_HOLD = "SELECT id FROM sync_notedmail WHERE mail_id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
_DUE = """
UPDATE sync_notedmail SET due_at = greatest(now() + %(settling)s, noted_at + %(window)s)
WHERE id = ANY(%(held)s) AND due_at IS NULL
"""
_CLAIM = """
UPDATE sync_notedmail AS n SET
    lease_by = %(lease)s, lease_until = now() + %(length)s, due_at = NULL, tries = n.tries + 1
FROM (SELECT id FROM sync_notedmail
      WHERE member_id = %(member)s AND (due_at <= now() OR lease_until < now())
        AND (lease_until IS NULL OR lease_until < now())
      ORDER BY due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED) AS due
WHERE n.id = due.id
RETURNING n.id, n.mail_id, n.message_mark, n.beside_id, n.opens, n.clicks, n.tries, n.created_at < now() - %(unsaved)s
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One of them, held by a lease. `opens`, `clicks`: as they were noted last. `tries`: this one among them."""

    id: UUID
    mail_id: UUID
    message_mark: bytes
    beside_id: str
    opens: int
    clicks: int
    tries: int
    is_old: bool


# -- what tracking tells --------------------------------------------------------------------------------------------


@receiver(mail_sent)
def sent(*, member: Member, mail_id: UUID, message_id: str, **_: Any) -> None:
    """Where its sender wants it noted. What stands in the way here must not keep the mail from being tracked."""
    name = message_id.strip().removeprefix("<").removesuffix(">")
    if not policies.notes_seen(member) or not _ID.fullmatch(name):
        return
    try:
        mark = marks_of(member.organization_id).of_message_id(f"<{name}>")
    except (VaultError, Transient) as error:
        log.warning("opens of a mail will not be noted in Salesforce: %s", type(error).__name__)
        return
    values = {"organization_id": member.organization_id, "member": member, "message_mark": mark}
    NotedMail.objects.update_or_create(mail_id=mail_id, defaults=values)


@receiver(mail_seen)
def seen(*, mail_ids: Collection[UUID], **_: Any) -> None:
    """In the caller's transaction. In one order, so that two who count wait for each other in turn."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [list(mail_ids)])
        values: dict[str, Any] = {"held": [row_id for (row_id,) in cursor.fetchall()]}
        if values["held"]:
            values |= {"settling": SETTLING, "window": WINDOW}
            cursor.execute(_DUE, values)


# -- what is due ----------------------------------------------------------------------------------------------------


def due() -> list[UUID]:
    """Members who have something to be noted."""
    paused = Pause.objects.filter(until__gt=Now()).values("organization_id")
    rows = NotedMail.objects.filter(Q(due_at__lte=Now()) | Q(lease_until__lt=Now()))
    rows = rows.filter(member__is_active=True, organization__ending_since=None).exclude(organization_id__in=paused)
    return list(rows.order_by("member_id").values_list("member_id", flat=True).distinct()[:MEMBERS])


def look_for_undone() -> int:
    """A mail that was taken back takes what stands beside it along."""
    same = Q(organization_id=OuterRef("organization_id"), message_mark=OuterRef("message_mark"))
    undone = Exists(LedgerEntry.objects.filter(same, undone_at__isnull=False))
    rows = NotedMail.objects.exclude(beside_id="").filter(undone, due_at=None, lease_until=None)
    return rows.update(due_at=Now())


def claim(member_id: UUID) -> tuple[UUID, list[Claimed]]:
    """Commits by itself, before Salesforce is asked."""
    lease = uuid4()
    values: dict[str, Any] = {"lease": lease, "length": LEASE, "member": member_id, "most": AT_ONCE, "unsaved": UNSAVED}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        rows = cursor.fetchall()
    return lease, [Claimed(row[0], row[1], bytes(row[2]), *row[3:]) for row in rows]


# -- what came of it ------------------------------------------------------------------------------------------------


def noted(lease: UUID, mail: Claimed, seen: Seen, beside_id: str) -> None:
    """What came meanwhile is noted a WINDOW later."""
    later = Case(When(due_at__isnull=False, then=Greatest(F("due_at"), Now() + WINDOW)))
    _mine(lease, mail).update(
        opens=seen.opens, clicks=seen.clicks, beside_id=beside_id, noted_at=Now(), due_at=later, **_FREE
    )


def unchanged(lease: UUID, mail: Claimed) -> None:
    """Nothing to be noted after all, or not any more."""
    _mine(lease, mail).update(**_FREE)


def later(lease: UUID, mail: Claimed, seconds: float, *, counts: bool) -> None:
    """Tried again, unless this was the last of its TRIES: then the next open or click brings it up."""
    if counts and mail.tries >= retries.TRIES:
        unchanged(lease, mail)
        return
    tries = {} if counts else {"tries": 0}
    _mine(lease, mail).update(due_at=Now() + timedelta(seconds=seconds), lease_by=None, lease_until=None, **tries)


def forget(lease: UUID, mail: Claimed) -> None:
    _mine(lease, mail).delete()


_FREE: dict[str, Any] = {"lease_by": None, "lease_until": None, "tries": 0}


def _mine(lease: UUID, mail: Claimed) -> Any:
    return NotedMail.objects.filter(pk=mail.id, lease_by=lease)
