"""Composite: references, order, limits, roll-back, one call on the count."""

from typing import Any
from urllib.parse import quote

from tests.simulators.conftest import InProcess

BASE = "/services/data/v60.0"


def sub(reference: str, url: str, method: str = "GET", body: Any = None) -> dict[str, Any]:
    return {"method": method, "url": BASE + url, "referenceId": reference, **({"body": body} if body else {})}


def soql(text: str) -> str:
    return "/query/?q=" + quote(text)


def composite(org: InProcess, *requests: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    answer = org.rest("POST", "composite", {**options, "compositeRequest": list(requests)})
    assert answer.status == 200
    return list(answer.body["compositeResponse"])


def test_references_reach_into_earlier_answers(fresh: InProcess) -> None:
    found, account, made = composite(
        fresh,
        sub("people", soql("SELECT Id, AccountId FROM Contact WHERE Email = 'jane.doe@northwind.example'")),
        sub("account", "/sobjects/Account/@{people.records[0].AccountId}?fields=Name"),
        sub("made", "/sobjects/Contact", "POST", {"LastName": "New", "AccountId": "@{account.Id}"}),
    )
    assert [each["httpStatusCode"] for each in (found, account, made)] == [200, 200, 201]
    assert account["body"]["Name"] == "Northwind Shipping"
    assert made["httpHeaders"]["Location"].endswith(made["body"]["id"])


def test_each_has_its_own_status_and_a_bad_reference_halts_only_its_own(acme: InProcess) -> None:
    bad, lost, good = composite(
        acme,
        sub("bad", soql("SELECT Nope FROM Contact")),
        sub("lost", "/sobjects/Account/@{bad.records[0].Id}"),
        sub("good", soql("SELECT Id FROM Contact LIMIT 1")),
    )
    assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "INVALID_FIELD")
    assert (lost["httpStatusCode"], lost["body"][0]["errorCode"]) == (400, "PROCESSING_HALTED")
    assert good["httpStatusCode"] == 200


def test_all_or_none_takes_everything_back(fresh: InProcess) -> None:
    first, second, third = composite(
        fresh,
        sub("a", "/sobjects/Contact", "POST", {"LastName": "Ghost"}),
        sub("b", "/sobjects/Contact", "POST", {"FirstName": "No last name"}),
        sub("c", "/sobjects/Contact", "POST", {"LastName": "Never"}),
        allOrNone=True,
    )
    assert [e["body"][0]["errorCode"] for e in (first, second, third)] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
        "PROCESSING_HALTED",
    ]
    assert fresh.query("SELECT Id FROM Contact WHERE LastName = 'Ghost'") == []


def test_at_most_25_requests_and_5_queries(acme: InProcess) -> None:
    """`Composite`: 25 subrequests, of which 5 queries or collections."""
    many = [sub(f"r{n}", "/sobjects/Contact/describe") for n in range(26)]
    (entry,) = composite(acme, *many)
    assert (entry["httpStatusCode"], entry["body"][0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert len(composite(acme, *many[:25])) == 25
    queries = [sub(f"q{n}", soql("SELECT Id FROM Contact LIMIT 1")) for n in range(6)]
    assert composite(acme, *queries)[0]["body"][0]["errorCode"] == "LIMIT_EXCEEDED"
    assert len(composite(acme, *queries[:5])) == 5


def test_what_composite_does_not_take(acme: InProcess) -> None:
    for url in ("/search/?q=FIND {x}", "/composite", "/limits", "https://evil.example/x"):
        (entry,) = composite(acme, {"method": "GET", "url": BASE + url if url[0] == "/" else url, "referenceId": "a"})
        assert entry["httpStatusCode"] == 400
    twice = acme.rest("POST", "composite", {"compositeRequest": [sub("a", soql("SELECT Id FROM Lead LIMIT 1"))] * 2})
    assert twice.body[0]["errorCode"] == "DUPLICATE_REFERENCE_ID"
    odd = acme.rest("POST", "composite", {"compositeRequest": [sub("a-b", "/sobjects")]})
    assert odd.body[0]["errorCode"] == "INVALID_INPUT"


def test_collections_inside(fresh: InProcess) -> None:
    records = [{"attributes": {"type": "Lead"}, "LastName": "L", "Company": "C"}] * 2
    made, read = composite(
        fresh,
        sub("made", "/composite/sobjects", "POST", {"records": records}),
        sub("read", "/sobjects/Lead/@{made[1].id}"),
    )
    assert len(made["body"]) == 2
    assert read["body"]["LastName"] == "L"


def test_batch(acme: InProcess) -> None:
    requests = [
        {"method": "GET", "url": "v60.0/limits"},
        {"method": "GET", "url": "v60.0/sobjects/Nope/describe"},
        {"method": "GET", "url": "v60.0/limits"},
    ]
    body = acme.rest("POST", "composite/batch", {"batchRequests": requests, "haltOnError": True}).body
    assert (body["hasErrors"], [r["statusCode"] for r in body["results"]]) == (True, [200, 404, 412])
