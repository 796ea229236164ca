"""Every address of the product, from its URL configuration, and what an answer must look like whatever was sent."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from uuid import uuid4

import requests
from django.urls import get_resolver

#: A value for each kind of part an address has.
PARTS: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid4()),
    "int": lambda: "7",
    "slug": lambda: "nothing",
    "str:object": lambda: "Contact",
    "str": lambda: "003000000000001",
    "path": lambda: "nothing/here",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SLOWEST = 2.0  # seconds, twice in a row: other tests keep the machine busy
#: RFC 6749 4.1.2.1 and 5.2, RFC 7009 2.2.1.
OAUTH_ERRORS = {
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
    *("invalid_scope", "access_denied", "unsupported_response_type", "unsupported_token_type", "server_error"),
}
_JSON_OF_OAUTH = ("/o/token/", "/o/revoke_token/", "/o/introspect/")


@cache
def addresses() -> tuple[str, ...]:
    """A path for every route there is."""
    return tuple(dict.fromkeys("/" + _filled(route) for route in _routes(get_resolver().url_patterns, "")))


def _routes(patterns: list[Any], before: str) -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route


def _filled(route: str) -> str:
    def fill(part: re.Match[str]) -> str:
        kind, _, _ = part[1].partition(":")
        return PARTS[part[1] if part[1] in PARTS else kind]()

    return re.sub(r"<([^>]+)>", fill, route)


def fault(answer: requests.Response) -> str:
    """What is wrong with an answer to anything at all; "" when nothing is."""
    path = "/" + answer.url.split("://", 1)[1].partition("/")[2].partition("?")[0]
    if answer.status_code >= 500:
        return f"{answer.status_code}"
    if _is_slow(answer) and (not _may_be_sent_again(answer.request) or _is_slow(_again(answer))):
        return f"took {answer.elapsed.total_seconds():.1f} s"
    if answer.status_code < 400:
        return ""
    if path.startswith("/api/"):
        return _fault_of_problem(answer)
    return _fault_of_oauth(answer) if path in _JSON_OF_OAUTH else ""


def _is_slow(answer: requests.Response) -> bool:
    return answer.elapsed.total_seconds() > SLOWEST


def _may_be_sent_again(request: requests.PreparedRequest) -> bool:
    """And is the same request then: neither used up nor answered from what is kept of the first."""
    return isinstance(request.body, str | bytes | None) and "Idempotency-Key" not in request.headers


def _again(answer: requests.Response) -> requests.Response:
    with requests.Session() as http:
        return http.send(answer.request, allow_redirects=False, timeout=30)


def _fault_of_problem(answer: requests.Response) -> str:
    if answer.headers.get("Content-Type") != "application/problem+json":
        return f"{answer.status_code} is no problem+json"
    if answer.status_code == 401 and not answer.headers.get("WWW-Authenticate", "").startswith("Bearer "):
        return "401 without a challenge"
    if answer.status_code == 405 and not answer.headers.get("Allow"):
        return "405 without Allow"
    if answer.request.method == "HEAD":
        return ""
    body = answer.json()
    if not {"type", "title", "status", "detail", "request_id"} <= set(body) or body["status"] != answer.status_code:
        return "not RFC 9457"
    return ""


def _fault_of_oauth(answer: requests.Response) -> str:
    if not answer.headers.get("Content-Type", "").startswith("application/json"):
        return f"{answer.status_code} is no JSON"
    if answer.request.method != "HEAD" and answer.json().get("error") not in OAUTH_ERRORS:
        return "not RFC 6749"
    return ""
