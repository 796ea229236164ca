"""Every call to Salesforce: renewal, budget, errors by errorCode, garbled answers, and where the token is not."""

import gc
import json
import time
import types
from typing import Any

import pytest

from providers import http
from providers.base import Access, Priority, Secret
from providers.errors import (
    FreshTokenRefused,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from providers.salesforce.budget import ApiBudget
from providers.salesforce.transport import Wire, sobject
from tests.providers.faulty import Behaviour, Faulty, Handler

OLD, NEW = "canary-old-token", "canary-new-token"


class Tokens:
    """One connection's tokens, as the vault hands them out: a rejected one is renewed once."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url
        self.current = OLD
        self.rejections: list[str] = []

    def access(self, *, rejected: Secret | None = None) -> Access:
        if rejected is not None:
            self.rejections.append(rejected.reveal())
            self.current = NEW
        return Access(Secret(self.current), self.api_url)


@pytest.fixture
def tokens(server: Faulty) -> Tokens:
    return Tokens(server.url)


@pytest.fixture
def budget() -> ApiBudget:
    return ApiBudget()


@pytest.fixture
def wire(tokens: Tokens, session: http.Session, budget: ApiBudget) -> Wire:
    return Wire(tokens, session, budget, "62.0", Priority.INTERACTIVE)


def error(code: str, message: str = "m", fields: list[str] | None = None) -> list[dict[str, Any]]:
    return [{"errorCode": code, "message": message, **({"fields": fields} if fields else {})}]


def answers(*replies: tuple[int, Any]) -> Behaviour:
    left = list(replies)

    def behave(handler: Handler) -> None:
        status, body = left.pop(0) if len(left) > 1 else left[0]
        handler.answer(status, body, {"Sforce-Limit-Info": "api-usage=7/1000"})

    return behave


def query(wire: Wire) -> Any:
    return wire.call(lambda client: client.query("SELECT Id FROM Contact"), is_write=False)


def create(wire: Wire) -> Any:
    return wire.call(lambda client: sobject(client, "Contact").create({"LastName": "canary"}), is_write=True)


def test_an_expired_session_is_renewed_once(wire: Wire, server: Faulty, tokens: Tokens) -> None:
    """C13, docs/wire.md W1."""
    server.behave = answers((401, error("INVALID_SESSION_ID")), (200, {"records": []}))
    assert query(wire) == {"records": []}
    assert tokens.rejections == [OLD]
    assert [seen.headers["Authorization"] for seen in server.seen] == [f"Bearer {OLD}", f"Bearer {NEW}"]


def test_a_session_refused_again_and_again_is_passing_trouble(wire: Wire, server: Faulty, tokens: Tokens) -> None:
    """I6: whether the grant lives says its token endpoint alone. The second token may be one that somebody else got."""
    server.behave = answers((401, error("INVALID_SESSION_ID")))
    with pytest.raises(FreshTokenRefused):
        query(wire)
    assert len(server.seen) == 3
    assert tokens.rejections == [OLD, NEW]


def test_oauth_resources_say_it_in_plain_text(wire: Wire, server: Faulty, tokens: Tokens) -> None:
    server.behave = answers((403, b"Bad_OAuth_Token"), (200, {"user_id": "x"}))
    assert wire.session.request("GET", "/id/x/y").status_code == 200
    assert tokens.rejections == [OLD]


def test_calls_follow_the_tokens_host(wire: Wire, server: Faulty) -> None:
    server.behave = answers((201, {"id": "003000000000001AAA", "success": True, "errors": []}))
    create(wire)
    assert server.seen[0].path == "/services/data/v62.0/sobjects/Contact/"
    assert server.seen[0].headers["Content-Type"] == "application/json"
    assert json.loads(server.seen[0].body) == {"LastName": "canary"}
    assert "canary" not in server.seen[0].path


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), RateLimited),
        (403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded."), RateLimited),
        (403, error("API_DISABLED_FOR_ORG"), PermissionMissing),
        (403, error("API_CURRENTLY_DISABLED"), PermissionMissing),
        (403, error("INSUFFICIENT_ACCESS"), PermissionMissing),
        (400, error("INSUFFICIENT_ACCESS_OR_READONLY"), PermissionMissing),
        (400, error("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"), PermissionMissing),
        (403, error("SOMETHING_NEW"), PermissionMissing),
        (403, b"Wrong_Id", PermissionMissing),
        (400, error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type cannot be inserted: X"), PermissionMissing),
        (400, error("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "MyTrigger: execution of BeforeInsert"), Rejected),
        (404, error("NOT_FOUND"), NotFound),
        (404, error("ENTITY_IS_DELETED"), NotFound),
        (404, b"", NotFound),
        (400, error("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Please give a phone.", ["Phone"]), Rejected),
        (400, error("INVALID_FIELD_FOR_INSERT_UPDATE"), Rejected),
        (400, error("MALFORMED_QUERY"), Rejected),
        (300, ["/services/data/x"], Rejected),
        (400, error("UNABLE_TO_LOCK_ROW"), Transient),
        (500, error("UNKNOWN_EXCEPTION"), Transient),
        (503, error("SERVER_UNAVAILABLE"), Transient),
        (502, b"<html>", Transient),
        (200, b"<html>login</html>", Transient),
        (200, b'{"records": [', Transient),
        (200, b"", Transient),
        (302, b"", Transient),
        (403, b"<html>", Transient),
        (401, b"<html>", Transient),
        (429, b"", RateLimited),
    ],
)
def test_errors_by_code(wire: Wire, server: Faulty, status: int, body: Any, expected: type[ProviderError]) -> None:
    """A 403 is not a 403; FT23: one call each, no storm."""
    server.behave = answers((status, body))
    with pytest.raises(expected) as failure:
        query(wire)
    assert type(failure.value) is expected
    assert len(server.seen) == 1
    assert failure.value.__context__ is None


def test_a_refusal_is_handed_on_unchanged(wire: Wire, server: Faulty) -> None:
    """C15: Salesforce's own words and fields reach the person who asked, and nobody else."""
    server.behave = answers((400, error("FIELD_CUSTOM_VALIDATION_EXCEPTION", "canary: give a phone", ["Phone"])))
    with pytest.raises(Rejected) as failure:
        create(wire)
    (detail,) = failure.value.details
    assert (detail.code, detail.message, detail.fields) == (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "canary: give a phone",
        ("Phone",),
    )
    assert "canary" not in str(failure.value) + repr(failure.value) + repr(detail)


def test_daily_and_passing_limits_differ(wire: Wire, server: Faulty, budget: ApiBudget) -> None:
    server.behave = answers((403, error("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.")))
    with pytest.raises(RateLimited) as failure:
        query(wire)
    assert not failure.value.daily
    server.behave = lambda handler: handler.answer(
        403, error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    )
    with pytest.raises(RateLimited) as failure:
        query(wire)
    assert failure.value.daily
    with pytest.raises(RateLimited), budget.call(Priority.BACKGROUND):
        pass


def test_the_limit_is_read_from_errors_too(wire: Wire, server: Faulty, budget: ApiBudget) -> None:
    server.behave = answers((400, error("MALFORMED_QUERY")))
    with pytest.raises(Rejected):
        query(wire)
    assert (budget._used, budget._limit) == (7, 1000)


def test_shed_work_makes_no_call(tokens: Tokens, session: http.Session, budget: ApiBudget, server: Faulty) -> None:
    budget.saw("api-usage=700/1000")
    with pytest.raises(RateLimited):
        query(Wire(tokens, session, budget, "62.0", Priority.PREFETCH))
    assert server.seen == []
    server.behave = answers((200, {"records": []}))
    query(Wire(tokens, session, budget, "62.0", Priority.INTERACTIVE))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("behave", "unknown"),
    [
        (lambda _: time.sleep(2), True),
        (answers((500, error("UNKNOWN_EXCEPTION"))), True),
        (answers((200, b"<html>")), True),
        (answers((201, b'{"id": "003')), True),
        (answers((400, error("UNABLE_TO_LOCK_ROW"))), False),
    ],
)
def test_writes_with_unknown_outcome(wire: Wire, server: Faulty, behave: Behaviour, unknown: bool) -> None:
    server.behave = behave
    with pytest.raises(Transient) as failure:
        create(wire)
    assert failure.value.outcome_unknown is unknown
    assert len(server.seen) == 1


