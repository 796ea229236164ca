"""Reading a field of a row as the API shows it, following relationships with the reader's rights. Changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.salesforce.errors import no_such_column
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.soql.lexer import SoqlError
from simulators.salesforce.soql.tree import Path
from simulators.salesforce.store import Row

Getter = Callable[[Row], Any]
#: Fields that mirror one of a related record: never stored, always as the related record is now.
MIRRORS = {
    ("Case", "ContactEmail"): ("ContactId", "Email"),
    ("Case", "ContactPhone"): ("ContactId", "Phone"),
    ("Case", "ContactMobile"): ("ContactId", "MobilePhone"),
    ("Case", "ContactFax"): ("ContactId", "Fax"),
}
_PARTS = ("City", "Country", "GeocodeAccuracy", "Latitude", "Longitude", "PostalCode", "State", "Street")
#: What a polymorphic relationship (Who, What, Owner) offers, whatever the record behind it is.
NAME_FIELDS = (
    "Id",
    "Name",
    "Type",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Username",
    "Alias",
    "IsActive",
)


@dataclass(frozen=True)
class Column:
    """A resolved field path: `hops` are the relationship names crossed, `get` reads it from a row of the source."""

    hops: tuple[str, ...]
    field: FieldType
    kind: ObjectType | None  # the object the field is on; None behind a polymorphic relationship
    get: Getter
    simple: bool  # stored on the row itself under field.name


def reader(kind: ObjectType, each: FieldType, access: Access) -> Getter:
    """Reads one field of a row of `kind`."""
    name = each.name
    mirror = MIRRORS.get((kind.name, name))
    if mirror:
        link, other = mirror
        return lambda row: (access.store.get(row.get(link)) or {}).get(other)
    if each.type == "boolean":
        return lambda row: bool(row.get(name, False))
    if each.type == "address":
        stem = name.removesuffix("Address")
        return lambda row: _address(row, stem)
    if each.type == "int":
        return lambda row: None if row.get(name) is None else int(row[name])
    return lambda row: row.get(name)


def _address(row: Row, stem: str) -> dict[str, Any] | None:
    parts = {part[0].lower() + part[1:]: row.get(stem + part) for part in _PARTS}
    return parts if any(v is not None for v in parts.values()) else None


class Resolver:
    """Resolves paths from one source object, with the field-level security of one user."""

    def __init__(self, kind: ObjectType, access: Access, alias: str | None) -> None:
        self.kind, self.access = kind, access
        self._own = {kind.name.lower()} | ({alias.lower()} if alias else set())

    def column(self, path: Path) -> Column:
        names = path.names
        if len(names) > 1 and names[0].lower() in self._own:
            names = names[1:]
        if len(names) > 6:
            raise SoqlError("SOQL relationships may only reach up to 5 levels", path.at)
        return self._walk(self.kind, names, path)

    def _walk(self, kind: ObjectType, names: tuple[str, ...], path: Path) -> Column:
        if len(names) == 1:
            return self._own_field(kind, names[0], path)
        link = self.link(kind, names[0], path)
        follow = self.follower(link)
        targets = [t for name in link.refers_to if (t := self.access.store.schema.get(name))]
        if len(link.refers_to) > 1:
            return self._polymorphic(link, names[1:], path, follow)
        inner = self._walk(targets[0], names[1:], path)
        get = inner.get
        return Column(
            (link.relationship or "", *inner.hops),
            inner.field,
            inner.kind,
            lambda row: get(parent) if (parent := follow(row)) is not None else None,
            False,
        )

    def _own_field(self, kind: ObjectType, name: str, path: Path) -> Column:
        each = kind.field(name)
        if each is None or not self.access.shows(kind, each):
            raise SoqlError(no_such_column(name, kind.name), path.at, "INVALID_FIELD")
        simple = (kind.name, each.name) not in MIRRORS and each.type != "address"
        return Column((), each, kind, reader(kind, each, self.access), simple)

    def link(self, kind: ObjectType, name: str, path: Path) -> FieldType:
        """The reference field behind a relationship name that this user may cross."""
        link = kind.relationships.get(name.lower())
        readable = [
            t
            for target in (link.refers_to if link else ())
            if (t := self.access.store.schema.get(target)) and self.access.reads(t)
        ]
        if link is None or not readable or not self.access.shows(kind, link):
            raise SoqlError(
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name. Please reference your "
                "WSDL or the describe call for the appropriate names.",
                path.at,
                "INVALID_FIELD",
            )
        return link

    def follower(self, link: FieldType) -> Callable[[Row], Row | None]:
        """The parent row, or None where there is none or this user may not see it."""
        store, access, name = self.access.store, self.access, link.name

        def follow(row: Row) -> Row | None:
            parent = store.get(row.get(name))
            if parent is None:
                return None
            kind = store.schema.of_id(parent["Id"])
            return parent if kind and access.reads(kind) and access.sees(kind, parent) else None

        return follow

    def _polymorphic(
        self, link: FieldType, names: tuple[str, ...], path: Path, follow: Callable[[Row], Row | None]
    ) -> Column:
        name = next((n for n in NAME_FIELDS if n.lower() == names[0].lower()), None)
        if name is None or len(names) > 1:
            raise SoqlError(no_such_column(names[0], "Name"), path.at, "INVALID_FIELD")
        kind = "id" if name == "Id" else "email" if name == "Email" else "string"
        each = FieldType(name, kind, 255, 0, 0, 0, "nsgf", name)
        schema, access = self.access.store.schema, self.access

        def get(row: Row) -> Any:
            parent = follow(row)
            if parent is None:
                return None
            target = schema.of_id(parent["Id"])
            if name == "Type":
                return target.name if target else None
            if name == "Name" and target and target.name_field:
                return parent.get(target.name_field.name)
            shown = target.field(name) if target else None
            return parent.get(name) if target and shown and access.shows(target, shown) else None

        return Column((link.relationship or "",), each, None, get, False)
