"""The one-call lookup: which queries to send for a set of addresses, given what this person may see (C55, C56, C57).

Builds queries only; `cards` reads the answers. A hidden field would fail a whole query, so none is ever named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from providers.addresses import base_address, fold
from providers.salesforce import layout, soql
from providers.salesforce.access import ObjectAccess, ObjectRights

MOST_ADDRESSES = 100
MOST_PEOPLE = 200  # rows per query; more is said in a note
SHOWN = 5  # related records of one kind; one more is asked for, to know whether there are others
LONGEST_PART = 15_000  # characters of one part's URL; Salesforce takes 16,384 bytes of URL and headers


@dataclass(frozen=True, slots=True)
class Plan:
    """`queries`: reference -> SOQL, at most 5. `notes`: what the person may not see."""

    queries: dict[str, str]
    notes: tuple[str, ...]

    def fits(self) -> bool:
        return all(len(soql.query_resource(query)) <= LONGEST_PART for query in self.queries.values())


def asked_for(addresses: Iterable[str]) -> list[str]:
    """What to look up: each address, and without its plus-tag; what SOQL cannot carry is left out."""
    wanted: dict[str, None] = {}
    for address in addresses:
        for text in (address, base_address(address)):
            if soql.is_sayable(text):
                wanted.setdefault(fold(text))
    return list(wanted)


def plan(access: ObjectAccess, addresses: Sequence[str]) -> Plan:
    """The queries for `addresses` (from `asked_for`), and the notes."""
    if not addresses:
        return Plan({}, tuple(_notes(access)))
    keys = soql.literals(addresses)
    queries = {"contacts": _contacts(access, keys), "leads": _leads(access, keys), "accounts": _accounts(access, keys)}
    return Plan({name: query for name, query in queries.items() if query}, tuple(_notes(access)))


def searched(access: ObjectAccess) -> list[ObjectRights]:
    """The objects that a free-text search covers, the standard ones first; no more than SOSL takes."""
    found = [
        rights
        for rights in access.objects.values()
        if rights.searchable and rights.queryable and (rights.name in layout.SEARCHED or rights.name.endswith("__c"))
    ]
    found.sort(key=lambda rights: rights.name not in layout.SEARCHED)
    return found[: layout.MOST_SEARCHED]


def contact_columns(access: ObjectAccess) -> list[str]:
    rights = access.objects["Contact"]
    own = rights.visible(["Id", "Name", "Email", "AccountId", "IsPersonAccount", *layout.CARD["Contact"]])
    account = access.queryable("Account")
    if account is None or "AccountId" not in rights.fields:
        return own
    return own + [f"Account.{name}" for name in account.visible(["Id", "Name", *layout.CARD["Account"]])]


def _contacts(access: ObjectAccess, keys: str) -> str:
    rights = access.queryable("Contact")
    if rights is None or "Email" not in rights.fields:
        return ""
    children = [_tasks(access, rights), _events(access, rights), _cases(access, rights)]
    return soql.select(
        "Contact",
        contact_columns(access),
        where=f"Email IN {keys}",
        order=_order(rights, "LastModifiedDate DESC"),
        limit=MOST_PEOPLE,
        children=filter(None, children),
    )


def _leads(access: ObjectAccess, keys: str) -> str:
    rights = access.queryable("Lead")
    if rights is None or "Email" not in rights.fields:
        return ""
    open_only = " AND IsConverted = false" if "IsConverted" in rights.fields else ""
    return soql.select(
        "Lead",
        rights.visible(["Id", "Name", "Email", *layout.CARD["Lead"]]),
        where=f"Email IN {keys}{open_only}",
        order=_order(rights, "LastModifiedDate DESC"),
        limit=MOST_PEOPLE,
        children=filter(None, [_tasks(access, rights), _events(access, rights)]),
    )


def _accounts(access: ObjectAccess, keys: str) -> str:
    """Open opportunities and cases of the accounts of these people, without knowing the accounts yet."""
    account, contact = access.queryable("Account"), access.queryable("Contact")
    if account is None or contact is None or not {"Email", "AccountId"} <= contact.fields.keys():
        return ""
    children = [each for each in (_opportunities(access, account), _cases(access, account)) if each]
    if not children:
        return ""
    people = soql.select("Contact", ["AccountId"], where=f"Email IN {keys}")
    return soql.select("Account", ["Id"], where=f"Id IN ({people})", limit=MOST_PEOPLE, children=children)


def _opportunities(access: ObjectAccess, parent: ObjectRights) -> str:
    rights = access.queryable("Opportunity")
    if rights is None or "Opportunities" not in parent.children or "IsClosed" not in rights.fields:
        return ""
    order = _order(rights, "CloseDate ASC")
    return _child("Opportunities", rights, where="IsClosed = false", order=order)


def _cases(access: ObjectAccess, parent: ObjectRights) -> str:
    rights = access.queryable("Case")
    if rights is None or "Cases" not in parent.children:
        return ""
    return _child("Cases", rights, order=_order(rights, "IsClosed ASC", "CreatedDate DESC"))


def _tasks(access: ObjectAccess, parent: ObjectRights) -> str:
    rights = access.queryable("Task")
    if rights is None or "Tasks" not in parent.children:
        return ""
    return _child("Tasks", rights, order=_order(rights, "ActivityDate DESC NULLS LAST", "LastModifiedDate DESC"))


def _events(access: ObjectAccess, parent: ObjectRights) -> str:
    """Without child events: an invited user's copy would show the same meeting twice (docs/wire.md W14)."""
    rights = access.queryable("Event")
    if rights is None or "Events" not in parent.children:
        return ""
    where = "IsChild = false" if "IsChild" in rights.fields else ""
    return _child("Events", rights, where=where, order=_order(rights, "StartDateTime DESC NULLS LAST"))


def _child(relationship: str, rights: ObjectRights, *, where: str = "", order: str = "") -> str:
    extra = ["IsClosed"] if rights.name == "Case" else []
    columns = rights.visible(["Id", *layout.names_of(rights.name), *layout.CARD[rights.name], *extra])
    return soql.select(relationship, columns, where=where, order=order, limit=SHOWN + 1)


def _order(rights: ObjectRights, *terms: str) -> str:
    return ", ".join(term for term in terms if term.split()[0] in rights.fields)


def _notes(access: ObjectAccess) -> Iterable[str]:
    for name in ("Contact", "Lead"):
        rights = access.queryable(name)
        if rights is None:
            yield _invisible(name)
        elif "Email" not in rights.fields:
            yield f"{rights.label_plural} cannot be found: their email address is not visible to you in Salesforce."
    yield from related_notes(access)


def related_notes(access: ObjectAccess) -> Iterable[str]:
    """On what goes with a person; says nothing to anybody about a person who was not found."""
    return (_invisible(name) for name in layout.OBJECTS[2:] if access.queryable(name) is None)


def _invisible(name: str) -> str:
    return f"{layout.plural(name)} are not visible to you in Salesforce."


def hidden_fields_note(rights: ObjectRights) -> str:
    """One sentence on the card fields this person may not see; empty when there are none."""
    hidden = [layout.words(name) for name in layout.CARD[rights.name] if name not in rights.fields]
    if not hidden:
        return ""
    return f"Not visible to you in Salesforce ({rights.label}): {', '.join(hidden)}."
