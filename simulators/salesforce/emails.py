"""What Salesforce keeps to about EmailMessage and the people on it. Asks no object rights.

https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-emailmessage.html"""

import re
from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.junctions import Lists
from simulators.salesforce.profiles import Access
from simulators.salesforce.records import add_record, refuse
from simulators.salesforce.schema import FieldType
from simulators.salesforce.store import Row

NEW, READ, DRAFT = "0", "1", "5"
_ROLES = {"ToIds": "ToAddress", "CcIds": "CcAddress", "BccIds": "BccAddress"}
_SEPARATORS = re.compile(r"[;,\s]+")


def before_create(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001 - all rules are called alike
    if row.get("ActivityId") and not row.get("ParentId"):
        raise refuse("INSUFFICIENT_ACCESS_OR_READONLY", "ActivityId is set by Salesforce, but for cases", "ActivityId")


def after_create(access: Access, row: Row, lists: Lists) -> None:
    """Relations of those listed and of bare addresses, and the task that stands for the mail in activity histories."""
    for name, role in _ROLES.items():
        for person_id in lists.get(name, ()):
            relate(access, row["Id"], role, person_id)
        for address in filter(None, _SEPARATORS.split(row.get(role) or "")):
            relate(access, row["Id"], role, None, address)
    if not row.get("ParentId") and row.get("Status") != DRAFT:
        task = add_record(access, "Task", _task_of(access, row, lists))
        access.store.put("EmailMessage", {**row, "ActivityId": task["Id"]})


def _task_of(access: Access, row: Row, lists: Lists) -> Row:
    people = [person_id for ids in lists.values() for person_id in ids if not person_id.startswith("005")]
    return {
        "Subject": f"Email: {row.get('Subject') or ''}"[:255],
        "Status": "Completed",
        "Priority": "Normal",
        "TaskSubtype": "Email",
        "ActivityDate": (row.get("MessageDate") or "")[:10] or None,
        "OwnerId": access.user.id,
        "WhoId": next(iter(people), None),
        "WhatId": row.get("RelatedToId"),
        "Description": row.get("TextBody"),
    }


def relate(access: Access, email_id: str, role: str, person_id: str | None, address: str | None = None) -> None:
    values = {"EmailMessageId": email_id, "RelationType": role, "RelationId": person_id, "RelationAddress": address}
    complete_relation(access, values, {})
    add_record(access, "EmailMessageRelation", values)


def complete_relation(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    """https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_emailmessagerelation.htm"""
    person = access.store.get(row.get("RelationId"))
    if person is None and not row.get("RelationAddress"):
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [RelationAddress]", "RelationAddress")
    if person is not None:
        kind = access.store.schema.of_id(person["Id"])
        row["RelationObjectType"] = kind.name if kind else None
        row["RelationAddress"] = row.get("RelationAddress") or person.get("Email")


def after_relation(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    """The first contact or lead on a mail gives its task a name."""
    email = access.store.get(row["EmailMessageId"]) or {}
    task = access.store.get(email.get("ActivityId"))
    if task and not task.get("WhoId") and row.get("RelationObjectType") in ("Contact", "Lead"):
        access.store.put("Task", {**task, "WhoId": row["RelationId"]})


def before_update(old: Row, given: dict[str, Any], fields: dict[str, FieldType]) -> None:
    """Only drafts may be changed; of others custom fields, IsExternallyVisible, and the status from New to Read."""
    if old.get("Status") == DRAFT:
        return
    for name, value in given.items():
        is_read = name == "Status" and (old.get("Status"), value) == (NEW, READ)
        if not (is_read or name == "IsExternallyVisible" or fields[name.lower()].custom):
            raise ApiError(
                400,
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id: the email message is not a draft",
                [name],
            )
