"""Several records written together or not at all, many such groups in one call. Knows no object.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-limits"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.errors import ProviderError, Transient
from providers.salesforce import failures, ids
from providers.salesforce.transport import Wire

#: One subrequest: {"method", "url", "referenceId", "body"}.
Node = dict[str, Any]
#: Bytes of one call's texts, well below what Salesforce takes of a request.
MOST_CHARACTERS = 2_000_000
MOST_GRAPHS = 25
#: Of one call, in all its graphs.
MOST_NODES = 500
_DUPLICATE_ID = re.compile(r"(\w+) duplicates value on record with id: ([A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)\b")


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """`ids` of the records made, by reference; None where none were. `failed`: the reference of the node that was
    refused, with why. Neither: it was not tried, so send it again."""

    ids: Mapping[str, str] | None
    failed: str = ""
    error: ProviderError | None = None

    @property
    def was_tried(self) -> bool:
        return self.ids is not None or self.error is not None

    def made(self) -> Mapping[str, str]:
        """Raises what was refused."""
        if self.error is not None:
            raise self.error
        return self.ids or {}

    def is_duplicate(self) -> bool:
        return self.error is not None and any(each.code == "DUPLICATE_VALUE" for each in self.error.details)

    def names(self, field: str) -> bool:
        return any(field in each.message for each in (self.error.details if self.error else ()))

    def duplicated(self, field: str) -> str:
        """The id of the record that has this value of `field` already; "" where Salesforce does not say."""
        for detail in self.error.details if self.error else ():
            found = _DUPLICATE_ID.search(detail.message)
            if detail.code == "DUPLICATE_VALUE" and found and found[1] == field:
                return ids.record_id(found[2])
        return ""


def post(wire: Wire, reference: str, object_name: str, values: Mapping[str, Any]) -> Node:
    return _node(wire, "POST", reference, f"sobjects/{object_name}", dict(values))


def patch(wire: Wire, reference: str, path: str, values: Mapping[str, Any]) -> Node:
    return _node(wire, "PATCH", reference, f"sobjects/{path}", dict(values))


def _node(wire: Wire, method: str, reference: str, resource: str, body: dict[str, Any]) -> Node:
    return {"method": method, "url": wire.path(resource), "referenceId": reference, "body": body}


def carry_out(wire: Wire, graphs: Sequence[Sequence[Node]]) -> list[Outcome]:
    """One call, or more where Salesforce stops after too many failures: it goes on with the rest.

    Raises what a whole call fails with."""
    outcomes: list[Outcome | None] = [None] * len(graphs)
    left = list(range(len(graphs)))
    while left:
        found = _send(wire, [graphs[index] for index in left])
        for index, outcome in zip(left, found, strict=True):
            outcomes[index] = outcome if outcome.was_tried else None
        still = [index for index in left if outcomes[index] is None]
        if len(still) == len(left):
            raise Transient("Salesforce carried out nothing of what was asked.", provider="salesforce")
        left = still
    return [outcome for outcome in outcomes if outcome is not None]


def _send(wire: Wire, graphs: Sequence[Sequence[Node]]) -> list[Outcome]:
    body = {"graphs": [{"graphId": f"g{n}", "compositeRequest": list(nodes)} for n, nodes in enumerate(graphs)]}
    answer = wire.call(lambda client: client.restful("composite/graph", method="POST", json=body), is_write=True)
    return wire.call(lambda _: _outcomes(answer, graphs), is_write=True)


def _outcomes(answer: Any, graphs: Sequence[Sequence[Node]]) -> list[Outcome]:
    """Raises KeyError, TypeError, ValueError where a graph or a node was left unanswered."""
    found = {graph["graphId"]: graph for graph in answer["graphs"]}
    return [_outcome(found[f"g{n}"], nodes) for n, nodes in enumerate(graphs)]


def _outcome(graph: Mapping[str, Any], nodes: Sequence[Node]) -> Outcome:
    entries = {each["referenceId"]: each for each in graph["graphResponse"]["compositeResponse"]}
    if graph["isSuccessful"]:
        made = [node["referenceId"] for node in nodes if node["method"] == "POST"]
        return Outcome({name: ids.made(entries[name]["body"]) for name in made})
    for name, each in entries.items():
        status, body = int(each["httpStatusCode"]), each["body"]
        if status >= 300 and not _is_halted(body):
            return Outcome(None, str(name), failures.failure_of(status, body, is_write=True))
    return Outcome(None)


def _is_halted(body: object) -> bool:
    """Rolled back for another's failure, or not tried at all."""
    return any(each.code == "PROCESSING_HALTED" for each in failures.details_of(body))
