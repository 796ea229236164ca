"""A person asks for one message to be saved, now: fetched or handed over whole, matched and written within the request.
Nothing is passed on or kept; a repeat is no second activity."""

import hashlib
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from organizations.models import Member
from providers.base import Priority
from providers.errors import NotFound, ProviderError
from sync import conclusions, conversations, holds, ledger, owners, policies, retries
from sync.attaching import Open
from sync.conclusions import AskedFor, Conclusion
from sync.conversations import Said
from sync.elsewhere import times_of
from sync.enclosures import enclosed
from sync.letters import Letter, Undecipherable
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.mime import read
from sync.models import SyncedMailbox
from sync.reasons import Note, Ranked, Rule, Verdict, verdict
from sync.rules import Candidate, Thread, decide_asked
from sync.writing import Filed, Source, Writing
from vault import clients
from vault.errors import VaultError

PURPOSE = "sync.asked"
#: Of a whole message. Somebody waits for it, so it is less than what the engine takes.
MOST_BYTES = 100_000_000
#: Seconds that somebody waits for a worker who has the same mail in hand, and between two looks.
PATIENCE, LOOK = 5.0, 0.25


@dataclass(frozen=True, slots=True)
class Whence:
    """What the mail client says of a message that it hands over. `provider`: "" where it does not say; `thread_id`: the
    provider's own id of the conversation."""

    provider: str = ""
    thread_id: str = ""


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of it. `activity_id`: "" where nothing was saved. `person_ids`: who it is saved with, or, where several
    people have an address, who could be meant, the likeliest first; `asked_why`: what makes them likelier, by id.
    `notes`: what of it stayed out."""

    verdict: Verdict
    activity_id: str = ""
    person_ids: tuple[str, ...] = ()
    notes: Mapping[Note, int] = field(default_factory=dict)
    asked_why: Mapping[str, tuple[Ranked, ...]] = field(default_factory=dict)


def log_email_now(member: Member, provider: str, message_id: str, *, chosen: Collection[str] = ()) -> Saved:
    """`message_id`: the mail provider's own. `chosen`: ids of people who are meant, where somebody was asked.

    Raises NotFound, ledger.InOtherHands, and what `vault.clients` and providers do."""
    connection = clients.connection_of(member, provider, "email")
    mailbox = clients.mailbox_for(connection, PURPOSE)
    heading = mailbox.headings([message_id]).get(message_id)
    if heading is None:
        raise NotFound("This message is not in your mailbox any more.", provider=provider)
    if heading.is_draft:  # what goes out may say something else, and keeps its id: sync looks at it then
        return Saved(verdict(Rule.DRAFT))
    row = SyncedMailbox.objects.filter(connection_id=connection.id).first()
    opened = partial(mailbox.mime, heading.id, most=MOST_BYTES)
    try:
        with opened() as pieces:
            letter = read(pieces, heading.received_at)
    except Undecipherable as error:
        return Saved(verdict(Rule.UNDECIPHERABLE, code=error.code))
    own = owners.asked(member, mailbox) if row is None else owners.addresses_of(row, mailbox)
    times = times_of(heading)
    message = _Message(
        letter, heading.id, heading.received_at, times, opened, row.pk if row else None, heading.thread_id
    )
    said = _said([row] if row else [], heading.thread_id)
    return _Asked(member, message).saved(own, chosen or said.person_ids, is_private=said.is_private)


def opened_letter(pieces: Iterable[bytes]) -> Letter | Undecipherable:
    """A message that was handed over, read once. Raises what `pieces` raises."""
    try:
        return read(pieces, timezone.now())
    except Undecipherable as error:
        return error


def log_letter_now(
    member: Member, letter: Letter, whence: Whence, *, chosen: Collection[str] = (), whole: Collection[bytes] = ()
) -> Saved:
    """A message that was handed over. `whole`: all of its bytes, for as long as this lasts; () where they are gone, and
    its attachments stay out.

    Raises as `log_email_now`, but for what a mailbox that is not to be reached would raise."""
    rows = [row for row in _mailboxes_of(member) if whence.provider in ("", row.connection.provider)]
    row = rows[0] if len(rows) == 1 else None
    said = _said(rows, whence.thread_id)
    written = letter if whole else replace(letter, attachments=())
    opened, left_behind = partial(_again, whole), {} if whole else _left_behind(member, letter)
    mailbox_id = row.pk if row else None
    now = timezone.now()
    times = (letter.sent_at or now,)  # when it was received nobody told
    message = _Message(written, _stand_in(letter), now, times, opened, mailbox_id, left_behind=left_behind)
    own = _own_addresses(member, rows)
    return _Asked(member, message).saved(own, chosen or said.person_ids, is_private=said.is_private)


def _said(rows: Sequence[SyncedMailbox], thread_id: str) -> Said:
    """Of its conversation, in any of these mailboxes."""
    found = [said for row in rows if thread_id for said in conversations.said_of(row.pk, [thread_id]).values()]
    meant = frozenset[str]().union(*(said.person_ids for said in found))
    return Said(any(said.is_private for said in found), meant)


def _left_behind(member: Member, letter: Letter) -> Mapping[Note, int]:
    """What stays out of a mail whose bytes are gone."""
    along = enclosed(letter, policies.enclosures_for(member))
    return {**along.notes, **({Note.HANDED_OVER: len(along.files)} if along.files else {})}


def _again(whole: Collection[bytes]) -> AbstractContextManager[Iterable[bytes]]:
    return nullcontext(whole)


def _mailboxes_of(member: Member) -> list[SyncedMailbox]:
    return list(SyncedMailbox.objects.filter(member=member).select_related("connection", "member"))


def _own_addresses(member: Member, rows: Sequence[SyncedMailbox]) -> Sequence[str]:
    """Who has connected no mailbox, or none that answers, has the one address that Salesforce knows."""
    found = [member.email]
    for row in rows:
        try:
            connection = clients.connection_of(member, row.connection.provider, "email")
            found += owners.addresses_of(row, clients.mailbox_for(connection, PURPOSE))
        except (ProviderError, VaultError):
            continue
    return tuple(dict.fromkeys(filter(None, found)))


def _stand_in(letter: Letter) -> str:
    """For a mail provider's id, where a message has no Message-ID: the same headers, the same message."""
    return hashlib.sha256(repr(letter.headers).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True, repr=False)
