"""The ASGI application of one host: paths to handlers, and what of a call the log may say."""

import gzip
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from simulators.front import Form, Front, Result, form_of, json_response
from simulators.salesforce import control, uploads
from simulators.salesforce.errors import ApiError, no_session
from simulators.salesforce.oauth import answers, flow, identity, soap
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User
from simulators.salesforce.rest.call import Answer, Call
from simulators.salesforce.rest.routes import VERSIONS, dispatch, versions
from simulators.salesforce.witness import Witness

_DATA = "/services/data"
_WORTH_COMPRESSING = 2048


class Web(Front):
    """`pages` is the plain-http face (login, consent, records); the other is the API over TLS."""

    def __init__(self, host: Host, pages: bool, latency: float = 0.0) -> None:
        super().__init__(host.faults, host.calls, latency, host.clock)
        self.host, self.pages = host, pages

    def control(self, method: str, path: list[str], query: Form, body: Any) -> Result:
        return control.handle(self.host, method, path, query, body)

    async def body(self, request: Request) -> bytes:
        if not _is_upload(request):
            return await request.body()
        pieces: AsyncIterator[bytes] = request.stream()
        if self.host.upload_cuts:
            pieces = uploads.cut(request, pieces, self.host.upload_cuts.pop(0))
        request.state.upload = await uploads.received(request.headers["content-type"], pieces)
        return b""

    def exchange(self, request: Request, query: Form, body: bytes) -> "Exchange":
        return Exchange(self.host, request, query, body, self.pages)

    def finish(self, response: Response, request: Request) -> None:
        _compress(response, request)


def _is_upload(request: Request) -> bool:
    kind: str = request.headers.get("content-type", "")
    return kind.startswith("multipart/form-data") and request.scope["path"].startswith(_DATA)


def _compress(response: Response, request: Request) -> None:
    """As Salesforce does for clients that ask, once it is worth it."""
    if len(response.body) > _WORTH_COMPRESSING and "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(bytes(response.body), compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))
        response.headers["Vary"] = "Accept-Encoding"


class Exchange:
    """One request to a host and what becomes of it."""

    def __init__(self, host: Host, request: Request, query: Form, body: bytes, pages: bool) -> None:
        self.host, self.request, self.query, self.body, self.pages = host, request, query, body, pages
        self.path: str = request.scope["path"]
        self.counted = False
        self.delay = 0.0
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        self.bearer = token.strip() if kind.lower() in ("bearer", "oauth") else ""
        self.whose = answers.grant_of(host, self.bearer) if self.bearer else None
        self.witness = Witness(self)

    def user_names(self) -> set[str]:
        user = self.whose[1] if self.whose else None
        return {user.key, user.username.lower()} if user else set()

    def facts(self) -> dict[str, Any]:
        org, user = (self.whose[0].key, self.whose[1].key) if self.whose else ("", "")
        return {"org": org or self.host.key, "user": user, "counted": self.counted}

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
        return form_of(self.request, self.query, self.body)

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
            self.delay = host.orgs[0].mode.delay
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
        if _is_upload(self.request):
            return self.request.state.upload.values()
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
