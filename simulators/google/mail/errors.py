"""Errors of the Gmail API in Google's own words.

Sources: developers.google.com/workspace/gmail/api/guides/handle-errors; bodies as clients report them (amd/gaia#2716,
mxngls/gmail-cleaner#5, mhasbini/gmail_analyzer#12, googleapis/google-api-dotnet-client#1982)."""

from datetime import UTC, datetime
from typing import Any

from simulators.front import Result

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
}


class GmailError(Exception):
    """One answer that is no 2xx."""

    def __init__(self, code: int, reason: str, message: str, *, status: str = "", **extra: Any) -> None:
        super().__init__(message)
        self.code = code
        entry = {"message": message, "domain": extra.pop("domain", "global"), "reason": reason}
        entry |= {key: extra.pop(key) for key in ("location", "locationType") if key in extra}
        self.body: dict[str, Any] = {
            "error": {"code": code, "message": message, "errors": [entry], "status": status or _STATUS[code], **extra}
        }

    @property
    def result(self) -> Result:
        return self.code, self.body


def invalid(message: str) -> GmailError:
    return GmailError(400, "invalidArgument", message)


def not_found() -> GmailError:
    return GmailError(404, "notFound", "Requested entity was not found.")


def bad_credentials() -> GmailError:
    text = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    return GmailError(401, "authError", text, location="Authorization", locationType="header")


def few_scopes() -> GmailError:
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": "gmail.googleapis.com"},
    }
    text = "Request had insufficient authentication scopes."
    return GmailError(403, "insufficientPermissions", text, details=[detail])


def metadata_only(what: str) -> GmailError:
    return GmailError(403, "forbidden", f"Metadata scope does not support {what}")


def delegation_denied(user: str) -> GmailError:
    return GmailError(403, "forbidden", f"Delegation denied for {user}")


def user_rate(until: float) -> GmailError:
    """The only place where Google says how long to wait: in the text. There is no Retry-After."""
    when = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return GmailError(
        429, "userRateLimitExceeded", f"User-rate limit exceeded.  Retry after {when}Z", domain="usageLimits"
    )


def too_many_at_once() -> GmailError:
    return GmailError(429, "rateLimitExceeded", "Too many concurrent requests for user")


def quota() -> GmailError:
    text = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service "
        "'gmail.googleapis.com' for consumer 'project_number:1'."
    )
    return GmailError(403, "rateLimitExceeded", text, domain="usageLimits", status="RESOURCE_EXHAUSTED")
