"""From query answers to people: who was found for which address, with what is related to them. No calls."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.addresses import base_address, fold
from providers.base import Field, Group, Person, PersonMatch, Record
from providers.salesforce import layout, lookup
from providers.salesforce.access import ObjectAccess, ObjectRights
from providers.salesforce.crowds import Answers, Crowds, Row, is_cut, key_of, rows_of

_CUT = "Salesforce has more matches than are shown here."
_CROWDED_OUT = "Too many people share an address beside this one to show everybody; search Salesforce instead."


class Deck:
    """Reads one lookup's answers. `page_url` is the origin that record links get."""

    def __init__(self, access: ObjectAccess, answers: Answers, page_url: str, notes: Sequence[str]) -> None:
        self._access = access
        self._page_url = page_url
        self._notes = tuple(notes)
        self._creatable = tuple(name for name in layout.CREATABLE if _may_create(access, name))
        self._accounts: dict[str, Row] = {}
        self._first = self._again = self._read(answers)
        self._asked_again: frozenset[str] = frozenset()

    def to_ask_again(self, keys: Sequence[str]) -> list[str]:
        """Of the addresses asked for, those that a crowd may have kept out; none unless an answer was cut."""
        crowd = self._first.crowds.crowd()
        return [key for key in keys if key not in crowd] if crowd else []

    def read_again(self, answers: Answers, keys: Sequence[str]) -> None:
        """Take what Salesforce says of `keys`, asked without the crowd, in place of what it said first."""
        self._again, self._asked_again = self._read(answers), frozenset(keys)

    def match(self, address: str) -> PersonMatch:
        """Everybody found under the address itself, then under the address without its plus-tag."""
        found = [(key, self._reading(key)) for key in dict.fromkeys([fold(address), fold(base_address(address))])]
        people = tuple(person for key, reading in found for person in reading.people.get(key, ()))
        related = () if people else tuple(lookup.related_notes(self._access))
        is_complete = not any(reading.crowds.crowded_out(key) for key, reading in found)
        cut = _CUT if is_complete else _CROWDED_OUT
        notes = [note for note in self._notes if note not in related] + [*self._hidden(people)]
        notes += [cut] if any(reading.crowds.cut for _, reading in found) else []
        return PersonMatch(address, people, tuple(notes), self._creatable, is_complete)

    def _reading(self, key: str) -> "_Reading":
        return self._again if key in self._asked_again else self._first

    def _read(self, answers: Answers) -> "_Reading":
        self._accounts.update((row["Id"], row) for row in rows_of(answers.get("accounts")))
        people: dict[str, list[Person]] = {}
        for row in rows_of(answers.get("contacts")):
            people.setdefault(key_of(row), []).append(self._contact(row))
        for row in rows_of(answers.get("leads")):
            people.setdefault(key_of(row), []).append(self._lead(row))
        return _Reading(people, Crowds(answers))

    def _hidden(self, people: Iterable[Person]) -> Iterable[str]:
        for name in dict.fromkeys("Lead" if person.kind == "Lead" else "Contact" for person in people):
            note = lookup.hidden_fields_note(self._access.objects[name])
            if note:
                yield note

    def _contact(self, row: Row) -> Person:
        if row.get("IsPersonAccount") and row.get("AccountId"):
            return self._person_account(row)
        rights = self._access.objects["Contact"]
        record = self._record(rights, row, layout.CARD["Contact"])
        groups = [self._account(row), *self._business(row), self._activities(row)]
        return Person(record, "Contact", rights.updateable, _present(groups))

    def _person_account(self, row: Row) -> Person:
        """Salesforce keeps a person account as Account and Contact in one; it is opened and edited as the Account."""
        contact, account = self._access.objects["Contact"], self._access.get("Account")
        fields = tuple(
            _field(contact, name, row[name], layout.PERSON_ACCOUNT_NAMES.get(name, name), account)
            for name in contact.visible(layout.CARD["Contact"])
            if row.get(name) is not None
        )
        record = Record("Account", row["AccountId"], _name(row, "Contact"), self._url(row["AccountId"]), fields)
        groups = [*self._business(row), self._activities(row)]
        return Person(record, "PersonAccount", bool(account and account.updateable), _present(groups))

    def _lead(self, row: Row) -> Person:
        rights = self._access.objects["Lead"]
        record = self._record(rights, row, layout.CARD["Lead"])
        return Person(record, "Lead", rights.updateable, _present([self._activities(row)]))

    def _account(self, row: Row) -> Group | None:
        rights, parent = self._access.get("Account"), row.get("Account")
        if rights is None or not parent:
            return None
        account = {**parent, "Id": row["AccountId"]}
        return Group("Account", rights.label, (self._record(rights, account, layout.CARD["Account"]),))

    def _business(self, row: Row) -> list[Group | None]:
        account = self._accounts.get(str(row.get("AccountId")), {})
        return [
            self._related("Opportunity", [account.get("Opportunities")]),
            self._related("Case", [row.get("Cases"), account.get("Cases")]),
        ]

    def _related(self, name: str, parts: Sequence[Any]) -> Group | None:
        rights = self._access.get(name)
        rows = {row["Id"]: row for part in parts for row in rows_of(part)}
        if rights is None or not rows:
            return None
        ordered = sorted(rows.values(), key=lambda row: bool(row.get("IsClosed")))  # stable: open ones first
        shown = tuple(self._record(rights, row, layout.CARD[name]) for row in ordered[: lookup.SHOWN])
        return Group(name, rights.label_plural, shown, len(rows) > lookup.SHOWN or any(map(is_cut, parts)))

    def _activities(self, row: Row) -> Group | None:
        """Tasks and events as one list, the latest first."""
        found = [
            (_when(each), name, each)
            for name, part in (("Task", "Tasks"), ("Event", "Events"))
            for each in rows_of(row.get(part))
        ]
        found.sort(key=lambda entry: entry[0], reverse=True)
        records = tuple(
            self._record(self._access.objects[name], each, layout.CARD[name]) for _, name, each in found[: lookup.SHOWN]
        )
        cut = len(found) > lookup.SHOWN or any(is_cut(row.get(part)) for part in ("Tasks", "Events"))
        return Group("Activity", "Activities", records, cut) if records else None

    def _record(self, rights: ObjectRights, row: Row, names: Sequence[str]) -> Record:
        fields = tuple(_field(rights, name, row[name]) for name in rights.visible(names) if row.get(name) is not None)
        return Record(rights.name, row["Id"], _name(row, rights.name), self._url(row["Id"]), fields, rights.label)

    def _url(self, record_id: str) -> str:
        return f"{self._page_url}/{record_id}"


