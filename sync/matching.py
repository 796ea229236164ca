"""Who in Salesforce a message is saved with: exact addresses, one person for each, and nobody guessed (F8). Pure.

An address that two people have is a question for somebody, whatever makes one of them likelier. For RAM only."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from providers.activities import FoundPeople, FoundPerson, PersonKind
from sync.envelope import Party
from sync.reasons import Note, Ranked, Rule, Verdict, say_note, verdict
from sync.rules import Candidate, Rules

_OFF: Mapping[PersonKind, Note] = {
    PersonKind.CONTACT: Note.CONTACTS_OFF,
    PersonKind.LEAD: Note.LEADS_OFF,
    PersonKind.PERSON_ACCOUNT: Note.PERSON_ACCOUNTS_OFF,
}
#: Why nobody is left, most telling first.
_WHY_NOBODY: Mapping[Note, Rule] = {
    Note.OWNED_BY_OTHERS: Rule.OWNED_BY_OTHERS,
    Note.CONTACTS_OFF: Rule.CONTACTS_OFF,
    Note.PERSON_ACCOUNTS_OFF: Rule.PERSON_ACCOUNTS_OFF,
    Note.LEADS_OFF: Rule.LEADS_OFF,
}
#: Of a record id's 18 characters the last three are a checksum ("Object Basics", Salesforce's object reference).
_UNIQUE = 15


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A person that the message is saved with, and where he stands in it."""

    party: Party
    person: FoundPerson


