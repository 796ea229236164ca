"""What a Salesforce answer means: told apart by errorCode, since a 403 is not a 403 (docs/wire.md W11). No I/O.

The messages carry no content; Salesforce's own words travel in `details`, for the person who asked."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from providers.errors import (
    Detail,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)

PROVIDER = "salesforce"
_SESSION_CODES = frozenset({"INVALID_SESSION_ID", "INVALID_AUTH_HEADER", "Bad_OAuth_Token", "Missing_OAuth_Token"})
STALE_ACCESS_CODES = frozenset({"INVALID_FIELD", "INVALID_TYPE"})
_SWITCHED_OFF = frozenset({"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"})
_PASSING = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION", "INTERNAL_ERROR"}
)
_GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})
_FORBIDDEN = frozenset(
    {"FUNCTIONALITY_NOT_ENABLED", "FORBIDDEN", "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "INVALID_TYPE_FOR_OPERATION"}
)


_BARE_WORD = re.compile(rb"\s*[A-Z][A-Za-z]{1,20}(?:_[A-Za-z]{1,20}){1,4}\s*")


class SessionExpiredError(Exception):
    """Salesforce no longer knows this access token; never leaves `transport`."""


def details_of(body: object) -> tuple[Detail, ...]:
    """Salesforce's error entries, unchanged: [{message, errorCode, fields}]; one entry of OAuth's shape."""
    if isinstance(body, Mapping):
        body = [body] if "errorCode" in body or "message" in body else _oauth_entry(body)
    entries = body if isinstance(body, Sequence) and not isinstance(body, str) else []
    return tuple(_detail(entry) for entry in entries if isinstance(entry, Mapping))


def parsed(content: bytes) -> Any:
    """The JSON of a body, or None where there is none (an HTML page, a cut answer).

    OAuth resources (identity, userinfo, singleaccess) answer a bare word: `Bad_OAuth_Token`, `Wrong_Id`."""
    if _BARE_WORD.fullmatch(content):
        return {"error": content.strip().decode("ascii")}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def is_session_gone(status: int, body: object) -> bool:
    """Whether an answer says, in Salesforce's words, that the access token is not known any more."""
    return status in {401, 403} and any(each.code in _SESSION_CODES for each in details_of(body))


def failure_of(status: int, body: object, *, is_write: bool, retry_after: str = "") -> ProviderError:
    """The ProviderError of a non-2xx answer (also one part of a composite answer)."""
    details = details_of(body)
    codes = {detail.code for detail in details}
    if "REQUEST_LIMIT_EXCEEDED" in codes or status == 429:
        return _limit(details, retry_after)
    if status >= 500 or codes & _PASSING or not 300 <= status < 500:
        return Transient(
            "Salesforce is not available just now.",
            provider=PROVIDER,
            details=details,
            outcome_unknown=is_write and status >= 500,
            retry_after=_seconds(retry_after, 5.0),
        )
    return _refusal(status, codes, details)


def is_stale(status: int, body: object) -> bool:
    """Whether a query or write named what this person does not see (any more)."""
    return status == 400 and any(each.code in STALE_ACCESS_CODES for each in details_of(body))


def _refusal(status: int, codes: set[str], details: tuple[Detail, ...]) -> ProviderError:
    if codes & _SWITCHED_OFF:
        text = "API access is switched off for you in Salesforce (edition, profile or user)."
        return PermissionMissing(text, provider=PROVIDER, details=details, code="api_disabled")
    if codes & _GONE or (status == 404 and not codes):
        return NotFound("Salesforce has no such record, or you may not see it.", provider=PROVIDER, details=details)
    if codes & _FORBIDDEN or _is_bare(status, codes) or any(map(_is_about_rights, details)):
        return PermissionMissing("Salesforce does not allow you to do this.", provider=PROVIDER, details=details)
    if status != 300 and (not codes or status < 400):  # 300: an external id that several records have
        return Transient("Salesforce gave an answer that makes no sense.", provider=PROVIDER)
    return Rejected("Salesforce did not accept the values.", provider=PROVIDER, details=details)


def _is_about_rights(detail: Detail) -> bool:
    """ "Entity type cannot be inserted" shares its code with failing triggers."""
    is_entity = detail.code == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" and detail.message.startswith(
        "entity type cannot"
    )
    return is_entity or detail.code.startswith("INSUFFICIENT_ACCESS")


def _is_bare(status: int, codes: set[str]) -> bool:
    return status in {401, 403} and bool(codes)


def _limit(details: tuple[Detail, ...], retry_after: str) -> RateLimited:
    """TotalRequests is the rolling day; the others (Concurrent...) pass within seconds."""
    daily = any(detail.code == "REQUEST_LIMIT_EXCEEDED" and "TotalRequests" in detail.message for detail in details)
    text = "Your organization's Salesforce API calls for today are used up." if daily else "Salesforce is overloaded."
    seconds = _seconds(retry_after, 300.0 if daily else 5.0)
    return RateLimited(text, provider=PROVIDER, details=details, retry_after=seconds, daily=daily)


def _seconds(header: str, default: float) -> float:
    return min(float(header), 3600.0) if header.isdigit() and len(header) < 6 else default


def _detail(entry: Mapping[str, Any]) -> Detail:
    fields = entry.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    code = entry.get("errorCode") or entry.get("statusCode") or ""
    return Detail(str(code), str(entry.get("message") or ""), names)


def _oauth_entry(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    error = body.get("error")
    return [{"errorCode": error, "message": body.get("error_description", "")}] if error else []
