"""One batch of messages on their way into Salesforce: headings, rules, people, text, activity (see `work.Carrier`).

Asks Salesforce once for the people of a whole batch, and once for each message that it writes. What it learns lives in
RAM until the batch ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from providers.mail import Heading, Mailbox
from sync import conversations, owners, places, policies, threads
from sync.conclusions import Conclusion, Task
from sync.conversations import Said
from sync.letters import Letter, Undecipherable
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.mime import read
from sync.models import SyncedMailbox
from sync.reasons import Outcome, Rule, Verdict, verdict
from sync.rules import UNKNOWN_THREAD, Candidate, Rulebook, Thread, decide_by_heading, decide_by_letter
from sync.writing import Source, Writing

#: Of a whole message: more than Gmail or Exchange Online takes (150 MB, "Exchange Online limits").
MOST_BYTES = 200_000_000


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
    """See `work.Carrier`."""

    def __init__(self, row: SyncedMailbox, mailbox: Mailbox) -> None:
        self._row, self._mailbox = row, mailbox
        self._matched: dict[UUID, Matched] = {}
        self._said: Mapping[str, Said] = {}

    @cached_property
    def _writing(self) -> Writing:
        return Writing(self._row.member)

    @cached_property
    def _rulebook(self) -> Rulebook:
        return policies.rules_for(self._row.member, owners.addresses_of(self._row, self._mailbox))

    # -- by headings ----------------------------------------------------------------------------------------------

    def look(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion]:
        headings = self._mailbox.headings([task.message_id for task in tasks])
        known = self._conversations([each for each in headings.values() if each])
        decided: dict[UUID, Conclusion] = {}
        candidates: dict[UUID, tuple[Heading, Candidate]] = {}
        for task in tasks:
            heading = headings.get(task.message_id)
            found = self._decided(task, heading, known)
            if isinstance(found, Verdict):
                decided[task.id] = _concluded(found, heading)
            elif heading is not None:
                candidates[task.id] = heading, found
        return decided | self._by_people(candidates)

    def _conversations(self, headings: Sequence[Heading]) -> Mapping[str, Thread]:
        self._said = conversations.said_of(self._row.pk, {heading.thread_id for heading in headings})
        return threads.known(self._row.organization_id, headings, self._said, self._rulebook)

    def _said_of(self, heading: Heading) -> Said:
        return self._said.get(heading.thread_id, conversations.NOTHING)

    def _decided(self, task: Task, heading: Heading | None, known: Mapping[str, Thread]) -> Verdict | Candidate:
        return decide_by_heading(
            heading,
            places.of(self._row.pk, self._mailbox),
            self._rulebook,
            thread=known.get(task.message_id, UNKNOWN_THREAD),
            since=self._row.starts_at if task.is_live else None,
            was_chosen=task.was_chosen,
        )

    def _by_people(self, candidates: Mapping[UUID, tuple[Heading, Candidate]]) -> dict[UUID, Conclusion]:
        """Conclusions for those of whom nobody is known, or too many are; the others are kept to be carried out."""
        people = self._writing.people(
            [address for _, each in candidates.values() for address in addresses_to_ask(each)]
        )
        decided: dict[UUID, Conclusion] = {}
        for task_id, (heading, candidate) in candidates.items():
            chosen = self._said_of(heading).person_ids
            found = match(candidate, people, member_id=self._row.member.salesforce_user_id, chosen=chosen)
            if found.targets:
                self._matched[task_id] = Matched(heading, candidate, found)
            else:
                decided[task_id] = self._without_target(heading, candidate, found)
        return decided

    def _without_target(self, heading: Heading, candidate: Candidate, found: Match) -> Conclusion:
        decision = decide_by_match(found)
        awaited = candidate.strangers if decision.outcome is Outcome.UNMATCHED else ()
        asked = [ranking.person.id for question in found.questions for ranking in question.rankings]
        waiting = [self._writing.marks.of_address(party.address) for party in awaited]
        return _concluded(decision, heading, candidate, record_ids=asked, waiting=waiting)

    # -- one by one -----------------------------------------------------------------------------------------------

    def carry_out(self, task: Task) -> Conclusion:
        matched = self._matched[task.id]
        try:
            with self._mailbox.mime(task.message_id, most=MOST_BYTES) as pieces:
                letter = read(pieces, matched.heading.received_at)
        except Undecipherable as error:
            return _concluded(verdict(Rule.UNDECIPHERABLE, code=error.code), matched.heading, matched.candidate)
        stays = decide_by_letter(letter, matched.candidate)
        return _concluded(stays, matched.heading, matched.candidate) if stays else self._written(task, matched, letter)

    def _written(self, task: Task, matched: Matched, letter: Letter) -> Conclusion:
        is_repeat = task.tries > 0 or task.crashes > 1
        opened = partial(self._mailbox.mime, task.message_id, most=MOST_BYTES)
        at = matched.heading.received_at
        source = Source(task.message_id, at, opened, task.mailbox_id, task.lease, is_repeat)
        filed = self._writing.file(source, letter, matched.candidate, matched.match, Rule.MATCHED)
        return _concluded(
            verdict(filed.rule),
            matched.heading,
            matched.candidate,
            activity_id=filed.activity_id,
            record_ids=() if filed.rule is Rule.TAKEN_BACK else matched.person_ids,
            written=filed.written,
            error_code=filed.error_code,
        )


def _concluded(
    decision: Verdict, heading: Heading | None, candidate: Candidate | None = None, **more: Any
) -> Conclusion:
    """`heading` is None for what is gone."""
    if heading is None:
        return Conclusion(decision)
    counterpart = candidate.strangers[0].domain if candidate else ""
    return Conclusion(decision, heading.thread_id, heading.received_at, counterpart, **more)
