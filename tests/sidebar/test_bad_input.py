"""docs/hardening.md BI-A over the sidebar's calls: never 5xx, problem JSON with a stable type, no echo."""

import json
import time
from typing import Any

import pytest

from tests.sidebar.conftest import Everybody

JANE = "003000000000001AAA"
GOOD = {"addresses": ["jane@customer.example"]}


def send(everybody: Everybody, path: str, body: bytes, method: str = "post", **extra: Any) -> Any:
    content_type = extra.pop("content_type", "application/json")
    headers = {"Idempotency-Key": "k", **extra.pop("headers", {})}
    call = everybody.client().generic
    return call(method.upper(), f"/api/v1/sidebar/{path}", body, content_type, headers=headers, **extra)


def assert_problem(answer: Any, status: int, slug: str = "") -> None:
    assert answer.status_code == status, answer.content[:300]
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("http://localhost:8000/problems/")
    assert problem["type"].endswith(slug)
    assert problem["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"17",
        b'"text"',
        b"addresses=a@b.example",
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
        b'{"addresses":["a@b.example"],"refresh":NaN}',
        b'{"addresses":["a@b.example"],"refresh":Infinity}',
        b'{"addresses":["a@b.example"],"refresh":1e400}',
        b'{"addresses":["\xff\xfe@b.example"]}',
        b'{"addresses":["\\ud800@b.example"]}',
        b'{"addresses":["a\\u0000@b.example"]}',
        b'{"addresses":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"addresses":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"addresses":[]}',
        b'{"addresses":null}',
        b'{"addresses":"a@b.example"}',
        b'{"addresses":{"0":"a@b.example"}}',
        b'{"addresses":["a@b.example",1]}',
        b'{"addresses":["a@b.example",null]}',
        b'{"addresses":["a@b.example"],"refresh":null}',
        b'{"addresses":["a@b.example"],"refresh":"true"}',
        b'{"addresses":["a@b.example"],"refresh":1}',
        b'{"refresh":true}',
        json.dumps({"addresses": ["a@b.example"] * 101}).encode(),
        json.dumps({"addresses": [", ".join(f"p{n}@b.example" for n in range(101))]}).encode(),
    ],
)
def test_a_body_that_is_no_look_up(everybody: Everybody, body: bytes) -> None:
    """BI-A1, BI-A2, BI-A4."""
    assert_problem(send(everybody, "people/", body), 400)
    assert everybody.crms["alice"].calls == []


def test_a_body_that_is_too_large(everybody: Everybody) -> None:
    big = json.dumps({"addresses": ["x" * 270_000]}).encode()
    assert_problem(send(everybody, "people/", big), 413, "too-large")
    assert_problem(send(everybody, "records/Contact/", json.dumps({"values": {"A": "x" * 270_000}}).encode()), 413)
    assert_problem(send(everybody, "people/", b" " * 2_000_000), 413, "too-large")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "text/xml", "multipart/form-data; boundary=x", "x"])
def test_a_body_that_is_not_json(everybody: Everybody, kind: str) -> None:
    """BI-A11."""
    for path in ("people/", "prefetch/", "records/Contact/"):
        answer = send(everybody, path, b"<a/>", content_type=kind)
        assert_problem(answer, 415, "unsupported-media-type")


def test_a_compressed_body(everybody: Everybody) -> None:
    """BI-A10."""
    answer = send(everybody, "people/", b"\x1f\x8b" * 100, headers={"Content-Encoding": "gzip"})
    assert_problem(answer, 415)


@pytest.mark.parametrize(
    "address",
    [
        '"a b"@x',
        "x" * 10_000 + "@customer.example",
        "a@b@c",
        "<script>@x",
        "jane\u202e@customer.example",
        "(" * 3_000,
        "jane@customer.example\r\nBcc: joe@customer.example",
        "'; DROP TABLE contact; --",
        "%@%",
        "@",
        "",
        " ",
        "alice@example.org)bob@evil.example",
    ],
)
def test_odd_addresses_are_named_by_their_index_and_never_echoed(everybody: Everybody, address: str) -> None:
    """BI-A5: a person's conversation is answered all the same."""
    started = time.thread_time()
    answer = everybody.look_up("jane@customer.example", address)
    assert time.thread_time() - started < 2
    assert answer.status_code == 200
    told = answer.json()
    assert told["people"][0]["address"] == "jane@customer.example"
    assert {"input_index": 1} in told["invalid"] or len(told["people"]) == 2


@pytest.mark.parametrize(
    "address",
    ["o'hara@customer.example", "a%b_c@customer.example", "{x}@customer.example", "a?b&c|d!e@customer.example"],
)
def test_query_characters_reach_the_crm_as_they_are(everybody: Everybody, address: str) -> None:
    """BI-A5: escaping is the provider's; nothing is lost before it."""
    assert everybody.look_up(address).json()["people"][0]["address"] == address
    assert everybody.crms["alice"].lookups[0][0] == [address]


