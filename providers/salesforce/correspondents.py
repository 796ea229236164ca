"""Who is behind the addresses of mails, by ids only: contacts, leads and users with exactly these addresses. And, in
the same calls, which of the mails are there already."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from providers.activities import Copy, FoundPeople, FoundPerson, PersonKind
from providers.addresses import fold
from providers.salesforce import copies, failures, soql
from providers.salesforce.access import ObjectAccess
from providers.salesforce.lookup import LONGEST_PART
from providers.salesforce.lookups import MOST_QUERIES
from providers.salesforce.transport import Wire

log = logging.getLogger("sidebar.providers")

MOST_ADDRESSES = 100
#: Rows of one page of a query's answer.
MOST_ROWS = 2000
_MAILS = "mails"
_KINDS = {"contacts": PersonKind.CONTACT, "leads": PersonKind.LEAD, "users": PersonKind.USER}


def find(wire: Wire, access: ObjectAccess, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
    """Raises from providers.errors. One call, but for more than MOST_ADDRESSES, very long ones, or a crowd."""
    asked = {fold(address): address for address in addresses if address and soql.is_sayable(address)}
    keys = list(asked)
    parts = [keys[start : start + MOST_ADDRESSES] for start in range(0, len(keys), MOST_ADDRESSES)]
    found = _Found(asked, message_ids, copies.queries(access, message_ids))
    for part in parts:
        _ask(wire, access, part, found)
    while found.unasked:
        _answers(wire, {}, found)
    return found.people()


class _Found:
    """`unasked`: queries for mails, which go along where there is room for them."""

    def __init__(self, asked: Mapping[str, str], message_ids: Sequence[str], unasked: list[str]) -> None:
        self._asked, self._message_ids, self.unasked = asked, message_ids, unasked
        self._copies: dict[str, list[Copy]] = {}
        self._people: dict[str, dict[str, FoundPerson]] = {}
        self.crowded: set[str] = set()
        self.hidden: set[PersonKind] = set()

    def take(self, kind: PersonKind, row: Mapping[str, Any]) -> None:
        key = fold(str(row.get("Email") or ""))
        if key not in self._asked:  # Salesforce compares more loosely than an address allows
            return
        is_account = kind is PersonKind.CONTACT and row.get("IsPersonAccount") is True
        person = FoundPerson(
            id=str(row["Id"]),
            kind=PersonKind.PERSON_ACCOUNT if is_account else kind,
            address=self._asked[key],
            owner_id=str(row.get("OwnerId") or ""),
            account_id=str(row.get("AccountId") or ""),
        )
        self._people.setdefault(person.address, {})[person.id] = person

    def take_mails(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for message_id, found in copies.taken(rows, self._message_ids).items():
            self._copies.setdefault(message_id, []).extend(found)

    def along(self, room: int) -> dict[str, str]:
        """As many of the queries for mails as there is room for, by their names in one call."""
        going, self.unasked = self.unasked[:room], self.unasked[room:]
        return {f"{_MAILS}{n}": query for n, query in enumerate(going)}

    def people(self) -> FoundPeople:
        there = {message_id: tuple(found) for message_id, found in self._copies.items()}
        people = {address: tuple(found.values()) for address, found in self._people.items()}
        crowded = frozenset(self._asked[key] for key in self.crowded)
        return FoundPeople(people, crowded, tuple(sorted(self.hidden)), there)


def _ask(wire: Wire, access: ObjectAccess, keys: Sequence[str], found: _Found) -> None:
    queries = {name: query for name, query in _queries(access, keys).items() if query}
    found.hidden |= {kind for name, kind in _KINDS.items() if name not in queries}
    if len(keys) > 1 and any(len(soql.query_resource(query)) > LONGEST_PART for query in queries.values()):
        _ask_halves(wire, access, keys, found)
        return
    answers = _answers(wire, queries, found)
    if len(keys) > 1 and any(_is_cut(answer) for answer in answers.values()):
        _ask_halves(wire, access, keys, found)  # until the crowd stands alone under its own address
        return
    for name, answer in answers.items():
        found.crowded |= set(keys) if _is_cut(answer) else set()
        for row in answer["records"]:
            found.take(_KINDS[name], row)


def _ask_halves(wire: Wire, access: ObjectAccess, keys: Sequence[str], found: _Found) -> None:
    half = len(keys) // 2
    _ask(wire, access, keys[:half], found)
    _ask(wire, access, keys[half:], found)


def _answers(wire: Wire, queries: Mapping[str, str], found: _Found) -> dict[str, Mapping[str, Any]]:
    """Of the people; what comes of the mails is taken at once."""
    going = {**queries, **found.along(MOST_QUERIES - len(queries))}
    parts = [
        {"method": "GET", "url": wire.path(soql.query_resource(query)), "referenceId": name}
        for name, query in going.items()
    ]
    answers: dict[str, Mapping[str, Any]] = {}
    for name, (status, body) in (wire.composite(parts) if parts else {}).items():
        if status == 200:
            answer = wire.call(lambda _, body=body: _checked(body), is_write=False)  # type: ignore[misc]
            if name in queries:
                answers[name] = answer
            else:
                found.take_mails(answer["records"])
        elif name not in queries:  # what Salesforce will not say about mails keeps none of them out
            log.info(
                "Salesforce does not tell which mails are there: %s", [each.code for each in failures.details_of(body)]
            )
        elif name == "users" and failures.is_stale(status, body):
            found.hidden.add(PersonKind.USER)  # users of a partner community do not see colleagues
        else:
            raise failures.failure_of(status, body, is_write=False)
    return answers


def _checked(body: Any) -> Mapping[str, Any]:
    """A nonsense answer must not pass for "nobody found"; raises what `Wire.call` understands."""
    if not isinstance(body["records"], list) or not all(row["Id"] for row in body["records"]):
        raise ValueError("not an answer to a query")
    checked: Mapping[str, Any] = body
    return checked


def _is_cut(answer: Mapping[str, Any]) -> bool:
    return answer.get("done") is not True or len(answer["records"]) >= MOST_ROWS


def _queries(access: ObjectAccess, keys: Sequence[str]) -> dict[str, str]:
    """Owners are not subject to field-level security, so they are always asked for."""
    wanted = f"Email IN {soql.literals(keys)}"
    return {
        "contacts": _query(access, "Contact", ["Id", "Email", "OwnerId", "AccountId", "IsPersonAccount"], wanted),
        "leads": _query(access, "Lead", ["Id", "Email", "OwnerId"], f"{wanted} AND IsConverted = false"),
        "users": soql.select("User", ["Id", "Email"], where=f"{wanted} AND IsActive = true", limit=MOST_ROWS),
    }


def _query(access: ObjectAccess, name: str, fields: Sequence[str], where: str) -> str:
    rights = access.queryable(name)
    if rights is None or "Email" not in rights.fields:
        return ""
    seen = [each for each in fields if each == "OwnerId" or each in rights.fields]
    return soql.select(name, seen, where=where, limit=MOST_ROWS)
