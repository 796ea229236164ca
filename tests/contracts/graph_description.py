"""Microsoft's own description of Graph v1.0 as a judge: of each request that we send and each answer of our simulator.

The description (../shared/corpora/graph, made of the published CSDL) asks for an `id` in what is created, says nothing
of JSON batches, gives delta no query options and PATCH no body: there, what learn.microsoft.com says counts. Real
answers may hold more than it declares; our simulator's may not."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema_rs
import requests

from providers import http

FILE = Path(__file__).resolve().parents[3] / "shared/corpora/graph/graph.small.json"
_KEY = re.compile(r"\('([^']*)'\)")
_DELTA_OPTIONS = frozenset({"$select", "$filter", "$orderby", "changeType", "$deltatoken", "$skiptoken"})
_ROOT = "/v1.0"
#: The description is cut to mail, calendar and subscriptions: of a person it keeps less than there is
#: (learn.microsoft.com/graph/api/resources/user#properties).
_CUT_OFF = frozenset({"proxyAddresses"})
Json = dict[str, Any]


class CheckedSession(http.Session):
    """Checks all that goes through it, and that each request, also each of a batch, asks for immutable ids. What a
    test has the simulator say instead carries no `request-id`."""

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        path = url.partition("://")[2].partition("/")[2]
        if f"/{path}".startswith(_ROOT):
            check_request(method, f"/{path}", kwargs.get("json"))
            asked = kwargs["json"]["requests"] if path.endswith("$batch") else [kwargs]
            assert all("ImmutableId" in each["headers"]["Prefer"] for each in asked)
        response = super().request(method, url, *args, **kwargs)
        if f"/{path}".startswith(_ROOT) and "request-id" in response.headers and not kwargs.get("stream"):
            body = response.json() if response.content else None
            check_answer(method, f"/{path}", kwargs.get("json"), response.status_code, body)
        return response


def check_request(method: str, url: str, body: Any = None) -> None:
    """`url`: path and query. Raises AssertionError, with what is wrong of it."""
    if urlsplit(url).path == f"{_ROOT}/$batch":
        assert 1 <= len(body["requests"]) <= 20
        for each in body["requests"]:
            check_request(each["method"], _ROOT + each["url"], each.get("body"))
        return
    template, operation = _operation(method, url)
    assert operation, f"{method} {urlsplit(url).path} is not described"
    options = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    _check_options(template, operation, options)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    assert (body is None) == (content is None), f"{method} {template}: a body that is not described, or none"
    if content:
        _check(body, content["schema"], closed=True)


def check_answer(method: str, url: str, asked: Any, status: int, body: Any) -> None:
    if urlsplit(url).path == f"{_ROOT}/$batch" and status == 200:
        by_id = {each["id"]: each for each in asked["requests"]}
        for said in body["responses"]:
            request = by_id.pop(said["id"])
            check_answer(request["method"], _ROOT + request["url"], None, said["status"], said["body"])
        assert not by_id
        return None
    template, operation = _operation(method, url)
    if status >= 400:
        return _check(body, _description()["components"]["responses"]["error"]["content"]["application/json"]["schema"])
    said = operation["responses"].get(str(status)) or _answer_to_patch(method, url, status)
    assert said, f"{method} {template}: {status} is not described"
    content = said.get("content", {}).get("application/json")
    if content and body is not None:
        _check(body, content["schema"], closed=True)
    return None


def _answer_to_patch(method: str, url: str, status: int) -> Json | None:
    """The description has 204 only; api/subscription-update: 200, and the subscription in the body."""
    _, reading = _operation("GET", url)
    return reading["responses"]["200"] if (method, status) == ("PATCH", 200) else None


@cache
def _description() -> Json:
    return dict(_plain(json.loads(FILE.read_text())))


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    found = _description()["paths"]
    made = [(re.compile(re.sub(r"\\{[^/]*?\\}", "[^/]+", re.escape(path)), re.IGNORECASE), path) for path in found]
    return sorted(made, key=lambda pair: pair[1].count("{"))


def _operation(method: str, url: str) -> tuple[str, Json]:
    path = _KEY.sub(r"/\1", unquote(urlsplit(url).path).removeprefix(_ROOT)).removesuffix("()")
    template = next((name for pattern, name in _templates() if pattern.fullmatch(path)), "")
    return template, _description()["paths"].get(template, {}).get(method.lower(), {})


def _check_options(template: str, operation: Json, options: dict[str, str]) -> None:
    if template.endswith("/delta"):
        assert set(options) <= _DELTA_OPTIONS, f"{template}: {set(options)}"
        return
    known = {parameter["name"]: parameter for parameter in map(_resolved, operation.get("parameters", ()))}
    for name, value in options.items():
        assert name in known, f"{template}: {name} is not described"
        words = known[name]["schema"].get("items", {}).get("enum")
        for word in value.split(",") if words else ():
            assert word.partition("(")[0] in (*words, *_CUT_OFF), f"{template}: {name}={word} is not described"


def _resolved(said: Json) -> Json:
    name = said.get("$ref", "").rpartition("/")[2]
    return dict(_description()["components"]["parameters"][name]) if name else said


def _check(value: Any, schema: Json, *, closed: bool = False) -> None:
    validator = _validator(json.dumps(schema, sort_keys=True))
    problems = [f"{list(error.instance_path)}: {error.message}"[:300] for error in validator.iter_errors(value)]
    assert not problems, problems[:3]
    if closed:
        _check_names(value, schema)


@cache
def _validator(schema: str) -> Any:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": _description()["components"]})


def _check_names(value: Any, schema: Json) -> None:
    """Nothing but what is declared, annotations aside. Follows objects and collections."""
    schema = _object_of(schema)
    if isinstance(value, list):
        for each in value:
            _check_names(each, schema.get("items", {}))
    elif isinstance(value, dict) and "properties" in schema:
        for name, each in value.items():
            if not name.startswith("@"):
                assert name in schema["properties"].keys() | _CUT_OFF, f"{schema.get('title')}: {name} is not declared"
                _check_names(each, schema["properties"].get(name, {}))


def _object_of(schema: Json) -> Json:
    """What a reference, or a choice between null and something, comes to."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return _object_of(_description()["components"]["schemas"][name])
    for choice in ("anyOf", "allOf"):
        if choice in schema and "properties" not in schema:
            return next((_object_of(each) for each in schema[choice] if each != {"type": "null"}), {})
    return schema


def _plain(said: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` is a choice, `id` is not required where something is made."""
    if isinstance(said, list):
        return [_plain(each) for each in said]
    if not isinstance(said, dict):
        return said
    made = {name: _plain(each) for name, each in said.items() if name not in ("nullable", "example", "discriminator")}
    if made.get("required") == ["id"]:
        del made["required"]
    return {"anyOf": [{"type": "null"}, made]} if said.get("nullable") is True else made
