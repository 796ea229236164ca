"""Create, update, delete and upsert as one user: rights, field-level security, types, validation, duplicates."""

from datetime import UTC, datetime
from typing import Any

from simulators.salesforce import files, junctions, rules
from simulators.salesforce.automation import after_save, before_save
from simulators.salesforce.errors import ApiError, not_found
from simulators.salesforce.fieldvalues import checked
from simulators.salesforce.ids import full_id
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row

Values = dict[str, Any]


def find_kind(access: Access, name: str) -> ObjectType:
    """The object type, or 404 where it does not exist for this user."""
    kind = access.store.schema.get(name)
    if kind is None or not access.reads(kind):
        raise not_found()
    return kind


def find_row(access: Access, kind: ObjectType, record_id: str) -> Row:
    """A living record this user sees. A deleted one says so; one that is not shared looks as if it were not there."""
    whole = full_id(record_id)
    row = access.store.tables[kind.name].rows.get(whole) if whole else None
    if whole is None:
        raise not_found(f"Provided external ID field does not exist or is not accessible: {record_id}")
    if row is None or not access.sees(kind, row):
        raise not_found()
    if row.get("IsDeleted"):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", [])
    return row


def create(access: Access, kind: ObjectType, values: Values, allow_duplicates: bool = False) -> str:
    """Store a new record; its id."""
    if "c" not in access.rights(kind.name) or not kind.has("c"):
        raise ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {kind.label}", [])
    lists, values = junctions.taken(access, kind, values)
    blob, values = files.taken(values) if kind.name == "ContentVersion" else ({}, values)
    given = _checked_values(access, kind, values, creating=True)
    row: Row = {**_defaults(kind), "IsDeleted": False, "OwnerId": access.user.id, **given, **blob}
    if not kind.field("OwnerId"):
        del row["OwnerId"]
    _require(kind, row)
    _validate(kind, row)
    rules.before_create(access, kind, row, lists)
    _refuse_taken(access, kind, row)
    if not allow_duplicates:
        _refuse_duplicates(access, kind, row)
    now = stamp(datetime.now(UTC))
    row["Id"] = access.store.new_id(kind.name)
    row |= {"CreatedDate": now, "CreatedById": access.user.id}
    _save(access, kind, row, None, now)
    rules.after_create(access, kind, row, lists)
    return str(row["Id"])


def update(access: Access, kind: ObjectType, row: Row, values: Values) -> None:
    if "u" not in access.rights(kind.name) or not kind.has("u") or not access.changes(kind, row):
        raise insufficient()
    given = _checked_values(access, kind, values, creating=False)
    rules.before_update(kind, row, given)
    changed = {**row, **given}
    _require(kind, changed)
    _validate(kind, changed)
    _refuse_taken(access, kind, changed)
    _save(access, kind, changed, row, stamp(datetime.now(UTC)))


def delete(access: Access, kind: ObjectType, row: Row) -> None:
    if "d" not in access.rights(kind.name) or not kind.has("d") or not access.changes(kind, row):
        raise insufficient()
    now = stamp(datetime.now(UTC))
    store = access.store
    gone = {**row, "IsDeleted": True, "SystemModstamp": now, "LastModifiedDate": now}
    store.put(kind.name, gone)
    rules.after_delete(access, kind, gone)
    if kind.name == "Account" and row.get("PersonContactId"):
        contact = store.tables["Contact"].rows[row["PersonContactId"]]
        store.put("Contact", {**contact, "IsDeleted": True, "SystemModstamp": now})


def upsert(access: Access, kind: ObjectType, field_name: str, key: str, values: Values) -> tuple[str, bool]:
    """Create or update by external id (or by Id); returns the id and whether it was created. 300 on several."""
    each = kind.field(field_name)
    if each is None or not access.shows(kind, each) or not (each.has("x") or each.has("i")):
        raise not_found(f"Provided external ID field does not exist or is not accessible: {field_name}")
    if each.name in values or any(name.lower() == each.name.lower() for name in values):
        raise ApiError(
            400, "INVALID_FIELD", f"The {each.name} field should not be specified in the sobject data.", [each.name]
        )
    found = matching(access, kind, each, key)
    if found:
        update(access, kind, found, values)
        return str(found["Id"]), False
    if each.type == "id":
        raise not_found()
    return create(access, kind, {**values, each.name: key}), True


def matching(access: Access, kind: ObjectType, each: FieldType, key: str) -> Row | None:
    """The one living record with this key. SeveralError: HTTP 300, and the body is a list of their URLs."""
    table = access.store.tables[kind.name]
    wanted = full_id(key) if each.type == "id" else key
    ids = [i for i in table.where(each.name, wanted) if not table.rows[i].get("IsDeleted")]
    rows = [table.rows[i] for i in ids if access.sees(kind, table.rows[i])]
    if len(rows) > 1:
        raise SeveralError([f"/sobjects/{kind.name}/{row['Id']}" for row in rows])
    return rows[0] if rows else None


