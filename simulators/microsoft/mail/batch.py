"""`$batch`: several requests in one. Source: learn.microsoft.com/graph/json-batching."""

import base64
import json
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from simulators.front import json_response
from simulators.microsoft.mail.call import Call
from simulators.microsoft.mail.failures import bad

MOST = 20
Json = dict[str, Any]


def answer(call: Call, one: Callable[[Call], Response]) -> Response:
    """`one`: answers a request of its own, refusals too. Answers come in another order than the requests."""
    asked = call.body.get("requests") if isinstance(call.body, dict) else None
    _check(asked)
    found = [_answered(call, each, one) for each in asked or ()]
    return json_response({"responses": found[1::2] + found[::2]})


def _check(asked: Any) -> None:
    if not isinstance(asked, list) or not asked or not all(isinstance(each, dict) for each in asked):
        raise bad("Invalid batch payload format.")
    if len(asked) > MOST:
        raise bad(f"Number of batch request steps exceeds the maximum value of {MOST}.", "MaximumValueExceeded")
    ids = [str(each.get("id", "")).lower() for each in asked]
    if "" in ids or len(set(ids)) < len(ids):
        raise bad("Request Ids must be given and must not be duplicated.")


def _answered(call: Call, asked: Json, one: Callable[[Call], Response]) -> Json:
    url, method = str(asked.get("url", "")), str(asked.get("method", "")).upper()
    if not url or "://" in url or not method or (asked.get("body") is not None and not asked.get("headers")):
        response = bad("Invalid batch request step.").response()
    else:
        headers = {str(name).lower(): str(value) for name, value in (asked.get("headers") or {}).items()}
        response = one(call.within(method, url, headers.get("prefer", ""), asked.get("body")))
    headers = {name.title(): value for name, value in response.headers.items() if name != "content-length"}
    return {"id": str(asked["id"]), "status": response.status_code, "headers": headers, "body": _body(response)}


def _body(response: Response) -> Any:
    """What is no JSON comes in base64."""
    content = bytes(getattr(response, "body", b""))
    if "json" in response.headers.get("content-type", ""):
        return json.loads(content)
    return base64.b64encode(content).decode()
