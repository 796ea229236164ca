"""What one person may see and do in Salesforce, from describe: objects, fields, labels; never a record (C15, C24).

A hint for building queries and forms. Salesforce's own answer stays the authority."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from providers.errors import Transient
from providers.salesforce import failures, layout
from providers.salesforce.transport import Wire

LONGEST_PICKLIST = 500
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """One visible field. `picklist` holds (value, label) of the active entries; `reference` the objects it may name."""

    label: str
    type: str
    length: int = 0
    nillable: bool = True
    createable: bool = False
    updateable: bool = False
    defaulted: bool = False
    picklist: tuple[tuple[str, str], ...] = ()
    help: str = ""
    reference: tuple[str, ...] = ()
    external_id: bool = False
    unique: bool = False
    id_lookup: bool = False

    @property
    def required(self) -> bool:
        """A record cannot be created without a value of ours."""
        return self.createable and not self.nillable and not self.defaulted


@dataclass(frozen=True, slots=True)
class ObjectRights:
    """One visible object and what this person may do with it. `children`: names of its child relationships; `lists`:
    of its lists of ids (JunctionIdList). One that is known not to be visible has no label."""

    name: str
    label: str
    label_plural: str
    key_prefix: str = ""
    createable: bool = False
    updateable: bool = False
    queryable: bool = False
    searchable: bool = False
    deletable: bool = False
    fields: Mapping[str, FieldAccess] = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()

    def visible(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that this person sees, in their order, each once."""
        return [name for name in dict.fromkeys(names) if name in self.fields]


@dataclass(frozen=True, slots=True)
class ObjectAccess:
    """All objects we asked about that this person may see."""

    objects: Mapping[str, ObjectRights] = field(default_factory=dict)

    def get(self, name: str) -> ObjectRights | None:
        return self.objects.get(name)

    def queryable(self, name: str) -> ObjectRights | None:
        rights = self.objects.get(name)
        return rights if rights and rights.queryable else None

    def with_object(self, rights: ObjectRights) -> "ObjectAccess":
        return replace(self, objects={**self.objects, rights.name: rights})

    def to_json(self) -> str:
        """Compact JSON; `from_json` reads it back."""
        body = {"format": _FORMAT, "objects": [_plain(rights) for rights in self.objects.values()]}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ObjectAccess":
        """Raises ValueError for anything `to_json` of this version did not write; fetch anew then."""
        try:
            body = json.loads(text)
            if body["format"] == _FORMAT:
                return cls({entry["name"]: _rights(entry) for entry in body["objects"]})
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise ValueError("object access of another format")


class AccessStore(Protocol):
    """Keeps one person's ObjectAccess; `load` answers None when there is none or it is too old."""

    def load(self) -> ObjectAccess | None: ...

    def save(self, access: ObjectAccess) -> None: ...

    def add(self, rights: ObjectRights) -> None:
        """One more object beside what is kept, which gets no younger by it."""


def fetch(wire: Wire) -> ObjectAccess:
    """Ask Salesforce, in one call, what this person may see. Raises from providers.errors."""
    parts = [_part(wire, f"sobjects/{name}/describe", name) for name in layout.OBJECTS]
    answers = wire.composite([*parts, _part(wire, "sobjects", "all")])
    objects: dict[str, ObjectRights] = {}
    for name in layout.OBJECTS:
        rights = _described(*answers[name])
        if rights:
            objects[rights.name] = rights
    for rights in _searchable_custom(*answers["all"]):
        objects[rights.name] = rights
    return ObjectAccess(objects)


def fetch_several(wire: Wire, names: Iterable[str]) -> list[ObjectRights]:
    """Describe these objects in one call (at most 25); those that are not visible stand without label and fields."""
    wanted = list(names)
    answers = wire.composite([_part(wire, f"sobjects/{name}/describe", name) for name in wanted])
    return [_described(*answers[name]) or ObjectRights(name, "", "") for name in wanted]


def fetch_one(wire: Wire, object_name: str) -> ObjectRights | None:
    """Describe one more object; None where this person does not see it."""
    answers = wire.composite([_part(wire, f"sobjects/{object_name}/describe", "one")])
    return _described(*answers["one"])


def _part(wire: Wire, resource: str, reference: str) -> dict[str, Any]:
    return {"method": "GET", "url": wire.path(resource), "referenceId": reference}


