"""Who stands on a mail that is filed already, and taking it back. What is there is looked at first, so that doing it
twice does it once."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from providers.activities import Correspondent, Logged
from providers.errors import PermissionMissing
from providers.salesforce import graphs, ids, layout, lookups, siblings, soql
from providers.salesforce.email_values import mark_of
from providers.salesforce.filing import EMAIL, MOST_ON_EMAIL, TASK, Ways
from providers.salesforce.transport import Wire

#: Relations of one mail that are read.
_MOST_ROWS = 500
#: What a file's key stands in.
_KEYED_BY = (layout.KEY_FIELD, "Description")
_PLACES = {EMAIL: ("EmailMessageRelation", "EmailMessageId"), TASK: ("TaskRelation", "TaskId")}


def add(wire: Wire, ways: Ways, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
    """One call to look, one to write all of them or none; both again where a colleague was quicker with one of them,
    and one more look where Salesforce would not say so (at emails). Returns whom there is no place for."""
    left_out, is_done = _added(wire, ways, logged, people)
    return left_out if is_done else _added(wire, ways, logged, people)[0]


def _added(wire: Wire, ways: Ways, logged: Logged, people: Sequence[Correspondent]) -> tuple[tuple[str, ...], bool]:
    """Whom there is no place for; and False where somebody of them stands there by now, so that nobody was added."""
    there = _standing(wire, ways, logged)
    new = {each.person_id: each for each in people if each.person_id and each.person_id not in there}
    if logged.object == TASK:
        new = {person: each for person, each in new.items() if not person.startswith("005")}
    placed = _placed(ways, logged, there, list(new))
    left_out = tuple(person for person in new if person not in placed)
    nodes = [_node(wire, logged, new[person], number) for number, person in enumerate(placed)]
    if nodes:
        (outcome,) = graphs.carry_out(wire, [nodes])
        if outcome.is_duplicate():
            return left_out, False
        made = outcome.made()
        if logged.object == EMAIL:
            _leave_first(wire, ways, logged, set(made.values()))
    return left_out, True


def _leave_first(wire: Wire, ways: Ways, logged: Logged, mine: Collection[str]) -> None:
    """Whoever has put somebody on an email second takes that back."""
    first: dict[str, str] = {}
    rows = sorted(_related(wire, ways, logged), key=lambda row: str(row["Id"]))
    for row in rows:
        first.setdefault(row["RelationId"], row["Id"])
    second = [row["Id"] for row in rows if row["Id"] in mine and row["Id"] != first[row["RelationId"]]]
    lookups.delete_each(wire, [f"{_PLACES[EMAIL][0]}/{each}" for each in second])


def _placed(ways: Ways, logged: Logged, there: set[str], new: Sequence[str]) -> list[str]:
    """A task takes no lead beside contacts, nor anybody at all without Shared Activities."""
    if logged.object == EMAIL:
        return list(new)[: MOST_ON_EMAIL - len(there)]
    if not ways.has_shared_activities or any(person.startswith("00Q") for person in there):
        return []
    contacts = [person for person in new if person.startswith("003")]
    return contacts[: max(0, ways.most_contacts() - len(there))]


def _node(wire: Wire, logged: Logged, each: Correspondent, number: int) -> graphs.Node:
    name, parent = _PLACES[logged.object]
    values: dict[str, Any] = {parent: logged.id, "RelationId": each.person_id}
    values |= {"RelationType": each.role.value} if logged.object == EMAIL else {"IsWhat": False}
    return graphs.post(wire, f"r{number}", name, values)


def _standing(wire: Wire, ways: Ways, logged: Logged) -> set[str]:
    if logged.object == TASK and not ways.has_shared_activities:  # its one person stands in a field of its own
        query = soql.select(TASK, ["WhoId"], where=f"Id = {soql.literal(ids.record_id(logged.id))}", limit=1)
        return {str(row["WhoId"]) for row in lookups.rows_of(wire, {"task": query})["task"] if row["WhoId"]}
    return {row["RelationId"] for row in _related(wire, ways, logged)}


def _related(wire: Wire, ways: Ways, logged: Logged) -> Sequence[Mapping[str, Any]]:
    name, parent = _PLACES[logged.object]
    if not ways.rights[name].queryable:
        return []
    where = f"{parent} = {soql.literal(ids.record_id(logged.id))}"
    query = soql.select(name, ["Id", "RelationId"], where=where, limit=_MOST_ROWS)
    return [row for row in lookups.rows_of(wire, {"related": query})["related"] if row.get("RelationId")]


def unlink(wire: Wire, ways: Ways, logged: Logged, person_id: str) -> None:
    """His relation; for the one whom a task stands under without Shared Activities, or a lead's own task, that."""
    person = ids.record_id(person_id)
    name = _PLACES[logged.object][0]
    rows = _related(wire, ways, logged)
    lookups.delete_each(wire, [f"{name}/{row['Id']}" for row in rows if row["RelationId"] == person])
    if logged.object == TASK:
        _leave_task(wire, logged, person)


