"""Taking a filed mail back as long as nobody has touched it, and standing it with other people. What is there is looked
at first, so that doing it twice does it once; what others have changed is left alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from providers.activities import Logged, Removed, Role
from providers.errors import NotFound
from providers.salesforce import graphs, ids, lookups, relations, siblings, soql
from providers.salesforce.filing import EMAIL, MOST_ON_EMAIL, TASK, Ways
from providers.salesforce.transport import Wire

#: An organization's own flows and triggers change a record while it is made.
_AT_ONCE = timedelta(seconds=10)
#: Salesforce's clock and ours may be so far apart, with what a write takes.
_ABOUT = timedelta(minutes=2)
_STAMPS = ("Id", "CreatedDate", "LastModifiedDate")
_MOST_ROWS = 500
_LEAD = "00Q"

Row = Mapping[str, Any]


def take_back(wire: Wire, ways: Ways, logged: Logged, key: str, known: Sequence[datetime]) -> Removed:
    """Two calls to look, up to four to delete. What is gone already leaves its key, which goes as well."""
    rows = _standing(wire, ways, logged, key)
    if wire.call(lambda _: any(_is_changed(row, known) for row in rows), is_write=False):
        return Removed.CHANGED
    if logged.object == EMAIL:  # tasks beside it
        lookups.delete_each(wire, [f"{TASK}/{each}" for each in logged.others])
        logged = replace(logged, others=())
    relations.delete(wire, ways, logged, key)
    return Removed.DELETED if rows else Removed.GONE


def _standing(wire: Wire, ways: Ways, logged: Logged, key: str) -> list[Row]:
    """The mail and the task that Salesforce made for it; or the tasks that stand for the mail."""
    if logged.object == TASK:
        further = [each.removeprefix(f"{TASK}/") for each in siblings.of(wire, ways, logged.id, key)]
        return _rows(wire, TASK, _STAMPS, f"Id IN {_literals([logged.id, *logged.others, *further])}")
    mails = _rows(wire, EMAIL, (*_STAMPS, "ActivityId"), f"Id IN {_literals([logged.id])}")
    tasks = [str(row["ActivityId"]) for row in mails if row.get("ActivityId")]
    return mails + (_rows(wire, TASK, _STAMPS, f"Id IN {_literals(tasks)}") if tasks else [])


def _is_changed(row: Row, known: Sequence[datetime]) -> bool:
    """By anybody but us. Raises ValueError for what is no time."""
    made, changed = _moment(row["CreatedDate"]), _moment(row["LastModifiedDate"])
    return changed - made > _AT_ONCE and not any(abs(changed - each) <= _ABOUT for each in known)


def _moment(text: object) -> datetime:
    """`2026-03-01T10:00:00.000+0000`, as Salesforce writes it."""
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%f%z")


# -- other people -----------------------------------------------------------------------------------------------------


def move(wire: Wire, ways: Ways, logged: Logged, key: str, off: Sequence[str], onto: Sequence[str]) -> tuple[str, ...]:
    """One or two calls to look, one to write all of it or none. A graph takes DELETE of a record:
    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_graph_introduction.htm

    Raises NotFound where the activity is not there."""
    leaving = {ids.record_id(each)[:15] for each in off} - {ids.record_id(each)[:15] for each in onto}
    coming = [ids.record_id(each) for each in onto]
    if logged.object == EMAIL:
        left_out, nodes = _of_email(wire, ways, logged, leaving, coming)
    else:
        left_out, nodes = _of_tasks(wire, ways, logged, key, leaving, coming)
    if nodes and not left_out:
        (outcome,) = graphs.carry_out(wire, [nodes])
        outcome.made()
    return tuple(left_out)


def _of_email(
    wire: Wire, ways: Ways, logged: Logged, leaving: set[str], coming: list[str]
) -> tuple[list[str], list[graphs.Node]]:
    """Whoever comes takes the place of one who leaves: a sender's, a recipient's."""
    relation = "EmailMessageRelation", "EmailMessageId", "RelationType"
    emails, people = _asked(wire, EMAIL, logged.id, ("Id", "ActivityId"), *relation)
    if not emails:
        raise NotFound("This email is not in Salesforce any more.", provider="salesforce")
    there = {str(row["RelationId"])[:15] for row in people}
    gone = [row for row in people if str(row["RelationId"])[:15] in leaving]
    new = [each for each in coming if each[:15] not in there]
    left_out = new[max(0, MOST_ON_EMAIL - len(there) + len(gone)) :]
    roles = [str(row["RelationType"]) for row in gone]
    nodes = _task_left(wire, ways, emails[0]["ActivityId"], leaving, coming)
    nodes += [_delete(wire, f"e{n}", f"EmailMessageRelation/{row['Id']}") for n, row in enumerate(gone)]
    nodes += [_stand(wire, logged.id, person, n, roles) for n, person in enumerate(new)]
    return left_out, nodes


def _stand(wire: Wire, email_id: str, person: str, number: int, roles: Sequence[str]) -> graphs.Node:
    role = roles[number] if number < len(roles) else Role.TO.value
    values = {"EmailMessageId": email_id, "RelationId": person, "RelationType": role}
    return graphs.post(wire, f"n{number}", "EmailMessageRelation", values)


def _task_left(wire: Wire, ways: Ways, task_id: str | None, leaving: set[str], coming: list[str]) -> list[graphs.Node]:
    """The task that Salesforce made for a mail stands under one of its people; who leaves the mail leaves that, too."""
    task = _task(wire, ways, task_id) if task_id else None
    return _off_task(wire, task, leaving, next(iter(coming), "")) if task else []


def _of_tasks(
    wire: Wire, ways: Ways, logged: Logged, key: str, leaving: set[str], coming: list[str]
) -> tuple[list[str], list[graphs.Node]]:
    """Contacts share the first task; a lead who leaves takes along the one that was his own."""
    task = _task(wire, ways, logged.id)
    if task is None:
        raise NotFound("This activity is not there any more.", provider="salesforce")
    own = _own_tasks(wire, ways, logged, key)
    staying = [each for each in task["people"] if each[:15] not in leaving]
    there = {*(each[:15] for each in staying), *(str(row["WhoId"])[:15] for row in own if row["WhoId"])} - leaving
    new = [each for each in coming if each[:15] not in there]
    is_shared = ways.has_shared_activities
    nodes = [_delete(wire, f"s{n}", f"{TASK}/{row['Id']}") for n, row in enumerate(own) if _is_in(row, leaving)]
    nodes += _off_task(wire, task, leaving, "" if is_shared else next(iter(new), ""))
    values = [{"TaskId": logged.id, "RelationId": person, "IsWhat": False} for person in new]
    nodes += [graphs.post(wire, f"n{n}", "TaskRelation", each) for n, each in enumerate(values) if is_shared]
    return _without_place(ways, staying, new), nodes


def _is_in(row: Row, people: set[str]) -> bool:
    return str(row.get("WhoId"))[:15] in people


def _own_tasks(wire: Wire, ways: Ways, logged: Logged, key: str) -> list[Row]:
    further = [*logged.others, *(each.removeprefix(f"{TASK}/") for each in siblings.of(wire, ways, logged.id, key))]
    return _rows(wire, TASK, ("Id", "WhoId"), f"Id IN {_literals(further)}") if further else []


def _without_place(ways: Ways, staying: Sequence[str], new: Sequence[str]) -> list[str]:
    """A task takes one lead alone, or contacts.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_taskrelation.htm"""
    if not new:
        return []
    leads = [each for each in (*staying, *new) if each.startswith(_LEAD)]
    most = 1 if leads else ways.most_contacts()
    return list(new[max(0, most - len(staying)) :])


def _task(wire: Wire, ways: Ways, task_id: str) -> dict[str, Any] | None:
    """It, its "people", and under "rows" the relation of each that has one. None where it is not seen."""
    if ways.has_shared_activities and ways.rights["TaskRelation"].queryable:
        found, related = _asked(wire, TASK, task_id, ("Id", "WhoId"), "TaskRelation", "TaskId", "IsWhat")
    else:
        found, related = _rows(wire, TASK, ("Id", "WhoId"), f"Id IN {_literals([task_id])}"), []
    if not found:
        return None
    who = str(found[0]["WhoId"] or "")
    rows = {str(row["RelationId"]): str(row["Id"]) for row in related if not row["IsWhat"]}
    return {"id": task_id, "who": who, "rows": rows, "people": list(dict.fromkeys([*filter(None, [who]), *rows]))}


def _off_task(wire: Wire, task: dict[str, Any], leaving: set[str], first: str) -> list[graphs.Node]:
    """`first`: who it stands under next, where that does not follow from its relations."""
    who, rows = task["who"], task["rows"]
    gone = [row for person, row in rows.items() if person[:15] in leaving]
    nodes = [_delete(wire, f"t{n}", f"TaskRelation/{row}") for n, row in enumerate(gone)]
    is_free = who[:15] in leaving if who else bool(first)
    if is_free and (first or who not in rows):
        nodes.append(graphs.patch(wire, "who", f"{TASK}/{ids.record_id(task['id'])}", {"WhoId": first or None}))
    return nodes


def _delete(wire: Wire, reference: str, resource: str) -> graphs.Node:
    return {"method": "DELETE", "url": wire.path(f"sobjects/{resource}"), "referenceId": reference}


def _asked(
    wire: Wire, name: str, record_id: str, fields: Sequence[str], related: str, parent: str, more: str
) -> tuple[list[Row], list[Row]]:
    """A record, where it is there, and the rows that relate people to it."""
    record = soql.literal(ids.record_id(record_id))
    queries = {
        "it": soql.select(name, fields, where=f"Id = {record}", limit=1),
        "people": soql.select(related, ("Id", "RelationId", more), where=f"{parent} = {record}", limit=_MOST_ROWS),
    }
    found = lookups.rows_of(wire, queries)
    return found["it"], [row for row in found["people"] if row.get("RelationId")]


def _rows(wire: Wire, name: str, fields: Sequence[str], where: str) -> list[Row]:
    return lookups.rows_of(wire, {"rows": soql.select(name, fields, where=where, limit=_MOST_ROWS)})["rows"]


def _literals(found: Sequence[str]) -> str:
    return soql.literals(ids.record_id(each) for each in found)