class SeveralError(Exception):
    """An external id that matches more than one record; `paths` below the version's base."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(paths)
        self.paths = paths


def insufficient() -> ApiError:
    return ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", [])


def _defaults(kind: ObjectType) -> Row:
    return {f.name: pick.value for f in kind.fields.values() for pick in f.picks if pick.default and f.has("d")}


def _checked_values(access: Access, kind: ObjectType, values: Values, creating: bool) -> Values:
    out: Values = {}
    refused = []
    for name, value in values.items():
        if name == "attributes":
            continue
        each = kind.field(name)
        if each is None and name.lower() in kind.relationships:
            link = kind.relationships[name.lower()]
            out[link.name] = _by_foreign_key(access, link, value)
            continue
        if each is None or not access.shows(kind, each):
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}", [name])
        if not access.edits(kind, each, creating):
            refused.append(each.name)
            continue
        out[each.name] = checked(access, each, value)
    if refused:
        raise ApiError(
            400,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set.",
            refused,
        )
    return out


def _by_foreign_key(access: Access, link: FieldType, value: Any) -> str | None:
    """`{"Account": {"External_Id__c": "x"}}`: the parent named by its external id."""
    target = access.store.schema.get(link.refers_to[0])
    keys = {k: v for k, v in value.items() if k != "attributes"} if isinstance(value, dict) else {}
    each = target.field(next(iter(keys))) if target and len(keys) == 1 else None
    if target is None or each is None or not (each.has("x") or each.has("i")):
        raise ApiError(400, "INVALID_FIELD", f"Foreign key external ID not found for {link.relationship}", [])
    key = str(next(iter(keys.values())))
    found = matching(access, target, each, key)
    if found is None:
        raise ApiError(
            400,
            "INVALID_FIELD",
            f"Foreign key external ID: {key} not found for field {each.name} in entity {target.name}",
            [],
        )
    return str(found["Id"])


def _require(kind: ObjectType, row: Row) -> None:
    if kind.name == "Account" and row.get("LastName"):
        return  # a person account: its name is made of the parts
    missing = [f.name for f in kind.fields.values() if f.required and row.get(f.name) in (None, "")]
    if missing:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)


def _validate(kind: ObjectType, row: Row) -> None:
    """The validation rules that the administrators of these orgs have set up."""
    if kind.name in ("Contact", "Lead") and "http" in str(row.get("Title") or "").lower():
        raise _rule("Please enter a job title, not a web address.", "Title")
    if kind.name == "Contact" and (row.get("Birthdate") or "") > datetime.now(UTC).date().isoformat():
        raise _rule("The birthdate cannot lie in the future.", "Birthdate")
    if kind.name == "Opportunity" and (row.get("Amount") or 0) < 0:
        raise _rule("The amount must not be negative.", "Amount")


def _rule(message: str, field_name: str) -> ApiError:
    return ApiError(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", message, [field_name])


def _refuse_taken(access: Access, kind: ObjectType, row: Row) -> None:
    table = access.store.tables[kind.name]
    for each in kind.fields.values():
        value = row.get(each.name) if each.has("q") else None
        for other in table.where(each.name, value) if value else ():
            if other != row.get("Id") and not table.rows[other].get("IsDeleted"):
                raise ApiError(
                    400,
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {each.name} duplicates value on record with id: {other[:15]}",
                    [],
                )


def _refuse_duplicates(access: Access, kind: ObjectType, row: Row) -> None:
    """The standard duplicate rules: same address and same last name among contacts, or among leads."""
    if kind.name not in ("Contact", "Lead") or not row.get("Email"):
        return
    table = access.store.tables[kind.name]
    same = [
        i
        for i in table.where("Email", row["Email"])
        if not (r := table.rows[i]).get("IsDeleted") and (r.get("LastName") or "").lower() == row["LastName"].lower()
    ]
    if same:
        raise ApiError(400, "DUPLICATES_DETECTED", "Use one of these records?", duplicateResut=_duplicates(kind, same))


def _duplicates(kind: ObjectType, ids: list[str]) -> dict[str, Any]:
    """`duplicateResut` is how the REST API spells the member it is put under."""
    rule = f"Standard_{kind.name}_Duplicate_Rule"
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": kind.name, "url": f"/sobjects/{kind.name}/{i}"}, "Id": i},
        }
        for i in ids
    ]
    return {
        "allowSave": True,
        "duplicateRule": rule,
        "duplicateRuleEntityType": kind.name,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": kind.name,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": records,
                "rule": f"Standard_{kind.name}_Match_Rule_v1_1",
                "size": len(ids),
                "success": True,
            }
        ],
    }


def _save(access: Access, kind: ObjectType, row: Row, old: Row | None, now: str) -> None:
    row |= {"LastModifiedDate": now, "SystemModstamp": now, "LastModifiedById": access.user.id}
    before_save(access.store, kind.name, row, old)
    access.store.put(kind.name, row)
    after_save(access.store, kind.name, row)
