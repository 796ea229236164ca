"""Errors of the Microsoft identity platform, shaped and worded as there.

Source: learn.microsoft.com/entra/identity-platform/reference-error-codes."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.front import Result
from simulators.microsoft.accounts import new_id

#: number -> error, text, and where they differ from the usual: status, suberror
_KNOWN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())
_CHALLENGE = {"access_token": {"polids": {"essential": True, "values": ["5ce770ea-8690-4747-aa73-c5b3cd509cd4"]}}}


def stamp(seconds: float | None = None) -> str:
    when = datetime.fromtimestamp(seconds, UTC) if seconds is not None else datetime.now(UTC)
    return when.strftime("%Y-%m-%d %H:%M:%SZ")


def long_stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def error(number: int, base: str = "", **words: str) -> Result:
    """Status and body. `base`: origin for error_uri; `words`: what the text names."""
    known = _KNOWN[str(number)]
    trace, correlation, at = new_id(), new_id(), stamp()
    said = f"AADSTS{number}: {known['text'].format(**words)}"
    body: dict[str, Any] = {
        "error": known["error"],
        "error_description": f"{said} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
        "error_codes": [number],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{base}/error?code={number}",
    }
    if "suberror" in known:
        body["suberror"] = known["suberror"]
    if number == 53003:
        body["claims"] = json.dumps(_CHALLENGE, separators=(",", ":"))
    return known.get("status", 400), body
