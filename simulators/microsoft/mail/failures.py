"""Graph's errors, as bodies and headers. Sources: learn.microsoft.com/graph/errors and the threads named at each."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from simulators.front import json_response
from simulators.microsoft.accounts import new_id


@dataclass
class Refusal(Exception):
    """Raised wherever a request goes no further."""

    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        inner = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "request-id": new_id()}
        inner["client-request-id"] = inner["request-id"]
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}

    def response(self) -> Response:
        return json_response(self.body(), self.status, self.headers)


def denied() -> Refusal:
    return Refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


def not_found() -> Refusal:
    return Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> Refusal:
    return Refusal(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def no_segment(name: str) -> Refusal:
    return Refusal(400, "BadRequest", f"Resource not found for the segment '{name}'.")


def bad(message: str, code: str = "BadRequest") -> Refusal:
    return Refusal(400, code, message)


def throttled(seconds: int, limit: str = "MailboxConcurrency") -> Refusal:
    """learn.microsoft.com/graph/throttling; the text as in learn.microsoft.com/answers/questions/1660054."""
    text = f"Application is over its {limit} limit."
    return Refusal(429, "ApplicationThrottled", text, {"Retry-After": str(seconds)})


def sync_state_lost(generation: int, kept: list[int]) -> Refusal:
    """microsoftgraph/microsoft-graph-docs issues 2162 and 2350."""
    known = "".join(f"[{number}]" for number in kept)
    highest = max(kept, default=0)
    text = f"The sync state generation is not found; generation={generation};[highest={highest}]{known}."
    return Refusal(410, "SyncStateNotFound", text)


def resync(url: str) -> Refusal:
    """learn.microsoft.com/graph/delta-query-overview#synchronization-reset"""
    text = "Resync required. Replace any local items with the server's version."
    return Refusal(410, "resyncRequired", text, {"Location": url})
