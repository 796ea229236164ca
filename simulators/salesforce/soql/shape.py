"""How a record is written into an answer: attributes, fields in the order asked, parents nested, children in lists."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.soql.values import Column, Resolver
from simulators.salesforce.store import Row

Writer = Callable[[Row, dict[str, Any]], None]


@dataclass(frozen=True)
class Child:
    name: str
    records: Callable[[Row], list[dict[str, Any]]]


class Shape:
    """`base` is `/services/data/vXX.0`, for the url in attributes."""

    def __init__(self, kind: ObjectType | None, base: str) -> None:
        self.kind, self.base = kind, base
        self.writers: list[Writer] = []
        self.children: list[Child] = []
        self._parents: dict[str, _Parent] = {}

    def add(self, column: Column, name: str, resolver: Resolver) -> None:
        """Add a field, below the parents its path crosses."""
        if not column.hops:
            get = column.get
            self.writers.append(lambda row, out: out.__setitem__(name, get(row)))
            return
        parent = self._parents.get(column.hops[0])
        if parent is None:
            parent = self._parents[column.hops[0]] = _Parent(column.hops[0], self, resolver)
            self.writers.append(parent.write)
        parent.columns.append((column, name))

    def add_typeof(
        self, link: FieldType, branches: "dict[str, Shape]", otherwise: "Shape | None", resolver: Resolver
    ) -> None:
        follow, name = resolver.follower(link), link.relationship or ""
        schema = resolver.access.store.schema

        def write(row: Row, out: dict[str, Any]) -> None:
            parent = follow(row)
            kind = schema.of_id(parent["Id"]) if parent else None
            shape = branches.get(kind.name.lower(), otherwise) if kind else None
            out[name] = shape.render(parent) if shape and parent else None

        self.writers.append(write)

    def render(self, row: Row) -> dict[str, Any]:
        name = self.kind.name if self.kind else "Name"
        out: dict[str, Any] = {"attributes": {"type": name, "url": f"{self.base}/sobjects/{name}/{row['Id']}"}}
        for write in self.writers:
            write(row, out)
        for child in self.children:
            found = child.records(row)
            out[child.name] = {"totalSize": len(found), "done": True, "records": found} if found else None
        return out


class _Parent:
    """One parent object of an answer's record and the fields asked of it, at any depth below."""

    def __init__(self, relationship: str, shape: Shape, resolver: Resolver) -> None:
        if shape.kind is None:
            raise LookupError(relationship)
        self.link = shape.kind.relationships[relationship.lower()]
        self.name, self.base, self.resolver = relationship, shape.base, resolver
        self.follow = resolver.follower(self.link)
        self.columns: list[tuple[Column, str]] = []
        self._inner: Shape | None = None

    def write(self, row: Row, out: dict[str, Any]) -> None:
        parent = self.follow(row)
        if parent is None:
            out[self.name] = None
        elif len(self.link.refers_to) > 1:
            out[self.name] = self._polymorphic(row, parent)
        else:
            out[self.name] = self._shape().render(parent)

    def _polymorphic(self, row: Row, parent: Row) -> dict[str, Any]:
        kind = self.resolver.access.store.schema.of_id(parent["Id"])
        name = kind.name if kind else "Name"
        url = f"{self.base}/sobjects/{name}/{parent['Id']}"
        out: dict[str, Any] = {"attributes": {"type": "Name", "url": url}}
        for column, field_name in self.columns:
            out[field_name] = column.get(row)
        return out

    def _shape(self) -> Shape:
        """Built on first use, when all columns are known: the same columns, one hop shorter."""
        if self._inner is None:
            from simulators.salesforce.soql.tree import Path

            target = self.resolver.access.store.schema.get(self.link.refers_to[0])
            if target is None:
                raise LookupError(self.link.refers_to[0])
            resolver = Resolver(target, self.resolver.access, None)
            self._inner = Shape(target, self.base)
            for column, name in self.columns:
                path = Path((*column.hops[1:], column.field.name), 0)
                self._inner.add(resolver.column(path), name, resolver)
        return self._inner