def _leave_task(wire: Wire, logged: Logged, person: str) -> None:
    tasks = soql.literals(ids.record_id(each) for each in (logged.id, *logged.others))
    query = soql.select(TASK, ["Id"], where=f"Id IN {tasks} AND WhoId = {soql.literal(person)}", limit=_MOST_ROWS)
    found = [str(row["Id"]) for row in lookups.rows_of(wire, {"tasks": query})["tasks"]]
    lookups.delete_each(wire, [f"{TASK}/{each}" for each in found if each in logged.others])
    nodes = [graphs.patch(wire, "task", f"{TASK}/{each}", {"WhoId": None}) for each in found if each == logged.id]
    if nodes:
        (outcome,) = graphs.carry_out(wire, [nodes])
        outcome.made()


def delete(wire: Wire, ways: Ways, logged: Logged, key: str) -> None:
    """The files that came with it, the task that Salesforce made for it, itself, and what holds its key. Each may be
    gone already; the mail goes last but for its key, since it leads to the others. Its key goes once nothing is left:
    a mail that stays would else be filed again. `key` "": what `logged` names, and nothing that stands under a key."""
    if logged.id and not ways.rights[logged.object].deletable:
        raise PermissionMissing("You may not delete mails or tasks in Salesforce.", provider="salesforce")
    found = _beside(wire, ways, logged) if logged.id else []
    if key and logged.object == TASK and logged.id and not logged.others:
        found += siblings.of(wire, ways, logged.id, key)
    itself = [f"{logged.object}/{each}" for each in (*logged.others, logged.id) if each]
    rows = [lookups.ledger_row(each) for each in siblings.keys(wire, key)] if ways.has_ledger and key else []
    lookups.delete_each(wire, [*found, *itself])
    lookups.delete_each(wire, rows)


def _beside(wire: Wire, ways: Ways, logged: Logged) -> list[str]:
    record = soql.literal(ids.record_id(logged.id))
    queries = {}
    if ways.rights["ContentVersion"].queryable:
        where = f"FirstPublishLocationId = {record} AND IsLatest = true"
        fields = ["ContentDocumentId", *ways.rights["ContentVersion"].visible(_KEYED_BY)]
        queries["files"] = soql.select("ContentVersion", fields, where=where, limit=_MOST_ROWS)
    if logged.object == EMAIL:
        queries["mail"] = soql.select(EMAIL, ["ActivityId"], where=f"Id = {record}", limit=1)
    rows = lookups.rows_of(wire, queries) if queries else {}
    files = [f"ContentDocument/{row['ContentDocumentId']}" for row in rows.get("files", []) if _is_ours(row)]
    return files + [f"{TASK}/{row['ActivityId']}" for row in rows.get("mail", []) if row.get("ActivityId")]


def _is_ours(file: Mapping[str, Any]) -> bool:
    """It has a key of ours (`enclosing`); what people have put there themselves is theirs."""
    key, description = (str(file.get(name) or "") for name in _KEYED_BY)
    return bool(key) or description.startswith(mark_of(""))
