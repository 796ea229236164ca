"""What keeps a mail from being written twice: keyed digests, and the row that one writer at a time holds (sync.md 2).

Knows mails by digests under the organization's own key only, which the vault seals."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import F, Func, Q, QuerySet, UUIDField, Value
from django.db.models.functions import Now

from organizations.ramcache import RamCache
from providers.errors import Transient
from sync.models import PEPPER, LedgerEntry, Pepper
from vault import clock

#: Longer than one write at Salesforce may take; whoever died leaves the entry to the next after this.
CLAIM = timedelta(minutes=2)
#: A try whose answer was lost may have written the mail, and only its writer's own next try surely finds that: others
#: may have it kept in another form. So long after it was last held his mailbox alone has the entry; the second where
#: nobody knows whose it is, as a person without a synced mailbox has asked.
FIRST_WRITERS, ASKERS = timedelta(hours=1), timedelta(minutes=10)
#: Seconds after which whoever met it in other hands looks again.
SOONEST, LATEST = 5.0, 300.0
_VERSION = b"v1"
Files = LedgerEntry.Files
_peppers: RamCache[UUID, bytes] = RamCache(maxsize=1_000, ttl=300)
_peppers.forget_on("organization", lambda key, _: key)


class InOtherHands(Transient):
    """Another worker writes the same mail (a colleague's copy) just now, or is to try again; look again in a moment."""

    def __init__(self, retry_after: float = SOONEST) -> None:
        text = "A colleague's copy of this mail is being written."
        super().__init__(text, code="in_other_hands", retry_after=retry_after)


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """What tells one mail from another, the same in every copy of it (filing.identity_of). `message_id`: "" where none
    is usable; then the provider's own id stands in for it, and colleagues' copies are told apart."""

    message_id: str
    sender: str
    date: str
    subject: str
    provider_id: str

    @property
    def known_as(self) -> str:
        return f"rfc:{self.message_id}" if self.message_id else f"provider:{self.provider_id}"


class Marks:
    """Keyed digests of one organization."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def key(self, mail: Identity, object_name: str, record_id: str = "", mailbox_id: UUID | None = None) -> str:
        """52 letters and digits, which Salesforce takes as an external id. Without `mailbox_id`: one for the whole
        organization. The headers are part of it, so that nobody keeps a mail out by forging its Message-ID."""
        headers = _digest(b"headers", _parts(mail.sender, mail.date, mail.subject))
        whose = mailbox_id.bytes if mailbox_id else b""
        parts = (_VERSION, whose, *_parts(mail.known_as), headers, *_parts(object_name, record_id))
        return base64.b32encode(self._mac(b"key", parts)).decode().rstrip("=")

    def of_message(self, mail: Identity) -> bytes:
        return self._mac(b"message", _parts(mail.known_as))

    def of_message_id(self, message_id: str) -> bytes:
        """Of a mail that is only referred to (In-Reply-To, References)."""
        return self._mac(b"message", _parts(f"rfc:{message_id}"))

    def of_address(self, address: str) -> bytes:
        """`address`: an addr-spec; its letters' case says nothing."""
        return self._mac(b"address", _parts(address.casefold()))

    def _mac(self, what: bytes, parts: Iterable[bytes]) -> bytes:
        return hmac.digest(self._pepper, _framed(what, parts), "sha256")


def _parts(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode("utf-8", "surrogateescape") for text in texts)


def _digest(what: bytes, parts: Iterable[bytes]) -> bytes:
    return hashlib.sha256(_framed(what, parts)).digest()


def _framed(what: bytes, parts: Iterable[bytes]) -> bytes:
    """No two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4) + part for part in (what, *parts))


def marks_of(organization_id: UUID) -> Marks:
    """Outside a transaction: a key service may be asked. Raises KeyGone, KekUnusable, TokenTampered, Transient."""
    return Marks(_peppers.get_or_load(organization_id, lambda: _pepper(organization_id)))


def _pepper(organization_id: UUID) -> bytes:
    row = Pepper.objects.filter(organization_id=organization_id).first() or _made(organization_id)
    return PEPPER.get(row)


def _made(organization_id: UUID) -> Pepper:
    """Of several who make one at once the first has it."""
    row = Pepper(organization_id=organization_id)
    PEPPER.put(row, secrets.token_bytes(32))
    Pepper.objects.bulk_create([row], ignore_conflicts=True)
    return Pepper.objects.get(organization_id=organization_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """`is_mine`: claimed for the lease that asked, to be written now; `is_repeat`: it was claimed before, and may have
    been written. Else it is there already (`salesforce_id`), or a person has taken it back (`is_undone`) and it is not
    written again."""

    id: UUID
    key: str
    is_mine: bool
    salesforce_id: str = ""
    object_name: str = ""
    is_undone: bool = False
    mailbox_id: UUID | None = None  # whose copy was written
    rule: str = ""
    is_repeat: bool = False
    stands_for: tuple[UUID, ...] = ()  # members who have it, where it is there already
    files: Files = Files.NONE


@dataclass(frozen=True, slots=True)
class Written:
    """What Salesforce has confirmed for an entry."""

    entry_id: UUID
    salesforce_id: str
    rule: str = ""
    remote_version: str = ""
    object_name: str = ""  # what it became, where that was not known when it was claimed


@dataclass(frozen=True, slots=True)
class Joined:
    """A member for whom an entry stands from now on: it was written for him, or his copy has come to it. `files`: what
    of them is there; None where that is as it was. `lease`: that has held the entry for them."""

    entry_id: UUID
    member_id: UUID
    files: Files | None = None
    lease: UUID | None = None


#: `written_at` of what is not written yet: until when it was held by whoever may have written it. A mailbox that is
#: switched off never comes back to its entries: others need not wait for it.
_CLAIM = """
INSERT INTO sync_ledgerentry AS mine (id, organization_id, mailbox_id, key, message_mark, thread_mark, object_name,
                                      rule, salesforce_id, remote_version, claimed_by, claimed_until)
VALUES (%(id)s, %(organization)s, %(mailbox)s, %(key)s, %(message)s, %(thread)s, %(object)s,
        '', '', '', %(lease)s, now() + %(claim)s)
ON CONFLICT (organization_id, key)
DO UPDATE SET claimed_by = EXCLUDED.claimed_by, claimed_until = EXCLUDED.claimed_until,
              mailbox_id = EXCLUDED.mailbox_id, written_at = greatest(mine.written_at, mine.claimed_until)
WHERE mine.salesforce_id = '' AND mine.undone_at IS NULL
  AND (mine.claimed_until IS NULL OR mine.claimed_until < now() OR mine.claimed_by = EXCLUDED.claimed_by)
  AND (greatest(mine.written_at, mine.claimed_until) IS NULL
       OR mine.mailbox_id IS NOT DISTINCT FROM EXCLUDED.mailbox_id
       OR greatest(mine.written_at, mine.claimed_until) < now() - CASE
            WHEN mine.mailbox_id IS NULL THEN %(askers)s
            WHEN EXISTS (SELECT FROM sync_syncedmailbox AS his WHERE his.id = mine.mailbox_id AND his.is_on)
            THEN %(writers)s
            ELSE interval '0' END)
RETURNING id
"""


def claim(
    organization_id: UUID,
    mailbox_id: UUID | None,
    key: str,
    object_name: str,
    lease: UUID,
    *,
    message_mark: bytes,
    thread_mark: bytes | None = None,
) -> Entry:
    """The entry of `key`, for `lease` (a job's) to write where nobody has. Commits by itself, before Salesforce is
    asked. `mailbox_id`: None for a person's without a synced one. Raises InOtherHands."""
    fresh = uuid4()
    values: dict[str, Any] = {"id": fresh, "organization": organization_id, "mailbox": mailbox_id, "key": key}
    values |= {"message": message_mark, "thread": thread_mark, "object": object_name, "lease": lease, "claim": CLAIM}
    values |= {"writers": FIRST_WRITERS, "askers": ASKERS}
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        mine = cursor.fetchone()
    if mine:
        return Entry(mine[0], key, is_mine=True, object_name=object_name, is_repeat=mine[0] != fresh)
    row = LedgerEntry.objects.get(organization_id=organization_id, key=key)
    if not row.salesforce_id and row.undone_at is None:
        raise InOtherHands(_patience(row))
    is_undone = row.undone_at is not None
    there = Entry(row.pk, key, False, row.salesforce_id, row.object_name, is_undone, row.mailbox_id, row.rule)
    return replace(there, stands_for=tuple(row.stands_for), files=Files(row.files))


def _patience(row: LedgerEntry) -> float:
    """Seconds until it is of use to look again: the longer it takes, the longer."""
    age = (clock.now() - row.created_at).total_seconds()
    return min(max(SOONEST, age / 4), LATEST)


def known(organization_id: UUID, message_marks: Iterable[bytes]) -> set[bytes]:
    """Of these messages: what was written, is on its way, or was taken back."""
    rows = LedgerEntry.objects.filter(organization_id=organization_id, message_mark__in=list(message_marks))
    return {bytes(mark) for mark in rows.values_list("message_mark", flat=True)}


def settle(written: Written) -> None:
    """In the transaction that stores the decision. An entry that is written stays as it is."""
    LedgerEntry.objects.filter(pk=written.entry_id, salesforce_id="").update(
        salesforce_id=written.salesforce_id,
        remote_version=written.remote_version,
        rule=written.rule,
        **({"object_name": written.object_name} if written.object_name else {}),
        claimed_by=None,
        claimed_until=None,
        written_at=Now(),
    )


def join(joined: Iterable[Joined]) -> None:
    """In the transaction that stores the decisions, after all that is settled. In a fixed order, since colleagues'
    copies come to the same entries, so that nobody waits for anybody who waits for him."""
    for each in sorted(joined, key=lambda one: one.entry_id):
        stands_for = _with("array_append", _with("array_remove", F("stands_for"), each.member_id), each.member_id)
        changes = {"files": each.files} if each.files else {}
        LedgerEntry.objects.filter(pk=each.entry_id).update(stands_for=stands_for, **changes)
        if each.lease:
            let_go(each.lease)


def leave(entry_id: UUID, member_id: UUID) -> None:
    """It stands for him no more; for others it does."""
    LedgerEntry.objects.filter(pk=entry_id).update(stands_for=_with("array_remove", F("stands_for"), member_id))


def _with(function: str, members: F | Func, member_id: UUID) -> Func:
    return Func(members, Value(member_id, output_field=UUIDField()), function=function)


def hold(entry: Entry, lease: UUID) -> None:
    """For whoever adds files to what is there: nobody else does so meanwhile, since not every Salesforce keeps a second
    copy of a file away. Commits by itself. Raises InOtherHands."""
    is_free = Q(claimed_until=None) | Q(claimed_until__lt=Now()) | Q(claimed_by=lease)
    rows = LedgerEntry.objects.filter(is_free, pk=entry.id, undone_at=None)
    if not rows.update(claimed_by=lease, claimed_until=Now() + CLAIM):
        raise InOtherHands


def prolong(leases: Iterable[UUID]) -> None:
    """Whoever holds these is still writing."""
    _held(leases).update(claimed_until=Now() + CLAIM)


def release(*leases: UUID) -> None:
    """Whoever was to write gives up for now, and may have written: his mailbox' next try need not wait, others do."""
    _held(leases).filter(salesforce_id="").update(written_at=Now())
    let_go(*leases)


def let_go(*leases: UUID) -> None:
    """The same of who is done, or has certainly written nothing: unless an earlier try may have, nobody waits."""
    _held(leases).update(claimed_by=None, claimed_until=None)


def _held(leases: Iterable[UUID]) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(claimed_by__in=list(leases))


def forget_peppers() -> None:
    _peppers.clear()
