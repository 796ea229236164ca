"""Writes messages into Salesforce as one member: who is known there, whose entry in the ledger it is, the activity,
its files.

Used by whatever wants a message saved: the engine's carrier, and a person who asks for it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

from organizations.models import Member
from providers.activities import Activities, EmailRecord, FoundPeople, Keyed, Logged
from providers.base import Priority
from providers.errors import ProviderError
from sync import corrections, ledger, policies, threads
from sync.attaching import Attaching, Open
from sync.elsewhere import Elsewhere, elsewhere
from sync.enclosures import Enclosed, enclosed
from sync.filing import filed_as, identity_of
from sync.ledger import Entry, Identity, Joined, Marks, Written
from sync.letters import Letter
from sync.matching import Match
from sync.models import SyncedMailbox
from sync.reasons import WITH_NOBODY, Note, Rule
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
    ledger's entry meanwhile."""

    message_id: str  # the mail provider's
    received_at: datetime
    open: Open
    mailbox_id: UUID | None
    lease: UUID


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A message that is to be written, its entry claimed; or, where it is there already, to be joined."""

    source: Source
    mail: Identity
    entry: Entry
    record: EmailRecord
    along: Enclosed
    person_ids: tuple[str, ...]
    rule: Rule  # why it is there


@dataclass(frozen=True, slots=True)
class Filed:
    """`activity_id`: "" where nobody may see it. `written`: to be settled with the decision. `parents`: records that
    its files go onto (`Writing.attach`), () where none wait. `error_code`: of an attachment that was refused, while the
    mail itself is there. `joined`: for whom it stands from now on, stored with the decision. `left_out`: ids of people
    it was to be saved with, for whom Salesforce has no place."""

    rule: Rule
    activity_id: str = ""
    written: tuple[Written, ...] = ()
    parents: tuple[str, ...] = ()
    error_code: str = ""
    joined: Joined | None = None
    left_out: frozenset[str] = frozenset()

    def stands_with(self, person_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of them whom it is saved with."""
        return () if self.rule in WITH_NOBODY else tuple(each for each in person_ids if each not in self.left_out)

    @property
    def notes(self) -> Mapping[Note, int]:
        """What of it is not there, although it was to be."""
        found = {Note.NO_PLACE: len(self.left_out), Note.FILES_MISSING: int(bool(self.error_code))}
        return {note: count for note, count in found.items() if count}


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

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        """One question for each hundred of them. `message_ids` of mails that may be there go along with the first."""
        wanted = list(dict.fromkeys(addresses))
        parts = [
            self._activities.people(wanted[at : at + _AT_ONCE], () if at else message_ids)
            for at in range(0, len(wanted), _AT_ONCE)
        ]
        people = {address: found for part in parts for address, found in part.people.items()}
        crowded = frozenset(address for part in parts for address in part.crowded)
        return FoundPeople(people, crowded, *((parts[0].hidden, parts[0].copies) if parts else ()))

    def elsewhere(self, people: FoundPeople) -> Elsewhere:
        return elsewhere(self._member.organization_id, people.copies)

    def file(self, source: Source, letter: Letter, candidate: Candidate, matched: Match, rule: Rule) -> Filed:
        """One message, whole. Raises ledger.InOtherHands, and what `providers.activities` does."""
        draft = self.draft(source, letter, candidate, matched, rule)
        if isinstance(draft, Filed):
            return draft
        (filed,) = self.write([draft])
        if isinstance(filed, Exception):
            raise filed
        return self.attach(draft, filed) if filed.parents else filed

    def draft(self, source: Source, letter: Letter, candidate: Candidate, matched: Match, rule: Rule) -> Draft | Filed:
        """Claims the message; Filed where there is nothing to write: what is ours is written already, and nobody has
        said since who is meant. Asks Salesforce nothing. Raises ledger.InOtherHands."""
        mail = identity_of(letter, source.message_id)
        entry = self._claimed(source, letter, mail)
        if entry.is_undone:
            return Filed(Rule.TAKEN_BACK)
        if not entry.is_mine:
            is_own = entry.mailbox_id is not None and entry.mailbox_id == source.mailbox_id
            rule = Rule(entry.rule) if is_own else self._of_others(entry)
            is_as_it_was = is_own and not matched.notes.get(Note.CHOSEN)
            if is_as_it_was or not _seen(entry):
                return Filed(rule, _seen(entry), joined=self._joins(entry))
        along = enclosed(letter, policies.enclosures_for(self._member))
        record = filed_as(letter, candidate, matched, along, source.received_at)
        if not entry.is_mine:
            record = _without(record, corrections.moved_off(entry.id))
        return Draft(source, mail, entry, record, along, tuple(each.person.id for each in matched.targets), rule)

    def write(self, drafts: Sequence[Draft]) -> list[Filed | ProviderError]:
        """In their order, in as few calls as may be. Raises where nothing is known about any."""
        mine = [draft for draft in drafts if draft.entry.is_mine]
        logged = iter(self._logged(mine))
        return [next(logged) if draft.entry.is_mine else self._joined(draft) for draft in drafts]

    def _logged(self, drafts: Sequence[Draft]) -> list[Filed | ProviderError]:
        if not drafts:
            return []
        keyed = [Keyed(draft.record, draft.entry.key, draft.entry.is_repeat) for draft in drafts]
        outcomes = self._activities.log_emails(keyed)
        return [
            outcome if isinstance(outcome, ProviderError) else self._first(draft, outcome)
            for draft, outcome in zip(drafts, outcomes, strict=True)
        ]

    def _first(self, draft: Draft, logged: Logged) -> Filed:
        return replace(_filed(draft, logged), joined=self._joins(draft.entry))

    def _joins(self, entry: Entry) -> Joined | None:
        """None where it stands for him already."""
        mine = self._member.pk
        return None if mine in entry.stands_for else Joined(entry.id, mine)

    def _joined(self, draft: Draft) -> Filed | ProviderError:
        """Whoever of this mail is not on its activity yet comes to stand there."""
        there = Logged(draft.entry.object_name, draft.entry.salesforce_id, was_there=True)
        try:
            left_out = self._stand(there, draft)
        except ProviderError as error:
            return error
        return Filed(draft.rule, there.id, joined=self._joins(draft.entry), left_out=_targets_of(draft, left_out))

    def _stand(self, there: Logged, draft: Draft) -> Sequence[str]:
        """Whom there is no place for."""
        left_out = self._activities.add_relations(there, draft.record.correspondents)
        keyed = Keyed(draft.record, draft.entry.key)
        return self._activities.make_own_tasks(there, keyed, left_out) if left_out else ()

    def attach(self, draft: Draft, filed: Filed) -> Filed:
        """Its files, onto the first of `filed.parents` that takes them: some organizations let none be added to a
        message. Before the entry is settled: whoever dies in between begins again, and keys keep the second copy away.
        Raises what may pass."""
        most, is_repeat = policies.enclosures_for(self._member).most_bytes, draft.entry.is_repeat
        going = Attaching(
            self._activities, filed.parents, draft.mail, self.marks, draft.source.open, most, is_repeat
        )  # fmt: skip
        return replace(filed, error_code=going.all_of(draft.along), parents=())

    def _of_others(self, entry: Entry) -> Rule:
        """Whose copy from no synced mailbox was written is not known: it may be this member's own. His other mailbox is
        no colleague's."""
        if entry.mailbox_id is None:
            return Rule.SAVED_BEFORE
        is_his = SyncedMailbox.objects.filter(pk=entry.mailbox_id, member=self._member).exists()
        return Rule(entry.rule) if is_his else Rule.COLLEAGUE_WAS_FIRST

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


def _without(record: EmailRecord, off: Collection[str]) -> EmailRecord:
    """A copy that joins brings back nobody whom somebody has taken off the activity since."""
    people = (replace(each, person_id="") if each.person_id[:15] in off else each for each in record.correspondents)
    return replace(record, correspondents=tuple(people))


def _seen(entry: Entry) -> str:
    return "" if entry.salesforce_id == UNSEEN else entry.salesforce_id


def _filed(draft: Draft, logged: Logged) -> Filed:
    written = Written(draft.entry.id, logged.id or UNSEEN, draft.rule, "", logged.object)
    has_files = logged.id and (draft.along.files or draft.along.posts)
    parents = (logged.id, *logged.others, *draft.person_ids) if has_files else ()
    return Filed(draft.rule, logged.id, (written,), parents, left_out=_targets_of(draft, logged.left_out))


def _targets_of(draft: Draft, people: Sequence[str]) -> frozenset[str]:
    return frozenset(draft.person_ids).intersection(people)
