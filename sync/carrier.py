"""One batch of messages on their way into Salesforce: headings, rules, people, text, activity (see `carriers`).

Asks Salesforce once for the people of a whole batch, and once to write them. What it learns lives in RAM until the
batch ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from providers.errors import NotFound, Rejected
from providers.mail import Folder, Heading, Mailbox
from sync import conversations, ledger, owners, places, policies, threads
from sync.conclusions import NOTHING_KNOWN, About, Conclusion, Task
from sync.conversations import Said
from sync.elsewhere import message_id_of, times_of
from sync.letters import Letter, Undecipherable
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.mime import read
from sync.models import SyncedMailbox
from sync.reasons import Outcome, Rule, Verdict, verdict
from sync.rules import UNKNOWN_THREAD, Candidate, Rulebook, Thread, decide_by_heading, decide_by_letter
from sync.writing import Draft, Filed, Source, Writing

#: Of a whole message: more than Gmail or Exchange Online takes (150 MB, "Exchange Online limits").
MOST_BYTES = 200_000_000
#: The code of what is longer than that (providers.streaming).
_TOO_LONG = "too_long"
#: Headings (providers.mail).
_AT_ONCE = 20


@dataclass(frozen=True, slots=True, repr=False)
class Matched:
    """A message that is to be written, as far as its headers say."""

    heading: Heading
    candidate: Candidate
    match: Match

    @property
    def person_ids(self) -> tuple[str, ...]:
        return tuple(target.person.id for target in self.match.targets)


class MailCarrier:
    """See `carriers.Carrier`."""

    def __init__(self, row: SyncedMailbox, mailbox: Mailbox) -> None:
        self._row, self._mailbox = row, mailbox
        self._matched: dict[UUID, Matched] = {}
        self._drafts: dict[UUID, Draft] = {}
        self._filed: dict[UUID, Filed] = {}
        self._said: Mapping[str, Said] = {}

    @cached_property
    def _writing(self) -> Writing:
        return Writing(self._row.member)

    @cached_property
    def _rulebook(self) -> Rulebook:
        return policies.rules_for(self._row.member, owners.addresses_of(self._row, self._mailbox))

    # -- by headings ----------------------------------------------------------------------------------------------

    def look(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion]:
        headings = self._headings([task.message_id for task in tasks])
        there = [each for each in headings.values() if each]
        known, folders = self._conversations(there), self._folders(there)
        decided: dict[UUID, Conclusion] = {}
        candidates: dict[UUID, tuple[Heading, Candidate]] = {}
        for task in tasks:
            heading = headings.get(task.message_id)
            found = self._decided(task, heading, known, folders)
            if isinstance(found, Verdict):
                decided[task.id] = _concluded(found, heading)
            elif heading is not None:
                candidates[task.id] = heading, found
        return decided | self._by_people(candidates)

    def _headings(self, ids: Sequence[str]) -> Mapping[str, Heading | None]:
        parts = [self._mailbox.headings(ids[at : at + _AT_ONCE]) for at in range(0, len(ids), _AT_ONCE)]
        return {name: heading for part in parts for name, heading in part.items()}

    def _conversations(self, headings: Sequence[Heading]) -> Mapping[str, Thread]:
        self._said = conversations.said_of(self._row.pk, {heading.thread_id for heading in headings})
        return threads.known(self._row.organization_id, headings, self._said, self._rulebook)

    def _said_of(self, heading: Heading) -> Said:
        return self._said.get(heading.thread_id, conversations.NOTHING)

    def _folders(self, headings: Sequence[Heading]) -> Mapping[str, Folder]:
        named = {each for heading in headings for each in heading.folders}
        return places.of(self._row.pk, self._mailbox, naming=named)

    def _decided(
        self, task: Task, heading: Heading | None, known: Mapping[str, Thread], folders: Mapping[str, Folder]
    ) -> Verdict | Candidate:
        return decide_by_heading(
            heading,
            folders,
            self._rulebook,
            thread=known.get(heading.id, UNKNOWN_THREAD) if heading else UNKNOWN_THREAD,
            since=self._row.starts_at.replace(microsecond=0) if task.is_live else None,  # Graph counts whole seconds
            was_chosen=task.was_chosen,
        )

    def _by_people(self, candidates: Mapping[UUID, tuple[Heading, Candidate]]) -> dict[UUID, Conclusion]:
        """Conclusions for those of whom nobody is known, or too many are, and for what another program has saved; the
        others are kept to be carried out."""
        message_ids = {task_id: message_id_of(heading) for task_id, (heading, _) in candidates.items()}
        people = self._writing.people(
            [address for _, each in candidates.values() for address in addresses_to_ask(each)],
            list(filter(None, message_ids.values())),
        )
        elsewhere = self._writing.elsewhere(people)
        decided: dict[UUID, Conclusion] = {}
        for task_id, (heading, candidate) in candidates.items():
            chosen = self._said_of(heading).person_ids
            found = match(candidate, people, member_id=self._row.member.salesforce_user_id, chosen=chosen)
            if found.targets and elsewhere.has(message_ids[task_id], candidate, times_of(heading)):
                decided[task_id] = _concluded(verdict(Rule.SAVED_ELSEWHERE), heading, candidate, notes=found.notes)
            elif found.targets:
                self._matched[task_id] = Matched(heading, candidate, found)
            else:
                decided[task_id] = self._without_target(heading, candidate, found)
        return decided

    def _without_target(self, heading: Heading, candidate: Candidate, found: Match) -> Conclusion:
        decision = decide_by_match(found)
        awaited = candidate.strangers if decision.outcome is Outcome.UNMATCHED else ()
        waiting = [self._writing.marks.of_address(party.address) for party in awaited]
        asked = {"asked_ids": found.asked_ids, "asked_why": found.asked_why}
        return _concluded(decision, heading, candidate, notes=found.notes, waiting=waiting, **asked)

    def about(self, task: Task) -> About:
        found = self._matched.get(task.id)
        if found is None:
            return NOTHING_KNOWN
        return About(found.heading.thread_id, found.heading.received_at, found.candidate.strangers[0].domain)

    # -- one by one -----------------------------------------------------------------------------------------------

    def read(self, task: Task) -> Conclusion | None:
        matched = self._matched[task.id]
        try:
            with self._mailbox.mime(task.message_id, most=MOST_BYTES) as pieces:
                letter = read(pieces, matched.heading.received_at)
        except NotFound:  # deleted since it was looked at
            return self._said_to(matched, verdict(Rule.GONE))
        except Undecipherable as error:
            return self._said_to(matched, verdict(Rule.UNDECIPHERABLE, code=error.code))
        except Rejected as error:
            if error.code != _TOO_LONG:
                raise
            return self._said_to(matched, verdict(Rule.TOO_LARGE))
        stays = decide_by_letter(letter, matched.candidate)
        return self._said_to(matched, stays) if stays else self._drafted(task, matched, letter)

    def _drafted(self, task: Task, matched: Matched, letter: Letter) -> Conclusion | None:
        opened = partial(self._mailbox.mime, task.message_id, most=MOST_BYTES)
        source = Source(task.message_id, matched.heading.received_at, opened, task.mailbox_id, task.lease)
        draft = self._writing.draft(source, letter, matched.candidate, matched.match, Rule.MATCHED)
        if isinstance(draft, Filed):
            return self._settled(matched, draft)
        self._drafts[task.id] = draft
        return None

    # -- together -------------------------------------------------------------------------------------------------

    def write(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion | Exception]:
        """Made private since it was looked at: it stays out."""
        private = self._private(tasks)
        going = [task for task in tasks if task.id not in private]
        filed = self._writing.write([self._drafts[task.id] for task in going])
        self._filed = {task.id: each for task, each in zip(going, filed, strict=True) if isinstance(each, Filed)}
        failed = {task.id: each for task, each in zip(going, filed, strict=True) if not isinstance(each, Filed)}
        ended = {task_id: self._by_id(task_id, each) for task_id, each in self._filed.items() if not each.parents}
        return {**private, **failed, **ended}

    def _private(self, tasks: Sequence[Task]) -> dict[UUID, Conclusion]:
        matched = {task: self._matched[task.id] for task in tasks}
        said = conversations.said_of(self._row.pk, {each.heading.thread_id for each in matched.values()})
        found = {
            task: each
            for task, each in matched.items()
            if said.get(each.heading.thread_id, conversations.NOTHING).is_private
        }
        ledger.let_go(*(task.lease for task in found))
        return {task.id: self._said_to(each, verdict(Rule.KEPT_PRIVATE)) for task, each in found.items()}

    def attach(self, task: Task) -> Conclusion:
        return self._by_id(task.id, self._writing.attach(self._drafts[task.id], self._filed[task.id]))

    def without_files(self, task: Task) -> Conclusion:
        return self._by_id(task.id, replace(self._filed[task.id], parents=(), error_code="gave_up"))

    # -- how it ends ----------------------------------------------------------------------------------------------

    def _by_id(self, task_id: UUID, filed: Filed) -> Conclusion:
        return self._settled(self._matched[task_id], filed)

    def _settled(self, matched: Matched, filed: Filed) -> Conclusion:
        return self._said_to(
            matched,
            verdict(filed.rule),
            activity_id=filed.activity_id,
            record_ids=filed.stands_with(matched.person_ids),
            asked_ids=matched.match.asked_ids,
            asked_why=matched.match.asked_why,
            notes={**matched.match.notes, **filed.notes},
            written=filed.written,
            joined=filed.joined,
            error_code=filed.error_code,
        )

    @staticmethod
    def _said_to(matched: Matched, decision: Verdict, **more: Any) -> Conclusion:
        return _concluded(decision, matched.heading, matched.candidate, **more)


def _concluded(
    decision: Verdict, heading: Heading | None, candidate: Candidate | None = None, **more: Any
) -> Conclusion:
    """`heading` is None for what is gone."""
    if heading is None:
        return Conclusion(decision)
    counterpart = candidate.strangers[0].domain if candidate else ""
    return Conclusion(decision, heading.thread_id, heading.received_at, counterpart, **more)
