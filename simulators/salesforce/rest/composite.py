"""composite and composite/batch: several calls in one, with references between them. One call on the API count."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from simulators.salesforce.errors import ApiError
from simulators.salesforce.rest.call import Answer, Call, mapping
from simulators.salesforce.rest.sobjects import values_of

_MOST, _MOST_QUERIES = 25, 5
_REFERENCE = re.compile(r"@\{([^}]*)\}")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_]*$")
_VERSIONED = re.compile(r"^/services/data/v\d+\.0/")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_ALLOWED = re.compile(
    r"^/services/data/v\d+\.0/(?:sobjects(?:/|$|\?)|query/?\?|queryAll/?\?|query/|composite/sobjects)", re.IGNORECASE
)


HALTED = [
    {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }
]


class UnresolvedError(Exception):
    """A reference to a value that an earlier answer does not hold."""


class TooMuchError(Exception):
    """More subrequests than Composite takes: told as the one entry of an otherwise normal answer."""


def handle(call: Call, dispatch: Any) -> Answer:
    body = values_of(call.body)
    requests = body.get("compositeRequest")
    if call.method != "POST" or not isinstance(requests, list):
        raise ApiError(400, "INVALID_INPUT", "The request must hold a compositeRequest list")
    try:
        _check(requests)
    except TooMuchError as problem:
        entry = _entry(None, Answer(400, [{"errorCode": "LIMIT_EXCEEDED", "message": str(problem)}]))
        return Answer(body={"compositeResponse": [entry]})
    run = Run(call, dispatch)
    if body.get("allOrNone", False):
        run.together(requests)
    else:
        for request in requests:
            run.one(request)
    return Answer(body={"compositeResponse": run.answers})


def _check(requests: list[Any]) -> None:
    if len(requests) > _MOST:
        raise TooMuchError(f"The request can\u2019t contain more than {_MOST} operations.")
    seen: set[str] = set()
    heavy = 0
    for request in requests:
        reference = request.get("referenceId") if isinstance(request, dict) else None
        if not isinstance(reference, str) or not _NAME.match(reference):
            raise ApiError(
                400,
                "INVALID_INPUT",
                f"Provided referenceId ('{reference}') must start with a letter or a number, and it can contain only "
                "letters, numbers and underscores ('_').",
            )
        if reference in seen:
            raise ApiError(400, "DUPLICATE_REFERENCE_ID", f"Duplicate referenceId provided: {reference}")
        seen.add(reference)
        path = str(request.get("url", "")).partition("?")[0].lower()
        heavy += "/query" in path or "/composite/sobjects" in path
    if heavy > _MOST_QUERIES:
        raise TooMuchError(f"The request can\u2019t contain more than {_MOST_QUERIES} query or collection operations.")


class Run:
    """The subrequests of one composite, or of one graph, in their order."""

    def __init__(self, call: Call, dispatch: Any) -> None:
        self.call, self.dispatch = call, dispatch
        self.answers: list[dict[str, Any]] = []
        self.bodies: dict[str, Any] = {}
        self.failed = False

    def together(self, requests: list[dict[str, Any]]) -> None:
        """All of them, or none."""
        start = self.call.access.store.begin()
        for request in requests:
            self.one(request)
            if self.failed:
                self.call.access.store.rollback(start)
                self.halt_all(requests)
                return

    def one(self, request: dict[str, Any]) -> None:
        reference = request["referenceId"]
        answer = self._answer(request)
        self.failed = self.failed or answer.status >= 400
        if answer.status < 400:
            self.bodies[reference] = answer.body
        self.answers.append(_entry(reference, answer))

    def _answer(self, request: dict[str, Any]) -> Answer:
        try:
            url = str(self._resolve(request.get("url", "")))
            inner = subcall(
                self.call,
                request.get("method", "GET"),
                url,
                self._resolve(request.get("body")),
                request.get("httpHeaders"),
            )
        except UnresolvedError as problem:
            return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": str(problem)}])
        except ApiError as error:
            return Answer(error.status, error.body())
        answer: Answer = self.dispatch(inner)
        return answer

    def halt_all(self, requests: list[Any]) -> None:
        """allOrNone: what worked says it was rolled back, what had not run says so too."""
        for entry in self.answers:
            if entry["httpStatusCode"] < 400:
                entry |= {"body": HALTED, "httpHeaders": {}, "httpStatusCode": 400}
        for request in requests[len(self.answers) :]:
            self.answers.append(_entry(request["referenceId"], Answer(400, HALTED)))

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, str):
            whole = _REFERENCE.fullmatch(value)
            if whole:
                return self._look_up(whole[1])
            return _REFERENCE.sub(lambda m: str(self._look_up(m[1])), value)
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        return value

    def _look_up(self, path: str) -> Any:
        reference, _, steps = path.partition(".")
        bare, bracket, rest = reference.partition("[")
        steps = f"[{rest}.{steps}" if bracket else steps
        if bare not in self.bodies:
            raise UnresolvedError(
                f"Invalid reference specified. No value for {path} found in {bare}. Invalid reference used"
            )
        value = self.bodies[bare]
        for name, index in _STEP.findall(steps):
            try:
                value = value[int(index)] if index else value[name]
            except (KeyError, IndexError, TypeError):
                raise UnresolvedError(
                    f"Invalid reference specified. No value for {path} found in {bare}. {name or index} not found"
                ) from None
        return value


def subcall(call: Call, method: Any, url: str, body: Any, headers: Any, any_resource: bool = False) -> Call:
    """A subrequest as a call of its own, by the same user. Raises ApiError where its URL is none of Composite's."""
    if not (_VERSIONED if any_resource else _ALLOWED).match(url):
        raise ApiError(400, "INVALID_INPUT", f"The Composite API doesn't support this resource: {url}")
    parts = urlsplit(url)
    pieces = [unquote(piece) for piece in parts.path.split("/") if piece][2:]
    extra = {str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {}
    return Call(
        call.org,
        call.access,
        pieces[0][1:],
        str(method).upper(),
        pieces[1:],
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        body,
        extra,
    )


def _entry(reference: str | None, answer: Answer) -> dict[str, Any]:
    return {
        "body": answer.body,
        "httpHeaders": answer.headers,
        "httpStatusCode": answer.status,
        "referenceId": reference,
    }


def batch(call: Call, dispatch: Any) -> Answer:
    """composite/batch: independent subrequests, URLs below /services/data without it."""
    requests = values_of(call.body).get("batchRequests")
    if not isinstance(requests, list):
        raise ApiError(400, "INVALID_INPUT", "The request must hold a batchRequests list")
    if len(requests) > _MOST:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The maximum number of subrequests, {_MOST}, is exceeded")
    halt = bool(call.body.get("haltOnError", False))
    results: list[dict[str, Any]] = []
    for request in requests:
        if halt and results and results[-1]["statusCode"] >= 400:
            results.append(
                {
                    "statusCode": 412,
                    "result": [
                        {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing has halted per request."}
                    ],
                }
            )
            continue
        answer = _batched(call, mapping(request, "A batch request"), dispatch)
        results.append({"statusCode": answer.status, "result": answer.body})
    return Answer(body={"hasErrors": any(r["statusCode"] >= 400 for r in results), "results": results})


def _batched(call: Call, request: dict[str, Any], dispatch: Any) -> Answer:
    url = "/services/data/" + str(request.get("url", "")).removeprefix("/services/data/").lstrip("/")
    try:
        inner = subcall(call, request.get("method", "GET"), url, request.get("richInput"), None, any_resource=True)
    except ApiError as error:
        return Answer(error.status, error.body())
    answer: Answer = dispatch(inner)
    return answer
