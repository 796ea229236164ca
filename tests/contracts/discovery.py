"""Judges requests and answers by a discovery document of Google's, as google-api-python-client ships it. Strict: a
parameter, property, type or value that the document does not name is wrong."""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests

from simulators.google.mail import fields

Schema = dict[str, Any]
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "array": list}
_TYPES |= {"object": dict, "number": (int, float)}
_BOUNDS = {"int32": (-(2**31), 2**31), "uint32": (0, 2**32), "int64": (-(2**63), 2**63), "uint64": (0, 2**64)}


class Document:
    """`name`: as in gmail.v1.json."""

    def __init__(self, name: str) -> None:
        package = files("googleapiclient.discovery_cache") / "documents" / f"{name}.json"
        self.whole: Schema = json.loads(package.read_text(encoding="utf-8"))
        self.schemas: dict[str, Schema] = self.whole["schemas"]
        self.methods = list(_methods(self.whole))

    def method(self, verb: str, path: str) -> Schema | None:
        """The most special one: /messages/send is no message's id."""
        found = [each for each in self.methods if each["httpMethod"] == verb and _fits(each["path"], path)]
        return min(found, key=lambda each: each["path"].count("{"), default=None)

    # -- requests ---------------------------------------------------------------------------------------------------

    def request_faults(self, verb: str, path: str, query: str, body: object) -> list[str]:
        method = self.method(verb, path)
        if method is None:
            return [f"no method {verb} {path}"]
        known = {**self.whole["parameters"], **method.get("parameters", {})}
        found: list[str] = []
        for name, values in parse_qs(query, keep_blank_values=True).items():
            found += self._parameter_faults(name, values, known.get(name))
        asked = parse_qs(query).get("fields", [""])[0]
        if asked and "response" in method:
            found += self._mask_faults(fields.parsed(asked), method["response"]["$ref"])
        if (body is not None) != ("request" in method):
            found.append(f"{method['id']}: a body is {'missing' if body is None else 'not expected'}")
        elif body is not None:
            found += self.faults(body, method["request"]["$ref"])
        return found

    def _parameter_faults(self, name: str, values: list[str], known: Schema | None) -> list[str]:
        if known is None:
            return [f"unknown parameter {name}"]
        if len(values) > 1 and not known.get("repeated"):
            return [f"parameter {name} is repeated"]
        return [
            f"parameter {name}={value!r} is no {known['type']}"
            for value in values
            if not _is_text_of(known["type"], value) or ("enum" in known and value not in known["enum"])
        ]

    def _mask_faults(self, mask: fields.Mask, schema: str) -> list[str]:
        known, found = self.schemas[schema].get("properties", {}), []
        for name, below in mask.items():
            inner = known.get(name, {})
            reference = inner.get("$ref") or inner.get("items", {}).get("$ref")
            if name not in known or (below and not reference):
                found.append(f"fields: {schema} has no {name}")
            elif below:
                found += self._mask_faults(below, reference)
        return found

    # -- answers ----------------------------------------------------------------------------------------------------

    def answer_faults(self, verb: str, path: str, body: object) -> list[str]:
        method = self.method(verb, path)
        if method is None:
            return [f"no method {verb} {path}"]
        if "response" not in method:
            return [] if body is None else [f"{method['id']} answers nothing"]
        return self.faults(body, method["response"]["$ref"])

    def faults(self, value: object, reference: str) -> list[str]:
        """Of a value that is said to be of this schema."""
        return list(self._faults(value, {"$ref": reference}, reference))

    def _faults(self, value: object, schema: Schema, where: str) -> list[str]:
        if "$ref" in schema:
            schema = self.schemas[schema["$ref"]]
        expected = _TYPES.get(schema.get("type", "any"), object)
        if not isinstance(value, expected) or (isinstance(value, bool) and schema.get("type") != "boolean"):
            return [f"{where}: {type(value).__name__} instead of {schema.get('type')}"]
        if isinstance(value, dict):
            return self._object_faults(value, schema, where)
        if isinstance(value, list):
            inner = [(each, f"{where}[{number}]") for number, each in enumerate(value)]
            return [fault for each, name in inner for fault in self._faults(each, schema["items"], name)]
        return [f"{where}: {str(value)[:40]!r} is not allowed"] if not _is_of(value, schema) else []

    def _object_faults(self, value: dict[str, Any], schema: Schema, where: str) -> list[str]:
        known, found = schema.get("properties", {}), []
        for name, inner in value.items():
            below = known.get(name, schema.get("additionalProperties"))
            found += [f"{where}: unknown {name}"] if below is None else self._faults(inner, below, f"{where}.{name}")
        return found


