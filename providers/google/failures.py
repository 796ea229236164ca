"""What an answer of Google's APIs means, by its `reason` rather than its status. No I/O, no content in any message.

Sources: developers.google.com/workspace/gmail/api/guides/handle-errors; docs/wire.md; bodies that clients report
(amd/gaia#2716, mxngls/gmail-cleaner#5): a 403 may be a rate limit, and how long to wait stands in a sentence only."""

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from providers.errors import Detail, NotFound, PermissionMissing, ProviderError, RateLimited, Rejected, Transient

PROVIDER = "google"
LABEL = "Google"
_RATE = frozenset({"ratelimitexceeded", "userratelimitexceeded", "quotaexceeded", "resource_exhausted"})
_DAILY = frozenset({"dailylimitexceeded", "dailylimitexceededunreg"})
_SCOPES = frozenset({"insufficientpermissions", "access_token_scope_insufficient"})
_SWITCHED_OFF = frozenset({"accessnotconfigured", "service_disabled"})
_PRECONDITION = frozenset({"failedprecondition", "failed_precondition"})
_CODE = re.compile(r"[A-Za-z_]{1,60}")
_RETRY_AFTER = re.compile(r"Retry after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)Z")
_LONGEST = 3600.0
_DAY = 6 * 3600.0

WATCHED_ELSEWHERE = "watched_elsewhere"
_ONE_TOPIC = "only one user push notification client"


def parsed(content: bytes) -> Any:
    """The JSON of a body, None where there is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def nonsense() -> Transient:
    return Transient("Google gave an answer that makes no sense.", provider=PROVIDER, code="nonsense", retry_after=30.0)


def failure_of(status: int, body: object, headers: Mapping[str, str], *, is_write: bool = False) -> ProviderError:
    """The ProviderError of an answer that is no 2xx, or of one part of a batch. `headers`: of the whole answer."""
    error = body.get("error") if isinstance(body, Mapping) else None
    error = error if isinstance(error, Mapping) else {}
    said = str(error.get("message") or "")
    details = _details(error)
    codes = {detail.code.lower() for detail in details}
    if codes & _DAILY:
        text = "The calls to Google that this app may make in a day are used up."
        return RateLimited(text, provider=PROVIDER, details=details, retry_after=_DAY, daily=True)
    if status == 429 or codes & _RATE:
        wait = _wait(said, headers, 30.0)
        return RateLimited("Google asks us to wait.", provider=PROVIDER, details=details, retry_after=wait)
    if status >= 500 or not status >= 400:
        return Transient(
            "Google is not available just now.",
            provider=PROVIDER,
            details=details,
            outcome_unknown=is_write and status >= 500,
            retry_after=_wait(said, headers, 5.0),
        )
    return _refusal(status, codes, said.lower(), details)


def _refusal(status: int, codes: set[str], said: str, details: tuple[Detail, ...]) -> ProviderError:
    if _ONE_TOPIC in said:
        text = "Google tells this mailbox's news to another topic already."
        return Rejected(text, provider=PROVIDER, details=details, code=WATCHED_ELSEWHERE)
    if codes & _PRECONDITION:
        return _precondition(said, details)
    if status in (404, 410):
        return NotFound("Google has no such thing, or you may not see it.", provider=PROVIDER, details=details)
    if status in (401, 403):
        return _forbidden(codes, said, details)
    return Rejected("Google did not accept the request.", provider=PROVIDER, details=details)


def _precondition(said: str, details: tuple[Detail, ...]) -> ProviderError:
    """Passing, as a rule; but an account without Gmail stays without (handle-errors, "Mail service not enabled")."""
    if "mail service not enabled" in said:
        text = "This Google account has no Gmail."
        return PermissionMissing(text, provider=PROVIDER, details=details, code="no_mailbox")
    return Transient("Google cannot do this just now.", provider=PROVIDER, details=details, retry_after=60.0)


def _forbidden(codes: set[str], said: str, details: tuple[Detail, ...]) -> PermissionMissing:
    if codes & _SCOPES or "metadata scope" in said:
        text, code = "The access that was granted at Google does not cover this.", "scope_missing"
    elif codes & _SWITCHED_OFF:
        text, code = "The API is switched off in the project at Google; its owner can enable it.", "api_disabled"
    elif "domainpolicy" in codes:
        text, code = "Your Google Workspace administrator does not allow this app.", "admin_policy"
    elif "cloud pubsub" in said:
        text, code = "Gmail may not publish on this topic; gmail-api-push must be a publisher there.", "topic_refused"
    else:
        text, code = "Google does not allow you to do this.", ""
    return PermissionMissing(text, provider=PROVIDER, details=details, code=code)


def _details(error: Mapping[str, Any]) -> tuple[Detail, ...]:
    """Its reasons, in all three places where they stand; texts are for the person who asked."""
    lists = [error.get("errors"), error.get("details"), [{"reason": error.get("status")}]]
    entries = [each for found in lists if isinstance(found, list) for each in found if isinstance(each, Mapping)]
    named = [(str(each.get("reason") or ""), str(each.get("message") or "")) for each in entries]
    return tuple(Detail(reason, text) for reason, text in named if _CODE.fullmatch(reason))


def _wait(said: str, headers: Mapping[str, str], default: float) -> float:
    """Seconds: Retry-After, or the time in the sentence against the answer's own Date."""
    header = headers.get("Retry-After", "")
    if header.isdecimal() and len(header) < 7:
        return min(float(header), _LONGEST)
    until = _moment(said)
    return default if until is None else min(max(until - _now(headers), 1.0), _LONGEST)


def _moment(said: str) -> float | None:
    told = _RETRY_AFTER.search(said)
    try:
        return datetime.fromisoformat(told[1][:19] + "+00:00").timestamp() if told else None
    except ValueError:
        return None


def _now(headers: Mapping[str, str]) -> float:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return time.time()
