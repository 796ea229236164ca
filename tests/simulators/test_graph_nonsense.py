"""Whatever is asked, the simulated Graph refuses it as Graph would: never with an error of its own."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from simulators.microsoft.accounts import App
from simulators.microsoft.graph import answered
from simulators.microsoft.mail.call import Call
from simulators.microsoft.mail.resources import MESSAGE
from simulators.microsoft.provider import Microsoft
from simulators.oauth.signing import Signer

SCOPES = frozenset({"User.Read", "Mail.Read"})
ODD = st.sampled_from(
    ["", " ", "-1", "0", "1e9", "²", "٣", "null", "'", "(", "a,b", "2026-13-45", "x" * 3000, "\x00", "Zoë"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | ODD
KEYS = st.sampled_from(
    ["requests", "id", "method", "url", "headers", "body", "Prefer", "changeType", "resource", "notificationUrl",
     "expirationDateTime", "clientState", "lifecycleNotificationUrl"]
)  # fmt: skip
URLS = st.sampled_from(
    ["/me/messages", "/me", "/$batch", "me/mailFolders('inbox')/messages/delta", "?", "/subscriptions"]
)
BODIES = st.recursive(
    SCALARS | URLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
SEGMENTS = st.sampled_from(
    ["me", "mailFolders", "inbox", "childFolders", "messages", "delta", "delta()", "$value", "subscriptions", "$batch",
     "reauthorize", "revokeSignInSessions", "users", "('x')", "..", ""]
) | st.text(max_size=8)  # fmt: skip
OPTIONS = st.dictionaries(
    st.sampled_from(
        ["$select", "$filter", "$orderby", "$top", "$skip", "$expand", "$count", "$deltatoken", "changeType"]
    ) | st.text(max_size=5),
    ODD | st.text(max_size=30) | st.sampled_from(
        ["receivedDateTime ge 2026-01-01T00:00:00Z", "receivedDateTime ge 0001-01-01T00:00:00+14:00", "isRead eq true",
         "receivedDateTime desc", "subject", "singleValueExtendedProperties($filter=id eq 'Integer 0x0E08')", "created"]
    ),
    max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory: pytest.TempPathFactory) -> Microsoft:
    directory: Path = tmp_path_factory.mktemp("microsoft")
    made = Microsoft(Signer(directory / "key"), App("app", "secret"))
    made.graph_url = "https://localhost:1"
    return made


def ask(microsoft: Microsoft, method: str, path: str, query: dict[str, str], prefer: str, body: Any) -> Response:
    account = microsoft.accounts["alice"]
    found = answered(Call(microsoft, account, "app", SCOPES, method, path, query, prefer, body))

    async def settled() -> Response:
        return found if isinstance(found, Response) else await found

    return asyncio.run(settled())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]), st.lists(SEGMENTS, max_size=6), OPTIONS, ODD, BODIES
)  # fmt: skip
def test_nothing_is_an_error_of_its_own(
    microsoft: Microsoft, method: str, segments: list[str], query: dict[str, str], prefer: str, body: Any
) -> None:
    microsoft.restore_mail()
    found = ask(microsoft, method, "/" + "/".join(segments), query, prefer, body)
    assert found.status_code < 500
    if found.status_code >= 400:
        assert set(json.loads(bytes(found.body))["error"]) == {"code", "message", "innerError"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/me/messages", "/me/mailFolders/inbox/messages/delta", "/me/mailFolders", "/me/messages/x"]),
    OPTIONS,
)
def test_no_option_is_an_error_of_its_own(microsoft: Microsoft, path: str, query: dict[str, str]) -> None:
    microsoft.restore_mail()
    assert ask(microsoft, "GET", path, query, "odata.maxpagesize=0", None).status_code in (200, 400, 404, 410)


@given(st.dictionaries(KEYS, BODIES, max_size=7), st.lists(st.dictionaries(KEYS, BODIES, max_size=5), max_size=22))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_an_error_of_its_own(microsoft: Microsoft, body: dict[str, Any], steps: list[Any]) -> None:
    microsoft.restore_mail()
    assert ask(microsoft, "POST", "/subscriptions", {}, "", body).status_code == 400
    assert ask(microsoft, "POST", "/$batch", {}, "", {"requests": steps}).status_code in (200, 400)


def test_every_property_of_every_message_can_be_shown(microsoft: Microsoft) -> None:
    microsoft.restore_mail()
    query = {"$select": ",".join(MESSAGE), "$top": "1000"}
    for name, account in microsoft.accounts.items():
        call = Call(microsoft, account, "app", SCOPES, "GET", "/me/messages", query)
        found = answered(call)
        assert isinstance(found, Response)
        assert len(json.loads(bytes(found.body))["value"]) >= 4, name
