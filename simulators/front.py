"""The ASGI face of any simulator: /_sim aside, faults, the log of calls, delays. Knows no provider."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from simulators.clock import Clock
from simulators.faults import Fault, Faults

JSON = "application/json;charset=UTF-8"
CALLS_KEPT = 50_000
Calls = deque[dict[str, Any]]
Form = dict[str, str]
Result = tuple[int, Any]


def new_calls() -> Calls:
    return deque(maxlen=CALLS_KEPT)


def json_response(
    body: Any, status: int = 200, headers: dict[str, str] | None = None, pretty: bool = False
) -> Response:
    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if pretty else 0)
    content = b"" if body is None or status == 204 else orjson.dumps(body, option=option)
    return Response(content, status, headers, media_type=None if status == 204 else JSON)


def form_of(request: Request, query: Form, body: bytes) -> Form:
    """Query and urlencoded body together."""
    if "urlencoded" not in request.headers.get("content-type", ""):
        return dict(query)
    return {**query, **dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))}


class Witness(Protocol):
    """Hears how an exchange ended. `carried_out`: not a fault; `delivered`: the caller was there to take it."""

    def answered(self, status: int, *, carried_out: bool) -> None: ...
    def done(self, *, delivered: bool) -> None: ...


class Exchange(Protocol):
    """One request and what becomes of it. `delay`: seconds the answer is held back after the work is done."""

    delay: float

    @property
    def witness(self) -> Witness: ...

    def user_names(self) -> set[str]: ...
    def answer(self) -> Response | Awaitable[Response]: ...
    def facts(self) -> dict[str, Any]:
        """What the log says beside time, method, path and status: never the query, the body or a token."""
        ...


class Front:
    """One listener. Subclasses say what /_sim and everything else answer."""

    def __init__(self, faults: Faults, calls: Calls, latency: float = 0.0, clock: Clock | None = None) -> None:
        self.faults, self.calls, self.latency = faults, calls, latency
        self.clock = clock or Clock()

    def control(self, method: str, path: list[str], query: Form, body: Any) -> Result:
        """/_sim; `path` is what follows it."""
        raise NotImplementedError

    def exchange(self, request: Request, query: Form, body: bytes) -> Exchange:
        raise NotImplementedError

    async def body(self, request: Request) -> bytes:
        """What `exchange` gets; whoever expects more than fits into memory reads it in pieces here."""
        return await request.body()

    def finish(self, response: Response, request: Request) -> None:
        """The last change to an answer before it is sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        try:
            body = await self.body(request)
        except ClientDisconnect:
            return  # before all of it was there: nothing is done
        if scope["path"].startswith("/_sim"):
            await self._control(request, query, body)(scope, receive, send)
            return
        exchange = self.exchange(request, query, body)
        witness = exchange.witness
        fault = self.faults.next_for(request.method, scope["path"], exchange.user_names())
        response, is_carried_out = await _response(exchange, fault)
        self._note(request, exchange, response.status_code)
        witness.answered(response.status_code, carried_out=is_carried_out)
        response.headers.setdefault("Date", self.clock.date())
        self.finish(response, request)
        gone = await _wait(self.latency + exchange.delay + (fault.delay if fault else 0.0), receive)
        if not gone:
            await _deliver(response, fault, scope, receive, send)
        witness.done(delivered=not gone and (fault is None or fault.cut_after is None))

    def _control(self, request: Request, query: Form, body: bytes) -> Response:
        try:
            parsed = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            return json_response({"error": "the body is not JSON"}, 400)
        pieces = [piece for piece in request.url.path.split("/") if piece][1:]
        try:
            status, answer = self.control(request.method, pieces, query, parsed if isinstance(parsed, dict) else {})
        except (ValueError, TypeError, KeyError) as error:
            status, answer = 400, {"error": str(error)}
        return json_response(answer, status, pretty=True)

    def _note(self, request: Request, exchange: Exchange, status: int) -> None:
        now = time.time()
        self.calls.append(
            {
                "at": datetime.fromtimestamp(now, UTC).isoformat(),
                "time": now,
                "method": request.method,
                "path": request.scope["path"],
                **exchange.facts(),
                "status": status,
            }
        )


def calls_since(calls: Calls, query: Form) -> Result:
    """GET /_sim/calls?since=: the log, and how many of it count towards a limit."""
    since = float(query.get("since", 0))
    found = [call for call in calls if call["time"] > since]
    return 200, {"calls": found, "counted": sum(call["counted"] for call in found)}


def add_faults(faults: Faults, body: dict[str, Any]) -> Result:
    """POST /_sim/faults: one fault, or `{"faults": [...]}`."""
    entries = body.get("faults", [body]) if body else []
    faults.waiting.extend(Fault.from_json(entry) for entry in entries)
    return 201, {"waiting": len(faults.waiting)}


async def _wait(seconds: float, receive: Receive) -> bool:
    """True where the caller has hung up meanwhile."""
    if seconds <= 0:
        return False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
            return True
    return False


async def _response(exchange: Exchange, fault: Fault | None) -> tuple[Response, bool]:
    """And whether the request was carried out."""
    canned = _canned(fault) if fault and fault.status is not None else None
    if canned and fault and not fault.is_late:
        return canned, False
    real = await _settled(exchange.answer())
    return canned or real, True


async def _settled(answer: Response | Awaitable[Response]) -> Response:
    """Some answers wait for somebody else's."""
    return answer if isinstance(answer, Response) else await answer


def _canned(fault: Fault) -> Response:
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status or 500, fault.headers, media_type="text/html")
    response = json_response(fault.body, fault.status or 500)
    response.headers.update(fault.headers)
    return response


async def _deliver(response: Response, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
    """As it is; slowly; or only its first bytes, after which the connection breaks off."""
    if fault is None or (fault.cut_after is None and not fault.bytes_per_second):
        await response(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    left = fault.cut_after
    async for piece in _pieces(response):
        part = piece if left is None else piece[:left]
        await _crawl(part, fault.bytes_per_second, send)
        if left is not None and (left := left - len(part)) <= 0:
            return
    if fault.cut_after is None:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pieces(response: Response) -> AsyncIterator[bytes]:
    if not isinstance(response, StreamingResponse):
        yield bytes(response.body)
        return
    async for piece in response.body_iterator:
        yield piece.encode() if isinstance(piece, str) else bytes(piece)


async def _crawl(part: bytes, bytes_per_second: float | None, send: Send) -> None:
    step = max(1, int(bytes_per_second / 4)) if bytes_per_second else len(part) or 1
    for start in range(0, len(part), step):
        await send({"type": "http.response.body", "body": part[start : start + step], "more_body": True})
        if bytes_per_second:
            await asyncio.sleep(step / bytes_per_second)
