"""Which rule is asked when: the objects that keep to more than their fields do. No rule of its own."""

from collections.abc import Callable

from simulators.salesforce import emails, feeds, files, tasks
from simulators.salesforce.junctions import Lists
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import ObjectType
from simulators.salesforce.store import Row

Rule = Callable[[Access, Row, Lists], None]
_BEFORE: dict[str, Rule] = {
    "EmailMessage": emails.before_create,
    "EmailMessageRelation": emails.complete_relation,
    "Task": tasks.before_create,
    "TaskRelation": tasks.before_relation,
    "ContentVersion": files.before_version,
    "ContentDocumentLink": files.before_link,
    "FeedItem": feeds.before_create,
}
_AFTER: dict[str, Rule] = {
    "EmailMessage": emails.after_create,
    "EmailMessageRelation": emails.after_relation,
    "Task": tasks.after_create,
    "TaskRelation": tasks.after_relation,
    "ContentVersion": files.after_version,
}
#: What goes with a deleted record: (object, its field that names the record).
_CASCADES = {
    "EmailMessage": (("EmailMessageRelation", "EmailMessageId"), ("ContentDocumentLink", "LinkedEntityId")),
    "Task": (("TaskRelation", "TaskId"), ("TaskWhoRelation", "TaskId"), ("ContentDocumentLink", "LinkedEntityId")),
    "ContentDocument": (("ContentVersion", "ContentDocumentId"), ("ContentDocumentLink", "ContentDocumentId")),
}


def before_create(access: Access, kind: ObjectType, row: Row, lists: Lists) -> None:
    if kind.name in _BEFORE:
        _BEFORE[kind.name](access, row, lists)


def after_create(access: Access, kind: ObjectType, row: Row, lists: Lists) -> None:
    if kind.name in _AFTER:
        _AFTER[kind.name](access, row, lists)


def before_update(kind: ObjectType, old: Row, given: Row) -> None:
    if kind.name == "EmailMessage":
        emails.before_update(old, given, kind.fields)


def after_delete(access: Access, kind: ObjectType, row: Row) -> None:
    for name, field in _CASCADES.get(kind.name, ()):
        table = access.store.tables[name]
        for other in list(table.where(field, row["Id"])):
            access.store.put(name, {**table.rows[other], "IsDeleted": True, "SystemModstamp": row["SystemModstamp"]})
    if kind.name == "TaskRelation":
        _drop_twin(access, row)


def _drop_twin(access: Access, row: Row) -> None:
    """The same relation as TaskWhoRelation shows it; the task's own name goes to another, or nobody."""
    table = access.store.tables["TaskWhoRelation"]
    for other in list(table.where("TaskId", row["TaskId"])):
        if table.rows[other]["RelationId"] == row["RelationId"]:
            access.store.put("TaskWhoRelation", {**table.rows[other], "IsDeleted": True})
    task = access.store.get(row["TaskId"]) or {}
    if task.get("WhoId") == row["RelationId"]:
        left = [each["RelationId"] for each in tasks.relations_of(access, row["TaskId"]) if not each.get("IsWhat")]
        access.store.put("Task", {**task, "WhoId": next(iter(left), None)})
