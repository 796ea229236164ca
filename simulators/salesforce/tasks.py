"""What Salesforce keeps to about the people of a task: one lead, or up to fifty contacts with Shared Activities.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_taskrelation.htm"""

from simulators.salesforce.junctions import Lists
from simulators.salesforce.profiles import Access
from simulators.salesforce.records import add_record, refuse
from simulators.salesforce.store import Row

MOST_CONTACTS = 50
_SHARED = "TaskRelation"


def before_create(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001 - all rules are called alike
    people = lists.get("TaskWhoIds", [])
    if people:
        row["WhoId"] = row.get("WhoId") or people[0]
    _refuse_mixture([*people, row["WhoId"]] if row.get("WhoId") else people)
    if row.get("WhatId") and str(row.get("WhoId")).startswith("00Q"):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "A task of a lead cannot be related to another record", "WhatId")


def after_create(access: Access, row: Row, lists: Lists) -> None:
    if _SHARED in access.store.absent:
        return
    people = dict.fromkeys([row.get("WhoId"), *lists.get("TaskWhoIds", ())])
    for person_id in filter(None, people):
        _stand_beside(access, row["Id"], str(person_id))


def before_relation(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    if row.get("IsWhat"):
        return
    there = [each["RelationId"] for each in relations_of(access, row["TaskId"]) if not each.get("IsWhat")]
    if row["RelationId"] in there:
        raise refuse("DUPLICATE_VALUE", "duplicate value found: RelationId duplicates value on record", "RelationId")
    _refuse_mixture([*there, row["RelationId"]])


def after_relation(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    task = access.store.get(row["TaskId"]) or {}
    if not row.get("IsWhat") and not task.get("WhoId"):
        access.store.put("Task", {**task, "WhoId": row["RelationId"]})


def relations_of(access: Access, task_id: str) -> list[Row]:
    table = access.store.tables["TaskRelation"]
    return [row for i in table.where("TaskId", task_id) if not (row := table.rows[i]).get("IsDeleted")]


def _refuse_mixture(people: list[str]) -> None:
    contacts = {each for each in people if each.startswith("003")}
    leads = {each for each in people if each.startswith("00Q")}
    if len(leads) > 1 or (leads and contacts):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "A task can be related to one lead or to contacts, not both", "WhoId")
    if len(contacts) > MOST_CONTACTS:
        raise refuse("LIMIT_EXCEEDED", f"A task can be related to {MOST_CONTACTS} contacts", "TaskWhoIds")


def _stand_beside(access: Access, task_id: str, person_id: str) -> None:
    person = access.store.get(person_id) or {}
    shared = {"TaskId": task_id, "RelationId": person_id, "AccountId": person.get("AccountId")}
    add_record(access, "TaskRelation", {**shared, "IsWhat": False})
    add_record(access, "TaskWhoRelation", {**shared, "Type": "Lead" if person_id.startswith("00Q") else "Contact"})
