"""Log lines that an operator can use and a security reviewer can sign: no values, no bodies, no exception texts.

A traceback keeps its file names, lines and functions; the exception keeps its type. Its message is left out,
since messages quote data (PostgreSQL's DETAIL line, a KeyError's key)."""

import copy
import logging
import logging.config
import sys
import traceback
from typing import Any

from config import request_ids


class Line(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(request_id)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)
        record.request_id = request_ids.current.get()
        record.exc_text = None
        if hasattr(record, "request"):
            self.name_route(record)
        if record.name == "celery.app.trace":
            self.name_task(record)
        return super().format(record)

    def name_route(self, record: logging.LogRecord) -> None:
        """Django quotes the path, host or origin that was refused; those may hold anything, so its route is named."""
        match = getattr(record.request, "resolver_match", None)  # type: ignore[attr-defined]
        status = getattr(record, "status_code", "refused")
        record.msg, record.args = "%s at %s", (status, match.route if match else "(no address of ours)")

    def name_task(self, record: logging.LogRecord) -> None:
        """Celery puts the exception's text into its message; the task's name, id and what became of it are enough."""
        told = record.args if isinstance(record.args, dict) else {}
        record.msg = "task %s[%s] %s"
        record.args = (told.get("name", "?"), told.get("id", "?"), told.get("description", "was not carried out"))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        frames = traceback.extract_tb(ei[2])[-12:]
        trail = " < ".join(
            f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}:{frame.name}" for frame in reversed(frames)
        )
        return f"{ei[0].__module__}.{ei[0].__qualname__} at {trail}"


def configure(_: dict[str, Any] | None = None) -> None:
    """Django's LOGGING_CONFIG; Celery calls it too."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": Line}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                # These print URLs, headers, task arguments or SQL at levels that somebody may one day turn on.
                "urllib3": {"level": "WARNING"},
                "requests": {"level": "WARNING"},
                "simple_salesforce": {"level": "WARNING"},
                "django.db.backends": {"level": "WARNING"},
                "celery.app.trace": {"level": "ERROR"},
                "celery.worker.strategy": {"level": "WARNING"},
                "oauthlib": {"level": "WARNING"},
                "oauth2_provider": {"level": "WARNING"},
            },
        }
    )
    logging.captureWarnings(True)
