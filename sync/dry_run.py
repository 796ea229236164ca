"""What the rules would have done with the last days' mail, from headings alone, before anything is switched on.

Writes nothing anywhere and reads no text. Its caller fetches headings and asks Salesforce; this decides and counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from providers.activities import Copy, FoundPeople, FoundPerson, PersonKind
from providers.mail import Folder, Heading
from sync.elsewhere import Copies, Elsewhere, message_id_of, times_of
from sync.matching import addresses_to_ask, decide_by_match, match
from sync.reasons import WITH_NOBODY, Outcome, Rule, Verdict, outcome_of, verdict
from sync.rules import Candidate, Rulebook, Thread, decide_by_heading

#: Addresses that are asked about at once: what one call to Salesforce takes.
AT_ONCE = 100
#: Messages that wait for such a call at most, so that somebody who looks on sees it move.
_MOST_WAITING = 100

#: (addresses, at most AT_ONCE of them, Message-IDs) -> who has them; `providers.activities.Activities.people`.
AskPeople = Callable[[Sequence[str], Sequence[str]], FoundPeople]
#: What of these another program has saved.
AskElsewhere = Callable[[Copies], Elsewhere]
ThreadOf = Callable[[Heading], Thread]
_Waiting = tuple[Heading, Candidate, Thread]


@dataclass(frozen=True, slots=True, repr=False)
class Foreseen:
    """One message and what would have become of it. A text may still keep it out, which nobody has read here."""

    message_id: str  # the provider's
    received_at: datetime
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """How many messages one rule decided."""

    rule: Rule
    outcome: Outcome
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """`synced` of `seen` messages would be in Salesforce. `lines`: most frequent first; rules whose sentence names a
    domain have a line for each."""

    seen: int
    synced: int
    lines: tuple[Line, ...]

    @property
    def sentence(self) -> str:
        return f"{self.synced} of {self.seen} emails would have been saved, {self.seen - self.synced} would not."


def as_if_on(rulebook: Rulebook) -> Rulebook:
    """The same rules with email sync switched on."""
    return replace(
        rulebook, incoming=replace(rulebook.incoming, is_on=True), outgoing=replace(rulebook.outgoing, is_on=True)
    )


def foresee(
    headings: Iterable[Heading],
    folders: Mapping[str, Folder],
    rulebook: Rulebook,
    ask: AskPeople,
    elsewhere: AskElsewhere,
    *,
    member_id: str,
    thread_of: ThreadOf,
) -> Iterator[Foreseen]:
    """Decide one message after another; those that Salesforce has to be asked about come a little later than others.

    `folders`, `member_id` as `rules` and `matching` take them. Raises what `ask` and `elsewhere` do."""
    people, waiting = _People(ask, elsewhere), list[_Waiting]()
    for heading in headings:
        thread = thread_of(heading)
        decided = decide_by_heading(heading, folders, rulebook, thread=thread)
        if isinstance(decided, Verdict):
            yield Foreseen(heading.id, heading.received_at, decided)
            continue
        waiting.append((heading, decided, thread))
        people.will_need(addresses_to_ask(decided), message_id_of(heading))
        if people.has_a_full_call or len(waiting) >= _MOST_WAITING:
            yield from _matched(waiting, people, member_id)
            waiting = []
    yield from _matched(waiting, people, member_id)


def forecast(foreseen: Iterable[Foreseen]) -> Forecast:
    """Count them. Takes as much memory as there are different reasons."""
    counts: Counter[tuple[Rule, str]] = Counter()
    for each in foreseen:
        counts[each.verdict.rule, each.verdict.sentence] += 1
    lines = [Line(rule, outcome_of(rule), count, sentence) for (rule, sentence), count in counts.most_common()]
    synced = sum(line.count for line in lines if line.outcome is Outcome.SYNCED and line.rule not in WITH_NOBODY)
    return Forecast(sum(counts.values()), synced, tuple(lines))


def _matched(waiting: Iterable[_Waiting], people: "_People", member_id: str) -> Iterator[Foreseen]:
    there = people.ask_all()
    for heading, candidate, thread in waiting:
        known = people.among(addresses_to_ask(candidate))
        matched = match(candidate, known, member_id=member_id, chosen=thread.chosen)
        is_elsewhere = matched.targets and there.has(message_id_of(heading), candidate, times_of(heading))
        decided = verdict(Rule.SAVED_ELSEWHERE) if is_elsewhere else decide_by_match(matched)
        yield Foreseen(heading.id, heading.received_at, decided)


class _People:
    """Who has which address, each asked about once in a whole run; and which mails are there already."""

    def __init__(self, ask: AskPeople, elsewhere: AskElsewhere) -> None:
        self._ask, self._elsewhere = ask, elsewhere
        self._message_ids: list[str] = []
        self._known: dict[str, tuple[FoundPerson, ...]] = {}
        self._crowded: set[str] = set()
        self._hidden: tuple[PersonKind, ...] = ()
        self._wanted: dict[str, None] = {}

    def will_need(self, addresses: Iterable[str], message_id: str) -> None:
        self._message_ids += [message_id] if message_id else []
        self._wanted.update(dict.fromkeys(each for each in addresses if each not in self._known))

    @property
    def has_a_full_call(self) -> bool:
        return len(self._wanted) >= AT_ONCE

    def ask_all(self) -> Elsewhere:
        """Of the mails since the last time."""
        wanted, copies = list(self._wanted), dict[str, tuple[Copy, ...]]()
        for first in range(0, len(wanted) or bool(self._message_ids), AT_ONCE):
            addresses = wanted[first : first + AT_ONCE]
            answer = self._ask(addresses, self._message_ids)
            self._message_ids = []
            copies |= answer.copies
            self._known |= {address: answer.people.get(address, ()) for address in addresses}
            self._crowded |= answer.crowded
            self._hidden = answer.hidden if addresses else self._hidden
        self._wanted.clear()
        return self._elsewhere(copies)

    def among(self, addresses: Iterable[str]) -> FoundPeople:
        known = {address: self._known[address] for address in addresses}
        return FoundPeople(known, frozenset(self._crowded & known.keys()), self._hidden)
