"""What the faces of a provider of mail accounts have in common: /_sim, and what of a call the log may say."""

from collections.abc import Awaitable
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from simulators.front import Form, Front, Result, form_of, json_response
from simulators.oauth import control
from simulators.oauth.proofs import fingerprint
from simulators.oauth.provider import Provider
from simulators.oauth.witness import Witness

P = TypeVar("P", bound=Provider)


class Exchange(Generic[P]):
    """One request and what becomes of it."""

    def __init__(self, provider: P, request: Request, query: Form, body: bytes) -> None:
        self.provider, self.request, self.body = provider, request, body
        self.path: str = request.scope["path"]
        self.form = form_of(request, query, body)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        self.bearer = token.strip() if kind.lower() == "bearer" else ""
        self.delay, self.counted = 0.0, False
        self.presented = self.form.get("refresh_token") or self.form.get("token") or self.bearer
        family = provider.families.whose(self.presented)
        self.account = provider.account_of(family.user) if family else None
        self.witness = Witness(provider.ledger, provider.families, self.path, self.form, self.bearer)

    def user_names(self) -> set[str]:
        return {self.account.key, self.account.email, self.account.id} if self.account else set()

    def facts(self) -> dict[str, Any]:
        return {
            "user": self.account.key if self.account else "",
            "grant_type": self.form.get("grant_type", ""),
            "token": fingerprint(self.presented),
            "counted": self.counted,
        }

    def answer(self) -> Response | Awaitable[Response]:
        raise NotImplementedError


class Face(Front, Generic[P]):
    """One listener of a provider; `kind` is what its requests become."""

    def __init__(self, provider: P, kind: type[Exchange[P]], latency: float = 0.0) -> None:
        super().__init__(provider.faults, provider.calls, latency, provider.clock)
        self.provider, self.kind = provider, kind

    def control(self, method: str, path: list[str], query: Form, body: Any) -> Result:
        return control.handle(self.provider, method, path, query, body)

    def exchange(self, request: Request, query: Form, body: bytes) -> Exchange[P]:
        return self.kind(self.provider, request, query, body)


def result(answer: Result) -> Response:
    status, body = answer
    response = json_response(body, status)
    response.headers["Cache-Control"] = "no-store, no-cache"
    response.headers["Pragma"] = "no-cache"
    return response
