"""The ASGI application of one host: paths to handlers, faults, latency, the log of calls."""

import asyncio
import contextlib
import gzip
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from simulators.salesforce import control
from simulators.salesforce.errors import ApiError, no_session
from simulators.salesforce.faults import Fault
from simulators.salesforce.oauth import answers, flow, identity, soap
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User
from simulators.salesforce.rest.call import Answer, Call
from simulators.salesforce.rest.routes import VERSIONS, dispatch, versions
from simulators.salesforce.witness import Witness

_JSON = "application/json;charset=UTF-8"
_DATA = "/services/data"
_WORTH_COMPRESSING = 2048
Form = dict[str, str]


def json_response(
    body: Any, status: int = 200, headers: dict[str, str] | None = None, pretty: bool = False
) -> Response:
    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if pretty else 0)
    content = b"" if body is None or status == 204 else orjson.dumps(body, option=option)
    return Response(content, status, headers, media_type=None if status == 204 else _JSON)


class Web:
    """`pages` is the plain-http face (login, consent, records); the other is the API over TLS."""

    def __init__(self, host: Host, pages: bool, latency: float = 0.0) -> None:
        self.host, self.pages, self.latency = host, pages, latency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        body = await request.body()
        if scope["path"].startswith("/_sim"):
            await self._control(request, query, body)(scope, receive, send)
            return
        exchange = Exchange(self.host, request, query, body, self.pages)
        fault = self.host.faults.next_for(request.method, scope["path"], exchange.user_names())
        witness = Witness(exchange)
        response = _canned(fault) if fault and fault.status is not None else exchange.answer()
        exchange.note(response.status_code)
        witness.answered(response.status_code, carried_out=not (fault and fault.status is not None))
        _compress(response, request)
        gone = await _wait(self.latency + (fault.delay if fault else 0.0), receive)
        if not gone:
            await _deliver(response, fault, scope, receive, send)
        witness.done(delivered=not gone and (fault is None or fault.cut_after is None))

    def _control(self, request: Request, query: Form, body: bytes) -> Response:
        try:
            parsed = orjson.loads(body) if body else {}
        except orjson.JSONDecodeError:
            return json_response({"error": "the body is not JSON"}, 400)
        pieces = [piece for piece in request.url.path.split("/") if piece][1:]
        status, answer = control.handle(self.host, request.method, pieces, query, parsed)
        return json_response(answer, status, pretty=True)


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


