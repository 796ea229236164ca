"""Writes messages into Salesforce as one member: who is known there, whose entry in the ledger it is, the activity,
its files.

Used by whatever wants a message saved: the engine's carrier, and a person who asks for it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from sync.enclosures import Enclosed, enclosed, is_whole
from sync.filing import filed_as, identity_of
from sync.ledger import Entry, Files, Identity, Joined, Marks, Written
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
    ledger's entry meanwhile. `left_behind`: what of it stays out, where it was
    handed over without its files."""

    message_id: str  # the mail provider's
    received_at: datetime
    open: Open
    mailbox_id: UUID | None
    lease: UUID
    left_behind: Mapping[Note, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A message that is to be written, its entry claimed; or, where it is there already, to be joined. `brings_people`,
    `brings_files`: what may be missing there."""

    source: Source
    mail: Identity
    entry: Entry
    record: EmailRecord
    along: Enclosed
    person_ids: tuple[str, ...]
    rule: Rule  # why it is there
    brings_people: bool
    brings_files: bool

    def joined(self, member_id: UUID, *, is_done: bool) -> Joined | None:
        """`is_done`: whatever goes along is there. None where nothing changes for the entry."""
        is_mine = self.entry.is_mine
        if not is_mine and not self.brings_files:
            return None if member_id in self.entry.stands_for else Joined(self.entry.id, member_id)
        lease = None if is_mine else self.source.lease
        return Joined(self.entry.id, member_id, self._files(is_done=is_done), lease)

    def _files(self, *, is_done: bool) -> Files:
        if is_done and self.along.is_whole and is_whole(self.source.left_behind):
            return Files.ALL
        return Files.SOME if self.along.files else self.entry.files


@dataclass(frozen=True, slots=True)
class Filed:
    """`activity_id`: "" where nobody may see it. `written`: to be settled with the decision. `parents`: records that
    its files go onto (`Writing.attach`), () where none wait. `error_code`: of an attachment that was refused, while the
    mail itself is there. `joined`: for whom it stands from now on, stored with the decision. `left_out`: ids of people
    it was to be saved with, for whom Salesforce has no place. `files`: what of them is there by now; `stayed_out`: how
    many this copy does not bring, and why."""

    rule: Rule
    activity_id: str = ""
    written: tuple[Written, ...] = ()
    parents: tuple[str, ...] = ()
    error_code: str = ""
    joined: Joined | None = None
    left_out: frozenset[str] = frozenset()
    files: Files = Files.ALL
    stayed_out: Mapping[Note, int] = field(default_factory=dict)

    def stands_with(self, person_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of them whom it is saved with."""
        return () if self.rule in WITH_NOBODY else tuple(each for each in person_ids if each not in self.left_out)

    @property
    def notes(self) -> Mapping[Note, int]:
        """What of it is not there. Whatever a copy that joins goes without is there where all files are."""
        found = {Note.NO_PLACE: len(self.left_out), Note.FILES_MISSING: int(bool(self.error_code))}
        missing = {note: count for note, count in found.items() if count}
        return {**self.stayed_out, **missing} if self.written or self.files is not Files.ALL else missing


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
        """Claims the message; Filed where there is nothing to write: what is ours is there already, with its files, and
        nobody has said since who is meant. Asks Salesforce nothing. Raises ledger.InOtherHands."""
        mail = identity_of(letter, source.message_id)
        entry = self._claimed(source, letter, mail)
        if entry.is_undone:
            return Filed(Rule.TAKEN_BACK)
        along = enclosed(letter, policies.enclosures_for(self._member))
        brings_files = self._brings_files(entry, along, is_asked=rule is Rule.ASKED_FOR)
        brings_people = True
        if not entry.is_mine:
            is_own = entry.mailbox_id is not None and entry.mailbox_id == source.mailbox_id
            rule = Rule(entry.rule) if is_own else self._of_others(entry)
            brings_people = not is_own or bool(matched.notes.get(Note.CHOSEN))
        record = filed_as(letter, candidate, matched, along, source.received_at, self._member.zone)
        people = tuple(each.person.id for each in matched.targets)
        draft = Draft(source, mail, entry, record, along, people, rule, brings_people, brings_files)
        return draft if entry.is_mine else self._joining(draft)

    def _joining(self, draft: Draft) -> Draft | Filed:
        """Of what is there already."""
        entry = draft.entry
        if not _seen(entry) or not (draft.brings_people or draft.brings_files):
            filed = Filed(draft.rule, _seen(entry))
            return self._ended(replace(draft, brings_files=False), filed, is_done=True)
        if draft.brings_files:
            ledger.hold(entry, draft.source.lease)
        return replace(draft, record=_without(draft.record, corrections.moved_off(entry.id)))

    def _brings_files(self, entry: Entry, along: Enclosed, *, is_asked: bool) -> bool:
        """To what is there already only where some are missing. Where some may have been there, somebody may have
        deleted one since: that does not come back with any look, but with a member's first, or his asking for it."""
        if not (along.files or along.posts):
            return False
        is_first = is_asked or self._member.pk not in entry.stands_for
        return entry.is_mine or entry.files is Files.NONE or (entry.files is Files.SOME and is_first)

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
        written = Written(draft.entry.id, logged.id or UNSEEN, draft.rule, "", logged.object)
        filed = self._begun(draft, logged, logged.left_out)
        return replace(filed, written=(written,))

    def _begun(self, draft: Draft, logged: Logged, left_out: Collection[str]) -> Filed:
        """There, but for its files."""
        parents = (logged.id, *logged.others, *draft.person_ids) if logged.id and draft.brings_files else ()
        targets = frozenset(draft.person_ids).intersection(left_out)
        filed = Filed(draft.rule, logged.id, parents=parents, left_out=targets)
        return self._ended(draft, filed, is_done=not parents)

    def _ended(self, draft: Draft, filed: Filed, *, is_done: bool) -> Filed:
        joined = draft.joined(self._member.pk, is_done=is_done)
        files = (joined and joined.files) or draft.entry.files
        return replace(filed, joined=joined, files=files, stayed_out={**draft.along.notes, **draft.source.left_behind})

    def _joined(self, draft: Draft) -> Filed | ProviderError:
        """Whoever of this mail is not on its activity yet comes to stand there."""
        there = Logged(draft.entry.object_name, draft.entry.salesforce_id, was_there=True)
        try:
            left_out = self._stand(there, draft)
        except ProviderError as error:
            return error
        return self._begun(draft, there, left_out)

    def _stand(self, there: Logged, draft: Draft) -> Sequence[str]:
        """Whom there is no place for."""
        if not draft.brings_people:
            return ()
        left_out = self._activities.add_relations(there, draft.record.correspondents)
        keyed = Keyed(draft.record, draft.entry.key)
        return self._activities.make_own_tasks(there, keyed, left_out) if left_out else ()

    def attach(self, draft: Draft, filed: Filed) -> Filed:
        """Its files, onto the first of `filed.parents` that takes them: some organizations let none be added to a
        message. Before the entry is settled: whoever dies in between begins again, and keys keep the second copy away.
        Raises what may pass."""
        most = policies.enclosures_for(self._member).most_bytes
        is_repeat = draft.entry.is_repeat or not draft.entry.is_mine
        going = Attaching(
            self._activities, filed.parents, draft.mail, self.marks, draft.source.open, most, is_repeat
        )  # fmt: skip
        code = going.all_of(draft.along)
        return self._ended(draft, replace(filed, error_code=code, parents=()), is_done=not code)

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
