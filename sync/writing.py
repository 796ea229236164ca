"""Writes one message into Salesforce as one member: who is known there, whose entry in the ledger it is, the activity.

Used by whatever wants a message saved: the engine's carrier, and a person who asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from organizations.models import Member
from providers.activities import Activities, EmailRecord, FoundPeople, Logged
from providers.base import Priority
from sync import ledger, policies, threads
from sync.attaching import Attaching, Open
from sync.enclosures import Enclosed, enclosed
from sync.filing import filed_as, identity_of
from sync.ledger import Entry, Identity, Marks, Written
from sync.letters import Letter
from sync.matching import Match
from sync.reasons import Rule
from sync.rules import Candidate
from vault import clients

PURPOSE = "sync.write"
#: What one question to Salesforce takes (providers.activities).
_AT_ONCE = 100
#: The same key whatever record the organization's Salesforce keeps mail in, before and after that changes.
_ACTIVITY = "Activity"
#: In the ledger: a colleague's activity is there, which this member may not see.
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message is from. `open` gives all of it from the beginning, each time. `lease`: whoever holds the
    ledger's entry meanwhile. `is_repeat`: this was tried before, and may have arrived."""

    message_id: str  # the mail provider's
    received_at: datetime
    open: Open
    mailbox_id: UUID | None
    lease: UUID
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """`activity_id`: "" where nobody may see it. `written`: to be settled with the decision. `error_code`: of an
    attachment that was refused, while the mail itself is there."""

    rule: Rule
    activity_id: str = ""
    written: tuple[Written, ...] = ()
    error_code: str = ""


class Writing:
    """One member's hand in Salesforce. What it has learnt stays in RAM as long as this object does."""

    def __init__(self, member: Member, *, priority: Priority = Priority.BACKGROUND) -> None:
        self._member, self._priority = member, priority

    @cached_property
    def _activities(self) -> Activities:
        connection = clients.salesforce_connection_of(self._member)
        prefers_task = policies.prefers_task(self._member)
        return clients.activities_for(connection, PURPOSE, priority=self._priority, prefers_task=prefers_task)

    @cached_property
    def marks(self) -> Marks:
        return ledger.marks_of(self._member.organization_id)

    def people(self, addresses: Sequence[str]) -> FoundPeople:
        """One question for each hundred of them."""
        wanted = list(dict.fromkeys(addresses))
        parts = [self._activities.people(wanted[at : at + _AT_ONCE]) for at in range(0, len(wanted), _AT_ONCE)]
        people = {address: found for part in parts for address, found in part.people.items()}
        crowded = frozenset(address for part in parts for address in part.crowded)
        return FoundPeople(people, crowded, parts[0].hidden if parts else ())

    def file(self, source: Source, letter: Letter, candidate: Candidate, matched: Match, rule: Rule) -> Filed:
        """`rule`: why, where it is written now. Raises ledger.InOtherHands, and what `providers.activities` does."""
        mail = identity_of(letter, source.message_id)
        entry = self._claimed(source, letter, mail)
        if entry.is_undone:
            return Filed(Rule.TAKEN_BACK)
        wanted = policies.enclosures_for(self._member)
        along = enclosed(letter, wanted)
        record = filed_as(letter, candidate, matched, along, source.received_at)
        if entry.is_mine:
            logged = self._activities.log_email(record, entry.key, is_repeat=source.is_repeat)
            people = tuple(target.person.id for target in matched.targets)
            parents = (logged.id, *logged.others, *people) if logged.id else ()
            refused = self._attach(source, mail, parents, along, wanted.most_bytes)
            written = Written(entry.id, logged.id or UNSEEN, rule, "", logged.object)
            return Filed(rule, logged.id, (written,), refused)
        seen = "" if entry.salesforce_id == UNSEEN else entry.salesforce_id
        if entry.mailbox_id is not None and entry.mailbox_id == source.mailbox_id:
            return Filed(Rule(entry.rule), seen)  # our own writing, looked at once more
        return self._joined(entry, record) if seen else Filed(Rule.COLLEAGUE_WAS_FIRST)

    def _attach(self, source: Source, mail: Identity, parents: tuple[str, ...], files: Enclosed, most: int) -> str:
        """Onto the first of `parents` that takes files: some organizations let none be added to a message. Before the
        entry is settled: whoever dies in between begins again, and keys keep the second copy away."""
        if not parents or not (files.files or files.posts):
            return ""
        going = Attaching(self._activities, parents, mail, self.marks, source.open, most, source.is_repeat)
        return going.all_of(files)

    def _joined(self, entry: Entry, record: EmailRecord) -> Filed:
        """Whoever of this mail is not on a colleague's activity yet comes to stand there."""
        there = Logged(entry.object_name, entry.salesforce_id, was_there=True)
        self._activities.add_relations(there, record.correspondents)
        return Filed(Rule.COLLEAGUE_WAS_FIRST, there.id)

    def _claimed(self, source: Source, letter: Letter, mail: Identity) -> Entry:
        return ledger.claim(
            self._member.organization_id,
            source.mailbox_id,
            self.marks.key(mail, _ACTIVITY),
            _ACTIVITY,
            source.lease,
            message_mark=self.marks.of_message(mail),
            thread_mark=threads.mark_of(letter, self.marks),
        )