@dataclass(frozen=True, slots=True, repr=False)
class Ranking:
    """One of several people with one address, likeliest first, with why."""

    person: FoundPerson
    why: tuple[Ranked, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """Somebody has to say who is meant. Empty `rankings`: Salesforce did not tell all, so look again later."""

    party: Party
    rankings: tuple[Ranking, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Match:
    """`targets` in the order of their roles, each person once; `colleagues`: users who stand beside them. `notes`
    counts whom else there was; it names nobody."""

    targets: tuple[Target, ...]
    questions: tuple[Question, ...]
    colleagues: tuple[Target, ...]
    notes: Mapping[Note, int]

    @property
    def asked_ids(self) -> tuple[str, ...]:
        """Of people who could be meant, the likeliest first."""
        return tuple(ranking.person.id for question in self.questions for ranking in question.rankings)

    @property
    def asked_why(self) -> Mapping[str, tuple[Ranked, ...]]:
        """Why of these people one is likelier than another, by id; whoever has no reason is not in it."""
        return {each.person.id: each.why for question in self.questions for each in question.rankings if each.why}

    @property
    def reasons(self) -> tuple[str, ...]:
        """For people, whole sentences."""
        return tuple(say_note(note, count) for note, count in sorted(self.notes.items()))


def addresses_to_ask(candidate: Candidate) -> tuple[str, ...]:
    """Whom Salesforce is asked about, in one call: strangers, and colleagues to stand beside them."""
    return tuple(party.address for party in (*candidate.strangers, *candidate.colleagues))


def match(candidate: Candidate, found: FoundPeople, *, member_id: str, chosen: Collection[str] = ()) -> Match:
    """`found`: by the addresses of `addresses_to_ask`, others beside them or not. `member_id`: the member's Salesforce
    user id. `chosen`: ids of the people that somebody has picked for this message or its conversation, which answers a
    question where one of them is among its people."""
    sorting = _Sorting(candidate.rules, found, member_id, frozenset(each[:_UNIQUE] for each in chosen))
    for party in candidate.strangers:
        sorting.place(party)
    for party in candidate.colleagues:
        sorting.place_user(party)
    sorting.notes[Note.COLLEAGUES] += len(candidate.colleagues)
    sorting.notes[Note.UNREADABLE] += candidate.envelope.unreadable
    sorting.notes[Note.NOT_VISIBLE] += len(set(found.hidden) - {PersonKind.USER})
    return sorting.settled()


def decide_by_match(matched: Match) -> Verdict:
    """One person is enough for the message to be saved; a question beside him is asked all the same."""
    if matched.targets:
        return verdict(Rule.MATCHED)
    if matched.questions:
        return verdict(Rule.SEVERAL_PEOPLE)
    left_out = next((rule for note, rule in _WHY_NOBODY.items() if matched.notes.get(note)), None)
    return verdict(left_out or (Rule.NOBODY_FOUND if matched.notes.get(Note.UNKNOWN) else Rule.ONLY_COLLEAGUES))


class _Sorting:
    """One message's addresses, put one after another to where they belong."""

    def __init__(self, rules: Rules, found: FoundPeople, member_id: str, chosen: frozenset[str]) -> None:
        self.rules, self.found, self.member_id, self.chosen = rules, found, member_id, chosen
        self.notes: Counter[Note] = Counter()
        self.targets: dict[str, Target] = {}
        self.users: dict[str, Target] = {}
        self.open: list[tuple[Party, list[FoundPerson]]] = []

    def place(self, party: Party) -> None:
        known = [person for person in self._all(party) if person.kind is not PersonKind.USER]
        allowed = [person for person in known if self._is_allowed(person)]
        picked = [person for person in allowed if _key(person) in self.chosen]
        if len(picked) == 1:
            self.notes[Note.CHOSEN] += len(allowed) > 1
            self._take(party, picked[0])
        elif known or party.address in self.found.crowded:
            self._place(party, self._likely(allowed))
        else:
            self.place_user(party)

    def _place(self, party: Party, likely: list[FoundPerson]) -> None:
        is_cut = party.address in self.found.crowded
        if len(likely) == 1 and not is_cut:
            self._take(party, likely[0])
        elif likely or is_cut:
            self.notes[Note.CUT if is_cut else Note.AMBIGUOUS] += 1
            self.open.append((party, likely))

    def place_user(self, party: Party) -> None:
        """Who has an address of his own organization, or none in Salesforce but as a user, is a colleague."""
        users = [person for person in self._all(party) if person.kind is PersonKind.USER]
        if len(users) == 1 and _key(users[0]) != self.member_id[:_UNIQUE]:
            self.users.setdefault(_key(users[0]), Target(party, users[0]))
        elif not users and party.domain not in self.rules.own_domains:
            self.notes[Note.UNKNOWN] += 1

    def settled(self) -> Match:
        accounts = Counter(target.person.account_id for target in self.targets.values())
        questions = tuple(Question(party, self._ranked(people, accounts)) for party, people in self.open)
        notes = {note: count for note, count in self.notes.items() if count}
        return Match(tuple(self.targets.values()), questions, tuple(self.users.values()), notes)

    def _all(self, party: Party) -> list[FoundPerson]:
        return list({_key(person): person for person in self.found.people.get(party.address, ())}.values())

    def _likely(self, allowed: list[FoundPerson]) -> list[FoundPerson]:
        """A contact before a lead, who may well be the same person not yet converted."""
        contacts = [person for person in allowed if person.kind is not PersonKind.LEAD]
        if contacts:
            self.notes[Note.LEAD_BEHIND_CONTACT] += len(allowed) - len(contacts)
        return contacts or allowed

    def _is_allowed(self, person: FoundPerson) -> bool:
        if not self._is_on(person.kind):
            self.notes[_OFF[person.kind]] += 1
            return False
        if self.rules.owned_only and person.owner_id[:_UNIQUE] != self.member_id[:_UNIQUE]:
            self.notes[Note.OWNED_BY_OTHERS] += 1
            return False
        return True

    def _is_on(self, kind: PersonKind) -> bool:
        if kind is PersonKind.LEAD:
            return self.rules.with_leads
        return self.rules.with_person_accounts if kind is PersonKind.PERSON_ACCOUNT else self.rules.with_contacts

    def _take(self, party: Party, person: FoundPerson) -> None:
        self.targets.setdefault(_key(person), Target(party, person))

    def _ranked(self, people: Sequence[FoundPerson], accounts: Mapping[str, int]) -> tuple[Ranking, ...]:
        rankings = [Ranking(person, self._why(person, accounts)) for person in people]
        return tuple(sorted(rankings, key=lambda ranking: (-len(ranking.why), _key(ranking.person))))

    def _why(self, person: FoundPerson, accounts: Mapping[str, int]) -> tuple[Ranked, ...]:
        is_yours = bool(person.owner_id) and person.owner_id[:_UNIQUE] == self.member_id[:_UNIQUE]
        why = {Ranked.YOURS: is_yours, Ranked.SAME_ACCOUNT: bool(person.account_id and accounts[person.account_id])}
        return tuple(each for each, holds in why.items() if holds)


def _key(person: FoundPerson) -> str:
    return person.id[:_UNIQUE]