def _compress(response: Response, request: Request) -> None:
    """As Salesforce does for clients that ask, once it is worth it."""
    if len(response.body) > _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(bytes(response.body), compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
        response.headers["Vary"] = "Accept-Encoding"


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
    body = bytes(response.body)
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    part = body if fault.cut_after is None else body[: fault.cut_after]
    step = max(1, int((fault.bytes_per_second or 0) / 4)) if fault.bytes_per_second else len(part) or 1
    for start in range(0, len(part), step):
        await send({"type": "http.response.body", "body": part[start : start + step], "more_body": True})
        if fault.bytes_per_second:
            await asyncio.sleep(step / fault.bytes_per_second)
    if fault.cut_after is None:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Exchange:
    """One request to a host and what becomes of it."""

    def __init__(self, host: Host, request: Request, query: Form, body: bytes, pages: bool) -> None:
        self.host, self.request, self.query, self.body, self.pages = host, request, query, body, pages
        self.path: str = request.scope["path"]
        self.counted = False
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        self.bearer = token.strip() if kind.lower() in ("bearer", "oauth") else ""
        self.whose = answers.grant_of(host, self.bearer) if self.bearer else None

    def user_names(self) -> set[str]:
        user = self.whose[1] if self.whose else None
        return {user.key, user.username.lower()} if user else set()

    def note(self, status: int) -> None:
        """Into the log of calls: never the query, the body or a token."""
        org, user = (self.whose[0].key, self.whose[1].key) if self.whose else ("", "")
        now = time.time()
        self.host.calls.append(
            {
                "at": datetime.fromtimestamp(now, UTC).isoformat(),
                "time": now,
                "method": self.request.method,
                "path": self.path,
                "org": org or self.host.key,
                "user": user,
                "counted": self.counted,
                "status": status,
            }
        )

    def answer(self) -> Response:
        path = self.path.rstrip("/") or "/"
        if path == _DATA:
            return json_response(versions())
        if path.startswith(_DATA + "/") and self.host.org and not self.host.is_site:
            return self._data(self.host.org)
        if path.startswith("/services/Soap/u/") and self.request.method == "POST":
            status, xml = soap.login(self.host, path, self.body.decode("utf-8", "replace"))
            return Response(xml, status, media_type="text/xml;charset=UTF-8")
        if not path.startswith(self.host.prefix):
            return PlainTextResponse("URL No Longer Exists", 404)
        return self._below_prefix(path.removeprefix(self.host.prefix) or "/")

    # -- OAuth and pages ----------------------------------------------------------------------------------------

    def form(self) -> Form:
        """Query and urlencoded body together, as Salesforce takes them."""
        form = dict(self.query)
        if "urlencoded" in self.request.headers.get("content-type", ""):
            form |= dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        return form

    def _below_prefix(self, path: str) -> Response:
        if path == "/.well-known/openid-configuration":
            return json_response(answers.metadata(self.host))
        if path.startswith("/services/oauth2/"):
            return self._oauth(path.removeprefix("/services/oauth2/"))
        if path.startswith("/id/"):
            pieces = path.split("/")[2:]
            if len(pieces) != 2:
                return PlainTextResponse("Not_Found", 404)
            bearer = self.bearer or self.form().get("oauth_token", "")
            return _result(identity.identity(self.host, pieces[0], pieces[1], bearer, self.query.get("version", "")))
        if not self.pages:
            if path.startswith(("/.well-known/", "/services/")):
                return PlainTextResponse("URL No Longer Exists", 404)
            target = self.host.pages_url + self.path
            return RedirectResponse(target + (f"?{self.request.url.query}" if self.request.url.query else ""), 302)
        return self._page(path)

    def _oauth(self, name: str) -> Response:
        host, form = self.host, self.form()
        authorization = self.request.headers.get("authorization", "")
        post = self.request.method == "POST"
        if name == "authorize":
            return flow.authorize(host, form, self.request.cookies.get(host.cookie))
        if name == "revoke":
            return _result(answers.revoke(host, form))
        if name == "userinfo":
            return _result(identity.userinfo(host, self.bearer or form.get("access_token", "")))
        if name in ("token", "introspect", "singleaccess") and not post:
            return _result(answers.oauth_error("invalid_request", "must use HTTP POST"))
        if name == "token":
            return _result(answers.token(host, form, authorization))
        if name == "introspect":
            return _result(answers.introspect(host, form, authorization))
        if name == "singleaccess":
            return _result(answers.single_access(host, form, self.bearer))
        return PlainTextResponse("URL No Longer Exists", 404)

    def _page(self, path: str) -> Response:
        host, form, sid = self.host, self.form(), self.request.cookies.get(self.host.cookie)
        post = self.request.method == "POST"
        if path == "/login":
            return flow.log_in(host, form) if post else flow.login_page(host, form)
        if path == flow.CONSENT:
            return flow.decide(host, form, sid) if post else flow.consent_page(host, form, sid)
        if path == "/secur/frontdoor.jsp":
            return flow.front_door(host, form)
        if path == "/secur/logout.jsp":
            host.sessions.pop(sid or "", None)
            response = RedirectResponse(f"{host.prefix}/login", 302)
            response.delete_cookie(host.cookie)
            return response
        return flow.record_page(host, path, sid)

    # -- REST ---------------------------------------------------------------------------------------------------

    def _data(self, org: Org) -> Response:
        pretty = self.request.headers.get("x-prettyprint") == "1"
        try:
            answer = self._call(org)
        except ApiError as error:
            answer = Answer(error.status, error.body())
        headers = dict(answer.headers)
        if answer.status not in (204, 401):
            headers["Sforce-Limit-Info"] = org.limit_info()
        org.store.commit()
        return json_response(answer.body, answer.status, headers, pretty)

    def _call(self, org: Org) -> Answer:
        user = self._session(org)
        # cut before decoding: an external id may hold a slash
        raw = self.request.scope["raw_path"].decode("ascii").rstrip("/")
        version, *pieces = [unquote(piece) for piece in raw.removeprefix(_DATA + "/").split("/")]
        if not (version.startswith("v") and version[1:-2].isdigit() and int(version[1:-2]) in VERSIONS):
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        if org.limits.used >= org.limits.maximum:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        org.limits.used += 1
        self.counted = True
        method = self.query.get("_HttpMethod", self.request.method).upper()
        call = Call(
            org, org.access_of(user), version[1:], method, pieces, self.query, self._json(), dict(self.request.headers)
        )
        return dispatch(call)

    def _session(self, org: Org) -> User:
        """Who calls. Order as there: session, scope, then the right to use the API at all."""
        if self.whose is None or self.whose[0] is not org:
            raise no_session()
        _, user, grant = self.whose
        if not {"api", "full"} & set(grant.scopes):
            raise ApiError(403, "INVALID_SESSION_ID", "This session is not valid for use with the REST API")
        if not user.may("ApiEnabled"):
            raise ApiError(403, "API_CURRENTLY_DISABLED", "API is disabled for this User")
        return user

    def _json(self) -> Any:
        if not self.body:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ApiError(
                400, "JSON_PARSER_ERROR", f"Unexpected character at [line:{error.lineno}, column:{error.colno}]"
            ) from None


def _result(result: tuple[int, Any]) -> Response:
    status, body = result
    if isinstance(body, str):
        return PlainTextResponse(body, status)
    response = json_response(body, status)
    response.headers["Cache-Control"] = "no-cache, no-store"
    return response
