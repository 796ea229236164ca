"""A person asks for one message to be saved, now: fetched, matched and written within the request. Nothing is handed
over or kept; a repeat is no second activity."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from django.db import transaction

from organizations.models import Member
from providers.base import Priority
from providers.errors import NotFound
from providers.mail import Heading, Mailbox
from sync import conversations, ledger, owners, policies
from sync.letters import Letter, Undecipherable
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.mime import read
from sync.models import SyncedMailbox
from sync.reasons import Rule, Verdict, verdict
from sync.rules import Candidate, Rulebook, Thread, decide_asked
from sync.writing import Filed, Source, Writing
from vault import clients

PURPOSE = "sync.asked"
#: Of a whole message. Somebody waits for it, so it is less than what the engine takes.
MOST_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of it. `activity_id`: "" where nothing was saved. `person_ids`: who it is saved with, or, where several
    people have an address, who could be meant."""

    verdict: Verdict
    activity_id: str = ""
    person_ids: tuple[str, ...] = ()


def log_email_now(member: Member, provider: str, message_id: str, *, chosen: Collection[str] = ()) -> Saved:
    """`message_id`: the mail provider's own. `chosen`: ids of people who are meant, where somebody was asked.

    Raises NotFound, ledger.InOtherHands, and what `vault.clients` and providers do."""
    connection = clients.connection_of(member, provider, "email")
    mailbox = clients.mailbox_for(connection, PURPOSE)
    heading = mailbox.headings([message_id]).get(message_id)
    if heading is None:
        raise NotFound("This message is not in your mailbox any more.", provider=provider)
    row = SyncedMailbox.objects.filter(connection_id=connection.id).first()
    return _Asked(member, mailbox, heading, row).saved(chosen)


class _Asked:
    def __init__(self, member: Member, mailbox: Mailbox, heading: Heading, row: SyncedMailbox | None) -> None:
        self._member, self._mailbox, self._heading, self._row = member, mailbox, heading, row
        self._writing = Writing(member, priority=Priority.INTERACTIVE)

    def saved(self, chosen: Collection[str]) -> Saved:
        try:
            with self._mailbox.mime(self._heading.id, most=MOST_BYTES) as pieces:
                letter = read(pieces, self._heading.received_at)
        except Undecipherable as error:
            return Saved(verdict(Rule.UNDECIPHERABLE, code=error.code))
        found = decide_asked(letter, self._rulebook(), thread=Thread(is_private=self._is_private()))
        return Saved(found) if isinstance(found, Verdict) else self._with_people(letter, found, chosen)

    def _rulebook(self) -> Rulebook:
        if self._row is None:
            return policies.rules_for(self._member, owners.asked(self._member, self._mailbox))
        return policies.rules_for(self._member, owners.addresses_of(self._row, self._mailbox))

    def _is_private(self) -> bool:
        return self._row is not None and conversations.is_private(self._row.pk, self._heading.thread_id)

    def _with_people(self, letter: Letter, candidate: Candidate, chosen: Collection[str]) -> Saved:
        people = self._writing.people(addresses_to_ask(candidate))
        found = match(candidate, people, member_id=self._member.salesforce_user_id, chosen=chosen)
        if not found.targets:
            asked = tuple(each.person.id for question in found.questions for each in question.rankings)
            return Saved(decide_by_match(found), person_ids=asked)
        filed = self._filed(letter, candidate, found)
        ids = tuple(target.person.id for target in found.targets)
        return Saved(verdict(filed.rule), filed.activity_id, () if filed.rule is Rule.TAKEN_BACK else ids)

    def _filed(self, letter: Letter, candidate: Candidate, found: Match) -> Filed:
        lease = uuid4()
        opened = partial(self._mailbox.mime, self._heading.id, most=MOST_BYTES)
        mailbox_id = self._row.pk if self._row else None
        source = Source(self._heading.id, self._heading.received_at, opened, mailbox_id, lease)
        try:
            filed = self._writing.file(source, letter, candidate, found, Rule.ASKED_FOR)
        except Exception:
            ledger.release(lease)
            raise
        self._settle(filed)
        return filed

    @staticmethod
    def _settle(filed: Filed) -> None:
        with transaction.atomic():
            for written in filed.written:
                ledger.settle(written)
