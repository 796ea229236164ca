"""`/subscriptions`: making, renewing and ending them. Source: learn.microsoft.com/graph/api/resources/subscription."""

from collections.abc import Awaitable, Sequence

from starlette.responses import Response

from simulators.front import json_response
from simulators.microsoft.mail.call import Call
from simulators.microsoft.mail.failures import Refusal, no_segment
from simulators.microsoft.mail.subscriptions import Subscription, Subscriptions


def answer(call: Call, rest: Sequence[str]) -> Response | Awaitable[Response]:
    """`rest`: what follows `subscriptions`. Raises Refusal."""
    subscriptions = call.microsoft.boxes.subscriptions
    if not rest:
        return _make(call) if call.method == "POST" else _all(call, subscriptions)
    one = subscriptions.one(call.account.key, call.client_id, rest[0])
    if list(rest[1:]) == ["reauthorize"] and call.method == "POST":
        call.check_reading()
        return json_response(None, 204)
    if rest[1:]:
        raise no_segment(rest[1])
    return _change(call, subscriptions, one)


def _all(call: Call, subscriptions: Subscriptions) -> Response:
    mine = [s for s in subscriptions.of(call.account.key) if s.client_id == call.client_id]
    return json_response(_context(call) | {"value": [each.json() for each in mine]})


def _change(call: Call, subscriptions: Subscriptions, one: Subscription) -> Response:
    if call.method == "DELETE":
        del subscriptions.all[one.id]
        return json_response(None, 204)
    if call.method == "PATCH":
        call.check_reading()
        one.ends = subscriptions.end(call.body if isinstance(call.body, dict) else {})
    elif call.method != "GET":
        raise Refusal(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    return json_response(_context(call, "/$entity") | one.json())


async def _make(call: Call) -> Response:
    """Checks everything, asks both addresses, and keeps it only then."""
    boxes = call.microsoft.boxes
    try:
        call.check_reading()
        made = boxes.subscriptions.made(call.account.key, call.client_id, call.body, call.is_immutable)
        made.folder = call.folder(made.folder).id if made.folder else ""
        for url in filter(None, (made.url, made.lifecycle_url)):
            await boxes.notices.shake_hands(url)
        boxes.subscriptions.keep(made)
    except Refusal as refusal:
        return refusal.response()
    return json_response(_context(call, "/$entity") | made.json() | {"clientState": made.state}, 201)


def _context(call: Call, what: str = "") -> dict[str, str]:
    return {"@odata.context": f"{call.microsoft.graph_url}/v1.0/$metadata#subscriptions{what}"}
