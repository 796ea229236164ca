"""The id of the request at hand, for log lines and error answers."""

from contextvars import ContextVar

current: ContextVar[str] = ContextVar("request_id", default="-")