@dataclass(frozen=True, slots=True)
class _Reading:
    """One call's people by folded address."""

    people: Mapping[str, Sequence[Person]]
    crowds: Crowds


def found_record(rights: ObjectRights, row: Row, names: Sequence[str], page_url: str) -> Record:
    """One search hit as a Record."""
    fields = tuple(_field(rights, name, row[name]) for name in rights.visible(names) if row.get(name) is not None)
    return Record(rights.name, row["Id"], _name(row, rights.name), f"{page_url}/{row['Id']}", fields, rights.label)


def _field(rights: ObjectRights, name: str, value: Any, as_name: str = "", owner: ObjectRights | None = None) -> Field:
    """`as_name` and `owner`: where the field is edited, if that is another object (person accounts)."""
    each = rights.fields[name]
    where = owner if as_name and owner else rights
    target = where.fields.get(as_name or name)
    return Field(as_name or name, each.label, value, each.type, bool(target and target.updateable and where.updateable))


def _name(row: Row, object_name: str) -> str:
    return next((str(row[name]) for name in layout.names_of(object_name) if row.get(name)), "")


def _when(row: Row) -> str:
    return str(row.get("StartDateTime") or row.get("ActivityDate") or "")


def _may_create(access: ObjectAccess, name: str) -> bool:
    rights = access.get(name)
    return rights is not None and rights.createable


def _present(groups: Iterable[Group | None]) -> tuple[Group, ...]:
    return tuple(group for group in groups if group is not None)
