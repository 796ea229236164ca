"""One batch of messages on their way into Salesforce: headings, rules, people, text, activity (see `work.Carrier`).

Asks Salesforce once for the people of a whole batch, and once for each message that it writes. What it learns lives in
RAM until the batch ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from providers.activities import Activities, FoundPeople, Logged
from providers.mail import Heading, Mailbox
from sync import conversations, ledger, owners, places, policies, threads
from sync.conclusions import Conclusion, Task
from sync.conversations import Said
from sync.enclosures import enclosed
from sync.filing import filed_as, identity_of
from sync.ledger import Entry, Marks, Written
from sync.letters import Letter, Undecipherable
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.mime import read
from sync.models import SyncedMailbox
from sync.reasons import Outcome, Rule, Verdict, verdict
from sync.rules import UNKNOWN_THREAD, Candidate, Rulebook, Thread, decide_by_heading, decide_by_letter
from vault import clients

PURPOSE = "sync.write"
#: Of a whole message: more than Gmail or Exchange Online takes (150 MB, "Exchange Online limits").
MOST_BYTES = 200_000_000
#: What one question to Salesforce takes (providers.activities).
_AT_ONCE = 100
#: The same key whatever record the organization's Salesforce keeps mail in, before and after that changes.
_ACTIVITY = "Activity"
#: In the ledger: a colleague's activity is there, which this member may not see.
UNSEEN = "unseen"


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
    def _activities(self) -> Activities:
        return clients.activities_for(clients.salesforce_connection_of(self._row.member), PURPOSE)

    @cached_property
    def _marks(self) -> Marks:
        return ledger.marks_of(self._row.organization_id)

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
        """What is known of each message's conversation, by message id."""
        self._said = conversations.said_of(self._row.pk, {heading.thread_id for heading in headings})
        logged = self._logged(headings)
        return {heading.id: Thread(self._said_of(heading).is_private, heading.id in logged) for heading in headings}

    def _said_of(self, heading: Heading) -> Said:
        return self._said.get(heading.thread_id, conversations.NOTHING)

    def _logged(self, headings: Sequence[Heading]) -> set[str]:
        """Asked only where it decides something."""
        if not (self._rulebook.incoming.replies_only or self._rulebook.outgoing.replies_only):
            return set()
        return threads.logged(self._row.organization_id, headings, self._marks)

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
        people = self._people([address for _, each in candidates.values() for address in addresses_to_ask(each)])
        decided: dict[UUID, Conclusion] = {}
        for task_id, (heading, candidate) in candidates.items():
            chosen = self._said_of(heading).person_ids
            found = match(candidate, people, member_id=self._row.member.salesforce_user_id, chosen=chosen)
            if found.targets:
                self._matched[task_id] = Matched(heading, candidate, found)
            else:
                decided[task_id] = self._without_target(heading, candidate, found)
        return decided

    def _people(self, addresses: Sequence[str]) -> FoundPeople:
        wanted = list(dict.fromkeys(addresses))
        parts = [self._activities.people(wanted[at : at + _AT_ONCE]) for at in range(0, len(wanted), _AT_ONCE)]
        people = {address: found for part in parts for address, found in part.people.items()}
        crowded = frozenset(address for part in parts for address in part.crowded)
        return FoundPeople(people, crowded, parts[0].hidden if parts else ())

    def _without_target(self, heading: Heading, candidate: Candidate, found: Match) -> Conclusion:
        decision = decide_by_match(found)
        awaited = candidate.strangers if decision.outcome is Outcome.UNMATCHED else ()
        asked = [ranking.person.id for question in found.questions for ranking in question.rankings]
        waiting = [self._marks.of_address(party.address) for party in awaited]
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
        entry = self._claimed(task, letter)
        if entry.is_undone:
            return _concluded(verdict(Rule.TAKEN_BACK), matched.heading, matched.candidate)
        enclosures = enclosed(letter, policies.enclosures_for(self._row.member))
        record = filed_as(letter, matched.candidate, matched.match, enclosures, matched.heading.received_at)
        if entry.is_mine:
            is_repeat = task.tries > 0 or task.crashes > 1
            return _saved(matched, entry, self._activities.log_email(record, entry.key, is_repeat=is_repeat))
        logged = Logged(entry.object_name, entry.salesforce_id, was_there=True)
        if logged.id != UNSEEN:
            self._activities.add_relations(logged, record.correspondents)
        return _joined(matched, logged)

    def _claimed(self, task: Task, letter: Letter) -> Entry:
        mail = identity_of(letter, task.message_id)
        return ledger.claim(
            task.organization_id,
            task.mailbox_id,
            self._marks.key(mail, _ACTIVITY),
            _ACTIVITY,
            task.lease,
            message_mark=self._marks.of_message(mail),
            thread_mark=threads.mark_of(letter, self._marks),
        )


def _saved(matched: Matched, entry: Entry, logged: Logged) -> Conclusion:
    written = Written(entry.id, logged.id or UNSEEN, rule=Rule.MATCHED, object_name=logged.object)
    return _filed(Rule.MATCHED, matched, logged, [written])


def _joined(matched: Matched, logged: Logged) -> Conclusion:
    return _filed(Rule.COLLEAGUE_WAS_FIRST, matched, logged, ())


def _filed(rule: Rule, matched: Matched, logged: Logged, written: Sequence[Written]) -> Conclusion:
    seen = "" if logged.id == UNSEEN else logged.id
    return _concluded(
        verdict(rule),
        matched.heading,
        matched.candidate,
        activity_id=seen,
        record_ids=matched.person_ids,
        written=written,
    )


def _concluded(
    decision: Verdict, heading: Heading | None, candidate: Candidate | None = None, **more: Any
) -> Conclusion:
    """`heading` is None for what is gone."""
    if heading is None:
        return Conclusion(decision)
    counterpart = candidate.strangers[0].domain if candidate else ""
    return Conclusion(decision, heading.thread_id, heading.received_at, counterpart, **more)