@pytest.mark.parametrize(
    "record_id",
    [
        "00300000000000",
        "0030000000000001",
        "003000000000001AAAB",
        "001000000000001AAA",
        "00300000000000'",
        "003000000000001%00AA",
        "..%2f..%2f..%2fetc",
        "ÅÅÅ000000000001AAA",
    ],
)
def test_ids_that_are_none(everybody: Everybody, record_id: str) -> None:
    """BI-A7: 14, 16 and 19 characters, a wrong prefix."""
    values = json.dumps({"values": {"Title": "x"}}).encode()
    for method, path in (
        ("get", f"forms/Contact/{record_id}/"),
        ("patch", f"records/Contact/{record_id}/"),
        ("post", f"records/Contact/{record_id}/open/"),
    ):
        answer = send(everybody, path, values, method)
        assert answer.status_code in ({400} if "%2f" not in record_id else {400, 404, 405}), path
    assert everybody.crms["alice"].calls == []


@pytest.mark.parametrize("name", ["1Contact", "Con-tact", "Contact'", "x" * 81, "%00", "Contact%20", "Kontåkt"])
def test_object_names_that_are_none(everybody: Everybody, name: str) -> None:
    values = json.dumps({"values": {"Title": "x"}}).encode()
    for method, path in (("get", f"forms/{name}/"), ("post", f"records/{name}/"), ("get", f"forms/{name}/{JANE}/")):
        assert_problem(send(everybody, path, values, method), 400)
    assert everybody.crms["alice"].calls == []


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        "x",
        {"La st": "x"},
        {"1": "x"},
        {"": "x"},
        {"LastName": ["x"]},
        {"LastName": {"x": 1}},
        {f"F{n}": 1 for n in range(201)},
    ],
)
def test_values_that_are_none(everybody: Everybody, values: Any) -> None:
    for method, path in (("post", "records/Contact/"), ("patch", f"records/Contact/{JANE}/")):
        assert_problem(send(everybody, path, json.dumps({"values": values}).encode(), method), 400)
    assert everybody.crms["alice"].calls == []


def test_values_of_every_plain_kind_reach_the_crm(everybody: Everybody) -> None:
    """BI-A16: round trip equal, also of the odd."""
    values = {
        "A": "Ω≈ç√ \u202ertl ﷽ 👩\u200d👩\u200d👧",
        "B": 10**15,
        "C": -0.5,
        "D": True,
        "E": None,
        "F": "' OR 1=1 --",
        "G": "",
    }
    assert send(everybody, "records/Contact/", json.dumps({"values": values}).encode()).status_code == 201
    (written,) = everybody.crms["alice"].writes
    assert written[2] == values


@pytest.mark.parametrize("query", ["", "q=", "q=a", "q=" + "x" * 201, "q=a%00b", "p=acme"])
def test_searches_that_are_none(everybody: Everybody, query: str) -> None:
    assert_problem(send(everybody, f"search/?{query}", b"", "get"), 400)
    assert everybody.crms["alice"].calls == []


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ed%a0%80x", "q=%27%5c%22%7b%7d", "q=%e2%80%ae12"])
def test_odd_searches_are_none_of_our_business(everybody: Everybody, query: str) -> None:
    assert send(everybody, f"search/?{query}", b"", "get").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("trace", "people/"),
        ("put", "people/"),
        ("get", "people/"),
        ("delete", "prefetch/"),
        ("post", "search/"),
        ("put", "records/Contact/"),
        ("post", f"records/Contact/{JANE}/"),
        ("get", f"records/Contact/{JANE}/open/"),
        ("patch", "forms/Contact/"),
    ],
)
def test_methods_that_are_none(everybody: Everybody, method: str, path: str) -> None:
    """BI-A13."""
    answer = send(everybody, path, json.dumps(GOOD).encode(), method)
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"]


def test_a_token_in_the_address_is_refused(everybody: Everybody) -> None:
    """BI-B13."""
    answer = send(everybody, f"people/?access_token={everybody.token('alice')}", json.dumps(GOOD).encode())
    assert_problem(answer, 401)


def test_another_organizations_record_is_not_found(everybody: Everybody) -> None:
    """BI-A6: Salesforce decides with the caller's own grant; an unknown id and a foreign one look the same."""
    from providers.errors import NotFound

    everybody.crms["charlie"].failing = NotFound("No such record.")
    answers = [
        everybody.client("charlie").get(f"/api/v1/sidebar/forms/Contact/{record_id}/")
        for record_id in (JANE, "003000000000999AAA")
    ]
    for answer in answers:
        assert_problem(answer, 404, "not-found")
    first, second = (answer.json() | {"request_id": ""} for answer in answers)
    assert first == second