def test_a_token_host_off_the_list_gets_nothing(wire: Wire, tokens: Tokens, server: Faulty) -> None:
    tokens.api_url = "https://evil.example"
    with pytest.raises(ProviderError):
        query(wire)
    assert server.seen == []


def test_no_client_object_holds_the_token(wire: Wire, server: Faulty, session: http.Session) -> None:
    """docs/hardening.md, row 9: nothing reachable from the client, the session or an answer is the token."""
    server.behave = answers((200, {"records": []}))
    clients: list[Any] = []
    wire.call(clients.append, is_write=False)
    clients[0].query("SELECT Id FROM Contact")
    assert clients[0].session_id != OLD
    response = wire.session.request("GET", "/services/data/v62.0/limits")
    assert OLD in _strings_reached_from([clients[0], {"Authorization": f"Bearer {OLD}"}])
    for start in (clients[0], session, response):
        assert OLD not in _strings_reached_from(start)


#: What leads out of the object into the whole program, and the one place that may hold the token.
_NO_DATA = (type, Tokens, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.FrameType)


def _strings_reached_from(start: object) -> set[str]:
    """Text below `start`, but for what the TokenSource itself holds."""
    seen: set[int] = set()
    found: set[str] = set()
    queue: list[object] = [start]
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, _NO_DATA):
            continue
        seen.add(id(thing))
        if isinstance(thing, str):
            found.add(thing.removeprefix("Bearer "))
        queue.extend(gc.get_referents(thing))
    return found