def _described(status: int, body: Any) -> ObjectRights | None:
    if 200 <= status < 300 and isinstance(body, Mapping):
        try:
            return _from_describe(body)
        except (KeyError, TypeError, AttributeError):
            raise Transient("Salesforce's description of an object makes no sense.", provider="salesforce") from None
    if status in {403, 404}:  # how Salesforce says "not visible to you"
        return None
    raise failures.failure_of(status, body, is_write=False)


def _from_describe(body: Mapping[str, Any]) -> ObjectRights:
    keep = layout.kept(body["name"])
    fields = {entry["name"]: _field(entry) for entry in body["fields"] if entry["name"] in keep or _is_required(entry)}
    relations = body.get("childRelationships") or ()
    children = frozenset(child["relationshipName"] for child in relations if child.get("relationshipName"))
    lists = frozenset(name for child in relations for name in child.get("junctionIdListNames") or ())
    return replace(_summary(body), fields=fields, children=children, lists=lists)


def _summary(body: Mapping[str, Any]) -> ObjectRights:
    return ObjectRights(
        name=body["name"],
        label=body["label"],
        label_plural=body.get("labelPlural") or body["label"],
        key_prefix=body.get("keyPrefix") or "",
        createable=body.get("createable") is True,
        updateable=body.get("updateable") is True,
        queryable=body.get("queryable") is True,
        searchable=body.get("searchable") is True,
        deletable=body.get("deletable") is True,
    )


def _is_required(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("createable")) and not entry.get("nillable") and not entry.get("defaultedOnCreate")


def _field(entry: Mapping[str, Any]) -> FieldAccess:
    active = [each for each in entry.get("picklistValues") or () if each.get("active")][:LONGEST_PICKLIST]
    return FieldAccess(
        label=entry["label"],
        type=entry["type"],
        length=int(entry.get("length") or 0),
        nillable=entry.get("nillable") is True,
        createable=entry.get("createable") is True,
        updateable=entry.get("updateable") is True,
        defaulted=entry.get("defaultedOnCreate") is True,
        picklist=tuple((each["value"], each.get("label") or each["value"]) for each in active),
        help=entry.get("inlineHelpText") or "",
        reference=tuple(entry.get("referenceTo") or ()),
        external_id=entry.get("externalId") is True,
        unique=entry.get("unique") is True,
        id_lookup=entry.get("idLookup") is True,
    )


def _searchable_custom(status: int, body: Any) -> list[ObjectRights]:
    """Custom objects that global search covers too (C16); a custom object's name field is always `Name`."""
    if not 200 <= status < 300 or not isinstance(body, Mapping):
        return []
    found = [entry for entry in body.get("sobjects") or () if _is_searchable_custom(entry)]
    found.sort(key=lambda entry: str(entry["label"]))
    name = {"Name": FieldAccess("Name", "string")}
    return [replace(_summary(entry), fields=name) for entry in found[: layout.CUSTOM_SEARCHED]]


def _is_searchable_custom(entry: Mapping[str, Any]) -> bool:
    is_ours = str(entry.get("name", "")).endswith("__c") and not entry.get("customSetting")
    return bool(is_ours and entry.get("searchable") and entry.get("queryable") and entry.get("layoutable", True))


def _plain(rights: ObjectRights) -> dict[str, Any]:
    """As JSON, leaving out what is at its default: most of a describe is."""
    plain = {name: getattr(rights, name) for name in ("name", "label", "label_plural", "key_prefix")}
    plain["may"] = [name for name in _FLAGS if getattr(rights, name)]
    plain["children"], plain["lists"] = sorted(rights.children), sorted(rights.lists)
    plain["fields"] = {name: _without_defaults(each) for name, each in rights.fields.items()}
    return plain


_FLAGS = ("createable", "updateable", "queryable", "searchable", "deletable")
_DEFAULTS = asdict(FieldAccess("", ""))


def _without_defaults(each: FieldAccess) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if value != _DEFAULTS[name]}


def _rights(plain: Mapping[str, Any]) -> ObjectRights:
    flags: dict[str, Any] = {name: name in plain["may"] for name in _FLAGS}
    names: dict[str, Any] = {name: plain[name] for name in ("name", "label", "label_plural", "key_prefix")}
    fields = {name: _field_access(each) for name, each in plain["fields"].items()}
    sets: dict[str, Any] = {name: frozenset(plain[name]) for name in ("children", "lists")}
    return ObjectRights(**names, **flags, fields=fields, **sets)


def _field_access(plain: Mapping[str, Any]) -> FieldAccess:
    known = {"label": "", "type": "", **plain}
    known["picklist"] = tuple((value, label) for value, label in plain.get("picklist", ()))
    known["reference"] = tuple(plain.get("reference", ()))
    return FieldAccess(**known)
