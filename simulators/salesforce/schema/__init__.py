"""The objects and fields this Salesforce knows, read from the compact tables beside this file. Holds no records.

A line of a table: `Name | type length | flags | label | > Target,Target as Relationship | @ Compound | = picklist`.
Flags: n nillable, c createable, u updateable, d defaulted on create, s sortable, g groupable, a aggregatable,
f filterable, i idLookup, N name field, p permissionable (FLS can hide it), R restricted picklist, P polymorphic,
x external id, q unique, A auto number, C case-sensitive. A leading `+`: only where person accounts are on.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
TEXTUAL = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "combobox", "id", "reference"})
NUMERIC = frozenset({"int", "double", "currency", "percent"})


@dataclass(frozen=True, slots=True)
class Pick:
    value: str
    label: str
    default: bool


@dataclass(frozen=True, slots=True)
class FieldType:
    name: str
    type: str
    length: int
    precision: int
    scale: int
    digits: int
    flags: str
    label: str
    refers_to: tuple[str, ...] = ()
    relationship: str | None = None
    compound: str | None = None
    picks: tuple[Pick, ...] = ()

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    def has(self, flag: str) -> bool:
        return flag in self.flags

    @property
    def required(self) -> bool:
        """Must be given on create: not nillable, no default, and settable at all."""
        return self.has("c") and not (self.has("n") or self.has("d") or self.type == "boolean")


@dataclass(frozen=True, slots=True)
class Child:
    """A child relationship: `name` on the parent leads to `object` records whose `field` holds the parent's id.
    `lists`: names of the parent's lists of ids (JunctionIdList) that make such records; `listed`: ids of what."""

    name: str
    object: str
    field: str
    lists: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(slots=True)
class ObjectType:
    name: str
    prefix: str
    label: str
    plural: str
    flags: str
    fields: dict[str, FieldType] = field(default_factory=dict)  # by lower-case name
    relationships: dict[str, FieldType] = field(default_factory=dict)  # by lower-case relationship name
    children: dict[str, Child] = field(default_factory=dict)  # by lower-case relationship name

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    def has(self, flag: str) -> bool:
        return flag in self.flags

    def field(self, name: str) -> FieldType | None:
        return self.fields.get(name.lower())

    @property
    def name_field(self) -> FieldType | None:
        return next((f for f in self.fields.values() if f.has("N")), None)


class Schema:
    """All object types of an org; look-ups ignore case, as Salesforce does."""

    def __init__(self, objects: dict[str, ObjectType], person_accounts: bool) -> None:
        self.objects = objects
        self.person_accounts = person_accounts
        self.by_prefix = {o.prefix: o for o in objects.values()}

    def get(self, name: str) -> ObjectType | None:
        return self.objects.get(name.lower())

    def of_id(self, record_id: str) -> ObjectType | None:
        return self.by_prefix.get(record_id[:3])


@cache
def load(person_accounts: bool) -> Schema:
    objects: dict[str, ObjectType] = {}
    for line in _lines("objects"):
        name, prefix, label, plural, flags = line
        objects[name.lower()] = ObjectType(name, prefix, label, plural, flags)
    for each in objects.values():
        _read_fields(each, person_accounts)
    for path, target, *junctions in _lines("children"):
        parent, name = path.split(".")
        child_object, child_field = target.split(".")
        lists, listed = (tuple(filter(None, names.split(","))) for names in junctions or ("", ""))
        objects[parent.lower()].children[name.lower()] = Child(name, child_object, child_field, lists, listed)
    return Schema(objects, person_accounts)


def _lines(table: str) -> list[list[str]]:
    text = (_HERE / f"{table}.txt").read_text(encoding="utf-8")
    return [[part.strip() for part in line.split(" | ")] for line in text.splitlines() if line.strip()]


def _read_fields(target: ObjectType, person_accounts: bool) -> None:
    for parts in _lines(target.name):
        if parts[0].startswith("+"):
            if not person_accounts:
                continue
            parts[0] = parts[0][1:]
        each = _field(parts)
        target.fields[each.name.lower()] = each
        if each.relationship:
            target.relationships[each.relationship.lower()] = each


def _field(parts: list[str]) -> FieldType:
    name, kind, flags, label = parts[:4]
    type_, _, size = kind.partition(" ")
    numbers = [int(n) for n in size.split(",")] if size else [0]
    length = 18 if type_ in ("id", "reference") else 0 if type_ in NUMERIC else numbers[0]
    precision, scale = (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)
    extra = {part[0]: part[2:].strip() for part in parts[4:]}
    targets, _, relationship = extra.get(">", "").partition(" as ")
    return FieldType(
        name=name,
        type=type_,
        length=length,
        precision=precision,
        scale=scale,
        digits=numbers[0] if type_ == "int" else 0,
        flags=flags,
        label=label,
        refers_to=tuple(t for t in targets.split(",") if t),
        relationship=relationship or None,
        compound=extra.get("@"),
        picks=_picks(extra.get("=", "")),
    )


def _picks(text: str) -> tuple[Pick, ...]:
    picks = []
    for entry in filter(None, text.split(";")):
        value, _, label = entry.lstrip("*").partition(":")
        picks.append(Pick(value, label or value, entry.startswith("*")))
    return tuple(picks)
