"""composite/graph: graphs of subrequests, each carried out whole or not at all. One call on the API count.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-limits"""

import re
from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.rest.call import Answer, Call
from simulators.salesforce.rest.composite import HALTED, Run
from simulators.salesforce.rest.sobjects import values_of

MOST_GRAPHS, MOST_NODES, MOST_KINDS, MOST_DEPTH, MOST_FAILURES = 75, 500, 15, 15, 14
_URL = re.compile(r"^(/services/data/v\d+\.0)/sobjects/([A-Za-z0-9_]+)/?(?:[^/?]+/?){0,2}(?:\?.*)?$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)")


def handle(call: Call, dispatch: Any) -> Answer:
    graphs = values_of(call.body).get("graphs")
    if call.method != "POST" or not isinstance(graphs, list) or not graphs:
        raise ApiError(400, "INVALID_INPUT", "The request must hold a list of graphs")
    _check(graphs)
    out: list[dict[str, Any]] = []
    failures = 0
    for graph in graphs:
        answered = _halted(graph) if failures >= MOST_FAILURES else _one(call, graph, dispatch)
        failures += not answered["isSuccessful"]
        out.append(answered)
    return Answer(body={"graphs": out})


def _check(graphs: list[Any]) -> None:
    if len(graphs) > MOST_GRAPHS:
        raise _limit(f"The request can't contain more than {MOST_GRAPHS} graphs.")
    seen: set[str] = set()
    kinds: set[tuple[str, str, str]] = set()
    for graph in graphs:
        name = graph.get("graphId") if isinstance(graph, dict) else None
        if not isinstance(name, str) or not _NAME.match(name) or name in seen:
            raise ApiError(400, "INVALID_INPUT", f"graphId ('{name}') is missing, malformed or used twice")
        seen.add(name)
        kinds |= _kinds(graph.get("compositeRequest"))
    if sum(len(graph["compositeRequest"]) for graph in graphs) > MOST_NODES:
        raise _limit(f"The request can't contain more than {MOST_NODES} nodes.")
    if len(kinds) > MOST_KINDS:
        raise _limit(f"The request can't contain more than {MOST_KINDS} different nodes.")


def _kinds(requests: Any) -> set[tuple[str, str, str]]:
    if not isinstance(requests, list) or not requests:
        raise _limit("A graph holds at least one node.")
    found, depths = set(), dict[str, int]()
    for request in requests:
        place = _URL.match(str(request.get("url", ""))) if isinstance(request, dict) else None
        if place is None or not isinstance(request.get("referenceId"), str):
            raise ApiError(400, "INVALID_INPUT", "The Composite Graph API doesn't support this resource")
        found.add((place[1], str(request.get("method")).upper(), place[2].lower()))
        named = _REFERENCE.findall(f"{request.get('url')} {request.get('body')}")
        depths[request["referenceId"]] = 1 + max((depths.get(each, 0) for each in named), default=0)
    if len(depths) < len(requests):
        raise ApiError(400, "DUPLICATE_REFERENCE_ID", "Duplicate referenceId provided")
    if max(depths.values()) > MOST_DEPTH:
        raise _limit(f"A graph can't be deeper than {MOST_DEPTH}.")
    return found


def _one(call: Call, graph: dict[str, Any], dispatch: Any) -> dict[str, Any]:
    requests = graph["compositeRequest"]
    run = Run(call, dispatch)
    run.together(requests)
    return _answered(graph, run.answers, is_successful=not run.failed)


def _halted(graph: dict[str, Any]) -> dict[str, Any]:
    """Not tried any more, since too many before it failed."""
    entries = [
        {"body": HALTED, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": each["referenceId"]}
        for each in graph["compositeRequest"]
    ]
    return _answered(graph, entries, is_successful=False)


def _answered(graph: dict[str, Any], entries: list[dict[str, Any]], *, is_successful: bool) -> dict[str, Any]:
    response = {"compositeResponse": entries}
    return {"graphId": graph["graphId"], "graphResponse": response, "isSuccessful": is_successful}


def _limit(message: str) -> ApiError:
    return ApiError(400, "LIMIT_EXCEEDED", message)
