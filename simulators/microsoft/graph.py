"""Microsoft Graph: who asks, how much at once, and where each request goes. Holds no mail."""

import base64
import json
from collections.abc import Awaitable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulators.front import Form, json_response
from simulators.microsoft.accounts import Account, new_id
from simulators.microsoft.mail import batch, reading, subscribing
from simulators.microsoft.mail.call import Call
from simulators.microsoft.mail.failures import Refusal, bad, no_segment
from simulators.microsoft.mail.gate import Gate
from simulators.microsoft.provider import Microsoft
from simulators.oauth.families import Family
from simulators.oauth.web import Exchange
from simulators.oauth.witness import Witness

_VERSION = "/v1.0"


class Graph(Exchange[Microsoft]):
    """graph.microsoft.com, over TLS."""

    def __init__(self, provider: Microsoft, request: Request, query: Form, body: bytes) -> None:
        super().__init__(provider, request, query, body)
        self.witness = self.visit = Visit(provider.ledger, provider.families, self.path, self.form, self.bearer)

    def answer(self) -> Response | Awaitable[Response]:
        """With a `request-id`, as on all that Graph itself answers."""
        found = self._answer()
        return _numbered(found) if isinstance(found, Response) else _numbered_later(found)

    def _answer(self) -> Response | Awaitable[Response]:
        found = self.provider.grant_of(self.bearer)
        if found is None:
            return _refused(self.provider, "InvalidAuthenticationToken", _why(self.bearer))
        account, family = found
        self.counted = True
        if account.challenge and "mfa" not in family.marks:
            return _challenge(self.provider)
        if self.path.rstrip("/") == "/oidc/userinfo":
            return self._userinfo(account, family)
        if not self.path.startswith(_VERSION):
            return no_segment(self.path).response()
        return self._entered(account, family)

    def _entered(self, account: Account, family: Family) -> Response | Awaitable[Response]:
        try:
            self.visit.enter(self.provider.boxes.gate, family.client_id, account.key)
        except Refusal as refusal:
            return refusal.response()
        return answered(self._call(account, family))

    def _call(self, account: Account, family: Family) -> Call:
        who = (self.provider, account, family.client_id, frozenset(family.scopes))
        path, prefer = self.path.removeprefix(_VERSION), self.request.headers.get("prefer", "")
        return Call(*who, self.request.method, path, self.form, prefer, _json(self.body))

    def _userinfo(self, account: Account, family: Family) -> Response:
        sub = self.provider.pairwise(account, family.client_id)
        body = {"sub": sub, "name": account.name, "given_name": account.first, "family_name": account.last}
        return json_response(body | ({"email": account.email} if "email" in family.scopes else {}))


def _numbered(response: Response) -> Response:
    response.headers["request-id"] = response.headers["client-request-id"] = new_id()
    return response


async def _numbered_later(answer: Awaitable[Response]) -> Response:
    return _numbered(await answer)


class Visit(Witness):
    """A witness that keeps the caller's place among those who ask at once, until he has his answer."""

    place: tuple[Gate, str, str] | None = None

    def enter(self, gate: Gate, app: str, person: str) -> None:
        """Raises Refusal 429."""
        self.place = (gate, app, person)
        gate.enter(app, person)

    def done(self, *, delivered: bool) -> None:
        if self.place:
            gate, *who = self.place
            gate.leave(*who)
        super().done(delivered=delivered)


def answered(call: Call) -> Response | Awaitable[Response]:
    """One request below /v1.0, or one of a batch."""
    try:
        return _routed(call)
    except Refusal as refusal:
        return refusal.response()


def _routed(call: Call) -> Response | Awaitable[Response]:
    match call.segments:
        case ["$batch"] if call.method == "POST":
            return batch.answer(call, _within)
        case ["me"]:
            return _me(call)
        case ["me", "revokeSignInSessions"] if call.method == "POST":
            return _revoke(call)
        case ["me", *rest] if rest and rest[0].lower() in ("messages", "mailfolders"):
            call.microsoft.boxes.gate.count(call.client_id, call.account.key)
            return reading.read(call, rest)
        case ["subscriptions", *rest]:
            call.microsoft.boxes.gate.count(call.client_id, call.account.key)
            return subscribing.answer(call, rest)
        case [*_, last]:
            raise no_segment(last)
    raise no_segment("")


def _within(call: Call) -> Response:
    """Batches are not nested, and nothing in them waits for others."""
    found = no_segment("$batch").response() if call.segments == ["$batch"] else answered(call)
    return found if isinstance(found, Response) else bad("This is not simulated within a batch.").response()


def _revoke(call: Call) -> Response:
    if "User.RevokeSessions.All" not in call.scopes:
        return _denied()
    call.account.valid_from = call.microsoft.clock.now()
    return json_response({"@odata.context": f"{call.microsoft.graph_url}/v1.0/$metadata#Edm.Boolean", "value": True})


def _me(call: Call) -> Response:
    if not call.scopes & {"User.Read", "User.Read.All"}:
        return _denied()
    account = call.account
    whole: dict[str, Any] = {
        "id": account.oid,
        "displayName": account.name,
        "givenName": account.first,
        "surname": account.last,
        "mail": account.email,
        "userPrincipalName": account.email,
        "businessPhones": [],
        "jobTitle": None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
    }
    selectable = whole | {"proxyAddresses": [f"SMTP:{account.email}", *(f"smtp:{each}" for each in account.aliases)]}
    asked = call.query.get("$select", "")
    fields = [name.strip() for name in asked.split(",") if name.strip()] or list(whole)
    context = f"{call.microsoft.graph_url}/v1.0/$metadata#users" + (f"({asked})/$entity" if asked else "/$entity")
    return json_response(
        {"@odata.context": context, **{name: selectable[name] for name in fields if name in selectable}}
    )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def _why(bearer: str) -> str:
    if not bearer:
        return "Access token is empty."
    return (
        "Lifetime validation failed, the token is expired."
        if bearer.count(".") == 2
        else "IDX14100: JWT is not well formed."
    )


def _denied() -> Response:
    return Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.").response()


def _refused(microsoft: Microsoft, code: str, message: str) -> Response:
    response = Refusal(401, code, message).response()
    where = f'authorization_uri="{microsoft.pages_url}/common/oauth2/v2.0/authorize"'
    response.headers["WWW-Authenticate"] = f'Bearer realm="", {where}, client_id="00000003-0000-0000-c000-000000000000"'
    return response


def _challenge(microsoft: Microsoft) -> Response:
    """Continuous access evaluation wants a fresh sign-in.

    Source: learn.microsoft.com/entra/identity-platform/claims-challenge."""
    wanted = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    claims = base64.b64encode(json.dumps(wanted).encode()).decode()
    response = _refused(
        microsoft,
        "InvalidAuthenticationToken",
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp.",
    )
    response.headers["WWW-Authenticate"] += f', error="insufficient_claims", claims="{claims}"'
    return response