class _Message:
    letter: Letter
    id: str
    received_at: datetime
    times: tuple[datetime, ...]  # by any of which another program may have filed it
    opened: Open
    mailbox_id: UUID | None
    thread_id: str = ""  # of whom the provider itself told; "" for what was handed over
    left_behind: Mapping[Note, int] = field(default_factory=dict)  # of what was handed over without its files


class _Asked:
    def __init__(self, member: Member, message: _Message) -> None:
        self._member, self._message = member, message
        self._writing = Writing(member, priority=Priority.INTERACTIVE)

    def saved(self, own: Sequence[str], chosen: Collection[str], *, is_private: bool) -> Saved:
        rulebook = policies.rules_for(self._member, own)
        found = decide_asked(self._message.letter, rulebook, thread=Thread(is_private=is_private))
        return Saved(found) if isinstance(found, Verdict) else self._with_people(found, chosen)

    def _with_people(self, candidate: Candidate, chosen: Collection[str]) -> Saved:
        message_id = self._message.letter.message_id
        people = self._writing.people(addresses_to_ask(candidate), [message_id] if message_id else [])
        found = match(candidate, people, member_id=self._member.salesforce_user_id, chosen=chosen)
        if not found.targets:
            return Saved(decide_by_match(found), person_ids=found.asked_ids, asked_why=found.asked_why)
        is_elsewhere = self._writing.elsewhere(people).has(message_id, candidate, self._message.times)
        filed = Filed(Rule.SAVED_ELSEWHERE) if is_elsewhere else self._filed(candidate, found)
        self._end(filed, candidate, found)
        ids = filed.stands_with([target.person.id for target in found.targets])
        return Saved(verdict(filed.rule), filed.activity_id, ids, filed.notes)

    def _filed(self, candidate: Candidate, found: Match) -> Filed:
        lease, mail = uuid4(), self._message
        source = Source(mail.id, mail.received_at, mail.opened, mail.mailbox_id, lease, mail.left_behind)
        try:
            with holds.beating(lambda: ledger.prolong([lease])):
                return self._in_turn(source, candidate, found)
        except Exception as error:
            is_refused = retries.rule(error, retries.SALESFORCE).answer is retries.Answer.GIVE_UP
            (ledger.let_go if is_refused else ledger.release)(lease)
            raise

    def _in_turn(self, source: Source, candidate: Candidate, found: Match) -> Filed:
        """Whoever writes the same mail just now has mostly done so in a moment. Raises InOtherHands where not."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self._writing.file(source, self._message.letter, candidate, found, Rule.ASKED_FOR)
            except ledger.InOtherHands:
                if time.monotonic() >= until:
                    raise
                time.sleep(LOOK)

    def _end(self, filed: Filed, candidate: Candidate, found: Match) -> None:
        """Of a message in a mailbox that is synced it is known afterwards what became of it, and why."""
        mail = self._message
        if mail.mailbox_id and mail.thread_id:
            asked = AskedFor(self._member.organization_id, mail.mailbox_id, mail.id)
            conclusions.conclude_asked(asked, _concluded(mail, filed, candidate, found))
            return
        with transaction.atomic():
            for written in filed.written:
                ledger.settle(written)
            ledger.join([filed.joined] if filed.joined else [])


def _concluded(mail: _Message, filed: Filed, candidate: Candidate, found: Match) -> Conclusion:
    return Conclusion(
        verdict(filed.rule),
        mail.thread_id,
        mail.received_at,
        domain=candidate.strangers[0].domain,
        error_code=filed.error_code,
        activity_id=filed.activity_id,
        record_ids=filed.stands_with([target.person.id for target in found.targets]),
        asked_ids=found.asked_ids,
        asked_why=found.asked_why,
        notes={**found.notes, **filed.notes},
        written=filed.written,
        joined=filed.joined,
    )
