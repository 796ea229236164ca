"""From a path below /services/data/vXX.0 to its handler; errors become bodies here and nowhere else."""

from typing import Any

from simulators.salesforce import writes
from simulators.salesforce.errors import ApiError, not_found
from simulators.salesforce.rest import collections, composite, graph, queries, searches, sobjects, trees
from simulators.salesforce.rest.call import Answer, Call, whole_number

VERSIONS = {
    50: "Winter '21",
    51: "Spring '21",
    52: "Summer '21",
    53: "Winter '22",
    54: "Spring '22",
    55: "Summer '22",
    56: "Winter '23",
    57: "Spring '23",
    58: "Summer '23",
    59: "Winter '24",
    60: "Spring '24",
    61: "Summer '24",
    62: "Winter '25",
    63: "Spring '25",
    64: "Summer '25",
    65: "Winter '26",
}
_RESOURCES = ("limits", "sobjects", "query", "queryAll", "search", "parameterizedSearch", "recent", "composite")


def versions() -> list[dict[str, str]]:
    return [{"label": label, "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n, label in VERSIONS.items()]


def dispatch(call: Call) -> Answer:
    """Handle one call; a failed one leaves no change behind."""
    store = call.access.store
    start = store.begin()
    try:
        return _handle(call)
    except ApiError as error:
        store.rollback(start)
        return Answer(error.status, error.body())
    except writes.SeveralError as several:
        return Answer(300, [call.base + path for path in several.paths])


def _handle(call: Call) -> Answer:
    head = call.path[0].lower() if call.path else ""
    second = call.path[1].lower() if len(call.path) > 1 else ""
    if head == "composite" and second:
        return _composite(call, second)
    handlers: dict[str, Any] = {
        "": _root,
        "limits": lambda c: Answer(body=c.org.limits_body()),
        "sobjects": sobjects.handle,
        "query": queries.query,
        "queryall": queries.query,
        "search": searches.search,
        "parameterizedsearch": searches.parameterized,
        "recent": _recent,
        "composite": lambda c: composite.handle(c, dispatch) if c.method == "POST" else _composite_root(c),
    }
    handler = handlers.get(head)
    if handler is None:
        raise not_found()
    answer: Answer = handler(call)
    return answer


def _composite(call: Call, second: str) -> Answer:
    if second == "sobjects":
        return collections.handle(call)
    if second == "batch":
        return composite.batch(call, dispatch)
    if second == "graph":
        return graph.handle(call, dispatch)
    if second == "tree" and len(call.path) == 3:
        return trees.handle(call)
    raise not_found()


def _composite_root(call: Call) -> Answer:
    return Answer(body={name: f"{call.base}/composite/{name}" for name in ("tree", "batch", "sobjects", "graph")})


def _root(call: Call) -> Answer:
    body = {name: f"{call.base}/{name}" for name in _RESOURCES}
    return Answer(body={**body, "identity": call.org.identity_url(call.access.user.id)})


def _recent(call: Call) -> Answer:
    limit = whole_number(call.query.get("limit"))
    return Answer(body=queries.recent(call.access, call.base, min(200 if limit is None else limit, 2000)))
