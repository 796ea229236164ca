"""Forms to create or edit a record, from describe and the person's own rights (C15), and the values that come back."""

from collections.abc import Mapping
from typing import Any

from providers.base import Form, FormField
from providers.errors import Detail, PermissionMissing, Rejected
from providers.salesforce import ids, layout
from providers.salesforce.access import FieldAccess, ObjectRights

#: Field types a plain form can hold. Others are shown in Salesforce only, unless creating requires them.
_EDITABLE = frozenset(
    {
        "string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox", "boolean", "date",
        "datetime", "time", "int", "double", "currency", "percent",
    }
)  # fmt: skip
MOST_VALUES = 200


def create_form(rights: ObjectRights) -> Form:
    if not rights.createable:
        raise PermissionMissing(f"You may not create {rights.label_plural} in Salesforce.", provider="salesforce")
    wanted = [
        *layout.FORM.get(rights.name, ("Name",)),
        *(name for name, each in rights.fields.items() if each.required),
    ]
    fields = [(name, rights.fields[name]) for name in rights.visible(wanted) if rights.fields[name].createable]
    shown = [_form_field(name, each, each.required) for name, each in fields if each.required or each.type in _EDITABLE]
    return Form(rights.name, rights.label, tuple(shown))


def editable_names(rights: ObjectRights) -> list[str]:
    """Fields to ask for when a record is edited; a person account's names are among an Account's."""
    if not rights.updateable:
        raise PermissionMissing(f"You may not edit {rights.label_plural} in Salesforce.", provider="salesforce")
    names = [
        *layout.FORM.get(rights.name, ("Name",)),
        *(layout.PERSON_ACCOUNT_FORM if rights.name == "Account" else ()),
    ]
    return [name for name in rights.visible(names) if _is_editable(rights.fields[name])]


def edit_form(rights: ObjectRights, row: Mapping[str, Any]) -> Form:
    """`row`: the record's present values."""
    names = editable_names(rights)
    if rights.name == "Account":
        wanted = layout.PERSON_ACCOUNT_FORM if row.get("IsPersonAccount") else layout.FORM["Account"]
        names = [name for name in wanted if name in names]
    fields = (_form_field(name, rights.fields[name], _must_stay(rights.fields[name]), row.get(name)) for name in names)
    return Form(rights.name, rights.label, tuple(fields))


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Salesforce's JSON: API names only, scalars only, a list as a multi-select. Raises Rejected.

    Which fields may be written is Salesforce's to say; we send what was asked (C15)."""
    if len(values) > MOST_VALUES:
        raise Rejected("Too many values.", provider="salesforce")
    return {_name(name): _scalar(name, value) for name, value in values.items()}


def _name(name: object) -> str:
    if not ids.is_field_name(name):
        raise _invalid("A field name is not valid.", "")
    return str(name)


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return ";".join(value)
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and abs(value) < 1e300):
        return value
    raise _invalid("A value is not valid.", name)


def _invalid(text: str, name: str) -> Rejected:
    return Rejected(text, provider="salesforce", details=(Detail("INVALID_VALUE", text, (name,) if name else ()),))


def _is_editable(each: FieldAccess) -> bool:
    return each.updateable and each.type in _EDITABLE


def _must_stay(each: FieldAccess) -> bool:
    return not each.nillable and each.type != "boolean"


def _form_field(name: str, each: FieldAccess, required: bool, value: Any = None) -> FormField:
    return FormField(name, each.label, each.type, required, each.length or None, each.picklist, each.help, value)
