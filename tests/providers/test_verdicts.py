"""What an answer of Salesforce's says about a token, and what a gateway's page in its place does not (V9, I6, C17).

Google's and Microsoft's own: test_google.py, test_microsoft.py."""

from typing import Any

import pytest

from providers import http
from providers.base import Secret
from providers.errors import Transient
from tests.providers.faulty import Faulty
from tests.providers.test_oauth import ORG, SF, USER, standard


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, {}),
        (400, {"error": "invalid_token", "error_description": "token expired"}),
        (400, {"error": "unsupported_token_type"}),
        (400, b"error=unsupported_token_type&error_description=this%20token%20type%20is%20not%20supported"),
    ],
)
def test_what_says_that_a_token_is_gone(server: Faulty, session: http.Session, status: int, body: Any) -> None:
    """C17. Salesforce answers with a form, too. The token is never in the URL."""
    server.behave = lambda handler: handler.answer(status, body)
    SF.revoke(standard(server), Secret("canary"), session)
    assert (server.seen[0].path, server.seen[0].body) == ("/services/oauth2/revoke", b"token=canary")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, b"<html>gateway</html>") for status in (302, 400, 401, 403, 404, 408, 429, 500, 503)),
        *((status, {"error": "invalid_token"}) for status in (401, 403, 404, 429, 500)),
        *((200, body) for body in (b"<html>gateway</html>", b"<!doctype html>", b"ok", b"[]", {"message": "sign in"})),
        *((200, body) for body in ({"error": "blocked"}, b"error=blocked")),
        (400, {}),
        (400, {"error": "invalid_request"}),
        (400, {"error": ["invalid_token"]}),
        (404, b"Bad_Id"),
    ],
)
def test_what_leaves_it_open_whether_a_token_is_gone(
    server: Faulty, session: http.Session, status: int, body: Any
) -> None:
    """RFC 7009, 2.2.1: it must be taken to live on."""
    server.behave = lambda handler: handler.answer(status, body, {"Retry-After": "9"})
    with pytest.raises(Transient) as caught:
        SF.revoke(standard(server), Secret("canary"), session)
    assert caught.value.retry_after == 9.0


PERSON = {"sub": f"https://login.salesforce.com/id/{ORG}/{USER}", "user_id": USER, "organization_id": ORG}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, PERSON, True),
        (200, {**PERSON, "user_id": USER[:15], "organization_id": ORG[:15]}, True),
        (403, b"Bad_OAuth_Token", False),
        (403, b"Missing_OAuth_Token\n", False),
        (401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], False),
    ],
)
def test_whether_a_token_works(server: Faulty, session: http.Session, status: int, body: Any, verdict: bool) -> None:
    server.behave = lambda handler: handler.answer(status, body)
    for subject in ("", USER):
        assert SF.works(Secret("canary"), server.url, session, subject) is verdict
    assert server.seen[0].path == "/services/oauth2/userinfo"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, b"<html>gateway</html>") for status in (200, 204, 302, 400, 401, 403, 404, 429, 503)),
        *((status, {}) for status in (200, 401, 403)),
        *((403, body) for body in (b"Wrong_Org", b"Access_Denied", {"message": "Request blocked"})),
        (200, {**PERSON, "user_id": "005000000000002AAA"}),
        (200, {**PERSON, "user_id": ORG}),
        (200, {"sub": PERSON["sub"]}),
        (200, b"Bad_OAuth_Token"),
        (500, b"Bad_OAuth_Token"),
    ],
)
def test_what_leaves_it_open_whether_a_token_works(
    server: Faulty, session: http.Session, status: int, body: Any
) -> None:
    """V9: neither a proof nor a reason to use up a refresh token."""
    server.behave = lambda handler: handler.answer(status, body, {"Retry-After": "9"})
    with pytest.raises(Transient) as caught:
        SF.works(Secret("canary"), server.url, session, USER)
    assert caught.value.retry_after == 9.0
