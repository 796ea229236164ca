"""Failures as answers: RFC 9457 problem details on the API, a plain page elsewhere. Nothing of the failure's inside."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework import exceptions
from rest_framework.views import set_rollback

from config import pace, request_ids
from dashboard.problems import title_of
from providers import errors as provider_errors
from vault import dialects
from vault.clients import reconnect_url
from vault.errors import AppUnusable, ConnectRequired, KekUnusable, KeyGone, TokenTampered

log = logging.getLogger("sidebar.errors")


def problem(
    slug: str,
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """An RFC 9457 answer. `detail` is a sentence that says what to do; `members` are extension members."""
    body = {
        "type": f"{settings.PUBLIC_URL}/problems/{slug}",
        "title": title_of(slug),
        "status": status,
        "detail": detail,
        "request_id": request_ids.current.get(),
        **members,
    }
    response = HttpResponse(
        orjson.dumps(body, default=str), status=status, content_type="application/problem+json", headers=headers
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_response(exception: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's EXCEPTION_HANDLER."""
    set_rollback()
    return problem_for(exception)


def problem_for(exception: Exception) -> HttpResponse | None:
    """The problem an exception stands for; None for a bug, which becomes a 500."""
    for kind, answer in ANSWERS.items():
        if isinstance(exception, kind):
            return answer(exception)
    return None


def _details(error: provider_errors.ProviderError) -> list[dict[str, Any]]:
    """Salesforce's own words for the person who asked (C15)."""
    return [{"code": d.code, "message": d.message, "fields": list(d.fields)} for d in error.details]


def _connect_required(error: Any) -> HttpResponse:
    return problem(
        "connect-required",
        409,
        "You have not connected this provider yet. Open reconnect_url to do so.",
        provider=error.provider,
        reconnect_url=reconnect_url(error.provider),
    )


def _needs_reconnect(error: Any) -> HttpResponse:
    provider = error.provider or dialects.SIGNS_IN
    return problem(
        "needs-reconnect",
        409,
        f"{error} Open reconnect_url to connect again.",
        provider=provider,
        reconnect_url=reconnect_url(provider),
    )


def _permission_missing(error: Any) -> HttpResponse:
    return problem("permission-missing", 403, str(error), errors=_details(error))


def _rate_limited(error: Any) -> HttpResponse:
    wait = str(max(1, round(error.retry_after)))
    return problem("rate-limited", 503, str(error), headers={"Retry-After": wait}, errors=_details(error))


def _not_found(error: Any) -> HttpResponse:
    return problem("not-found", 404, "There is no such record, or you may not see it.")


def _rejected(error: Any) -> HttpResponse:
    # 409: the request is well formed, and in conflict with rules that only Salesforce knows.
    return problem("rejected", 409, "Salesforce refused this; its own words are in errors.", errors=_details(error))


def _transient(error: Any) -> HttpResponse:
    wait = str(max(1, round(error.retry_after)))
    return problem("provider-unavailable", 503, str(error), headers={"Retry-After": wait})


def _unavailable(error: Any) -> HttpResponse:
    """What only an operator can mend: an origin that is no longer allowed, say, or an app that does not open."""
    return problem("provider-unavailable", 503, str(error), headers={"Retry-After": "60"})


def _keys_missing(error: Any) -> HttpResponse:
    """What exactly is wrong is for the operator: `manage.py doctor` and the log say it."""
    text = "Stored connections cannot be opened just now. The operator has to look at the vault's keys."
    return problem("provider-unavailable", 503, text, headers={"Retry-After": "60"})


def _sealed_shut(error: Any) -> HttpResponse:
    """The stored grant cannot be opened any more; a new one can be made."""
    return _needs_reconnect(
        provider_errors.NeedsReconnect("The stored grant cannot be opened.", provider=error.provider)
    )


def _database_away(error: Any) -> HttpResponse:
    return problem(
        "database-unavailable",
        503,
        "Our database does not answer. Try again in a few seconds.",
        headers={"Retry-After": "5"},
    )


def too_slow(error: Any = None) -> HttpResponse:
    detail = "The body did not arrive in time. Nothing was done; send it again."
    return problem("too-slow", 408, detail, headers={"Connection": "close"})


def _too_big(error: Any) -> HttpResponse:
    return problem("too-large", 413, "The body is larger than 1 MiB.")


_SLUGS = {
    400: "bad-request",
    401: "not-authenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
}


def _drf(error: exceptions.APIException) -> HttpResponse:
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, round(wait)))
    slug = getattr(error, "slug", None) or _SLUGS.get(error.status_code, "bad-request")
    members: dict[str, Any] = dict(getattr(error, "members", {}))
    if isinstance(error, exceptions.ValidationError):
        return problem("invalid", 400, "Mend the values named in errors.", headers=headers, errors=_flat(error.detail))
    return problem(slug, error.status_code, str(error.detail), headers=headers, **members)


def _flat(detail: Any, field: str = "") -> list[dict[str, str]]:
    """DRF's nested error lists as one list of {field, message}."""
    if isinstance(detail, dict):
        parts = [_flat(value, f"{field}.{key}" if field else str(key)) for key, value in detail.items()]
    elif isinstance(detail, list):
        parts = [_flat(value, field) for value in detail]
    else:
        return [{"field": field, "message": str(detail)}]
    return [entry for part in parts for entry in part]


ANSWERS: dict[type[Exception], Callable[[Any], HttpResponse]] = {
    ConnectRequired: _connect_required,
    provider_errors.NeedsReconnect: _needs_reconnect,
    provider_errors.PermissionMissing: _permission_missing,
    provider_errors.RateLimited: _rate_limited,
    provider_errors.NotFound: _not_found,
    provider_errors.Rejected: _rejected,
    provider_errors.Transient: _transient,
    provider_errors.ProviderError: _unavailable,
    KekUnusable: _keys_missing,
    AppUnusable: _unavailable,
    KeyGone: _sealed_shut,
    TokenTampered: _sealed_shut,
    exceptions.APIException: _drf,
    RequestDataTooBig: _too_big,
    pace.TooSlow: too_slow,
    OperationalError: _database_away,
    InterfaceError: _database_away,
    Http404: _not_found,
    PermissionDenied: lambda error: problem("forbidden", 403, "You may not do this."),
}

_PAGES = {
    400: "Your browser sent something that cannot be understood here.",
    403: "You may not open this page. If you followed a form, go back, reload and try again.",
    404: "There is no such page.",
    503: "We cannot answer right now. Try again in a few seconds.",
    500: "Something went wrong on our side. Try again; if it stays, tell your administrator the number below.",
}


def _page(request: HttpRequest, status: int) -> HttpResponse:
    if request.path.startswith("/api/"):
        slug = _SLUGS.get(status, "server-error")
        return problem(slug, status, _PAGES[status].replace("page", "address"))
    context = {"status": status, "sentence": _PAGES[status], "request_id": request_ids.current.get()}
    return render(None, "error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the exception. A database that is away or has no connection left is no bug."""
    if not isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return _page(request, 500)
    if request.path.startswith("/api/"):
        return _database_away(None)
    response = _page(request, 503)
    response.headers["Retry-After"] = "5"
    return response