def _methods(resource: Schema) -> Any:
    yield from resource.get("methods", {}).values()
    for below in resource.get("resources", {}).values():
        yield from _methods(below)


def _fits(template: str, path: str) -> bool:
    pattern = re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, path.lstrip("/")) is not None


def _is_text_of(kind: str, value: str) -> bool:
    if kind == "integer":
        return value.isdecimal()
    return value in ("true", "false") if kind == "boolean" else True


def _is_of(value: object, schema: Schema) -> bool:
    """Formats: developers.google.com/discovery/v1/type-format; 64 bits come as strings, bytes as base64url."""
    form = schema.get("format", "")
    if "enum" in schema and value not in schema["enum"]:
        return False
    if form in _BOUNDS:
        low, high = _BOUNDS[form]
        return re.fullmatch(r"-?\d+", str(value)) is not None and low <= int(str(value)) < high
    if form == "byte":
        try:
            base64.b64decode(str(value), altchars=b"-_", validate=True)
        except binascii.Error:
            return False
    return True


@dataclass
class Judge:
    """Hears every exchange of a session (`session.hooks["response"]`) and notes what is wrong with it."""

    document: Document
    wrong_requests: list[str] = field(default_factory=list)
    wrong_answers: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def hear(self, response: requests.Response, **sent: Any) -> None:
        request = response.request
        parts = urlsplit(str(request.url))
        if parts.path == "/batch":
            self._batch(request, response)
            return
        body = json.loads(request.body) if request.body else None
        is_streamed = bool(sent.get("stream"))  # and read by somebody else
        answer = None if is_streamed else response.content
        self._exchange(str(request.method), parts.path, parts.query, body, response.status_code, answer)

    def _exchange(self, verb: str, path: str, query: str, body: object, status: int, answer: bytes | None) -> None:
        path = unquote(path)
        method = self.document.method(verb, path)
        self.seen.add(method["id"] if method else f"{verb} {path}")
        self.wrong_requests += self.document.request_faults(verb, path, query, body)
        if answer is None:
            return
        if status == 204:
            self.wrong_answers += ["204 with a body"] if answer else self.document.answer_faults(verb, path, None)
        elif status == 200:
            self.wrong_answers += self.document.answer_faults(verb, path, _json(answer))
        else:
            self.wrong_answers += error_faults(status, _json(answer))

    def _batch(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        asked = _parts(str(request.headers["Content-Type"]), _octets(request.body))
        told = _parts(response.headers.get("Content-Type", ""), response.content) if response.status_code == 200 else {}
        for key, content in asked.items():
            line = content.decode("ascii").splitlines()[0].split(" ")
            parts = urlsplit(line[1])
            head, _, answer = told.get(f"response-{key}", b"HTTP/1.1 000 None").partition(b"\r\n\r\n")
            status = int(head.split(b" ")[1])
            self._exchange(line[0], parts.path, parts.query, None, status, answer if status else None)


def error_faults(status: int, body: Any) -> list[str]:
    """Google's error body: google.aip.dev/193 (HTTP mapping), with the `errors` that Gmail adds."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return [f"{status}: no error object"]
    unknown = set(error) - {"code", "message", "errors", "status", "details"}
    entries = error.get("errors", [])
    good = error.get("code") == status and entries and all({"message", "domain", "reason"} <= set(e) for e in entries)
    return [f"{status}: {sorted(unknown)}"] if unknown or not good else []


def _parts(kind: str, content: bytes) -> dict[str, bytes]:
    """Content-ID without its brackets -> what the part holds."""
    found = BytesParser(policy=compat32).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + content).get_payload()
    inner = [part for part in found if isinstance(part, Message)] if isinstance(found, list) else []
    return {str(part["Content-ID"]).strip("<>"): bytes(part.get_payload(decode=True) or b"") for part in inner}


def _octets(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
