"""Writing to the simulated Salesforce: what it sets itself, and its refusals in Salesforce's words."""

from typing import Any

import pytest

from tests.simulators.conftest import InProcess


def test_create_read_update_delete(fresh: InProcess) -> None:
    made = fresh.rest("POST", "sobjects/Contact", {"FirstName": "Nia", "LastName": "Okoye", "Email": "nia@x.example"})
    assert made.status == 201
    assert made.body["success"] is True
    assert made.headers["Location"] == f"/services/data/v60.0/sobjects/Contact/{made.body['id']}"
    path = f"sobjects/Contact/{made.body['id']}"
    record = fresh.rest("GET", path).body
    assert (record["Name"], record["OwnerId"]) == ("Nia Okoye", fresh.org.users["alice"].id)
    assert fresh.rest("PATCH", path, {"Title": "Chief", "FirstName": None}).status == 204
    assert fresh.rest("GET", path, fields="Name,Title").body["Name"] == "Okoye"
    assert fresh.rest("DELETE", path).status == 204
    assert fresh.rest("DELETE", path).body[0]["errorCode"] == "ENTITY_IS_DELETED"


@pytest.mark.parametrize(
    ("name", "values", "code", "fields"),
    [
        ("Contact", {"FirstName": "x"}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ("Lead", {"LastName": "x"}, "REQUIRED_FIELD_MISSING", ["Company"]),
        ("Contact", {"LastName": "x", "Email": "no address"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Contact", {"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ("Contact", {"LastName": "x", "Nope__c": 1}, "INVALID_FIELD", ["Nope__c"]),
        (
            "Contact",
            {"LastName": "x", "CreatedDate": "2024-01-01T00:00:00Z"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            ["CreatedDate"],
        ),
        ("Contact", {"LastName": "x", "AccountId": "zzz"}, "MALFORMED_ID", ["AccountId"]),
        (
            "Contact",
            {"LastName": "x", "AccountId": "001000000000001"},
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            [],
        ),
        (
            "Contact",
            {"LastName": "x", "Title": "see http://spam.example"},
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            ["Title"],
        ),
        ("Contact", {"LastName": "x", "Birthdate": "2999-01-01"}, "FIELD_CUSTOM_VALIDATION_EXCEPTION", ["Birthdate"]),
        ("Contact", {"LastName": "Doe", "Email": "jane.doe@northwind.example"}, "DUPLICATES_DETECTED", None),
        ("Opportunity", {"Name": "x", "StageName": "Prospecting", "CloseDate": "soon"}, "JSON_PARSER_ERROR", None),
        (
            "Opportunity",
            {"Name": "x", "StageName": "Prospecting", "CloseDate": "2030-01-01", "Amount": "much"},
            "JSON_PARSER_ERROR",
            None,
        ),
        ("Event", {"Subject": "x", "ShowAs": "Sleeping"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["ShowAs"]),
        ("Contact", [], "JSON_PARSER_ERROR", None),
    ],
)
def test_refusals(acme: InProcess, name: str, values: Any, code: str, fields: list[str] | None) -> None:
    answer = acme.rest("POST", f"sobjects/{name}", values)
    assert answer.status == 400
    assert answer.body[0]["errorCode"] == code
    assert answer.body[0].get("fields") == fields


def test_a_duplicate_may_be_saved_anyway(fresh: InProcess) -> None:
    values = {"LastName": "Doe", "Email": "jane.doe@northwind.example"}
    refused = fresh.rest("POST", "sobjects/Contact", values).body[0]
    matches = refused["duplicateResut"]["matchResults"][0]["matchRecords"]
    assert len(matches) == 1
    call = fresh.call("POST", "sobjects/Contact", values)
    call.headers = {"sforce-duplicate-rule-header": "allowSave=true"}
    from simulators.salesforce.rest.routes import dispatch

    assert dispatch(call).status == 201


def test_upsert_by_external_id(fresh: InProcess) -> None:
    path = "sobjects/Contact/External_Id__c/mail-42"
    first = fresh.rest("PATCH", path, {"LastName": "One"})
    assert (first.status, first.body["created"]) == (201, True)
    second = fresh.rest("PATCH", path, {"LastName": "Two"})
    assert (second.status, second.body) == (200, {**first.body, "created": False})
    assert fresh.rest("GET", path).body["LastName"] == "Two"
    taken = fresh.rest("POST", "sobjects/Contact", {"LastName": "x", "External_Id__c": "mail-42"})
    assert taken.body[0]["errorCode"] == "DUPLICATE_VALUE"
    assert fresh.rest("PATCH", "sobjects/Contact/Title/x", {"LastName": "x"}).status == 404


def test_two_matches_of_a_lookup_field_are_300(fresh: InProcess) -> None:
    answer = fresh.rest("GET", "sobjects/Contact/Email/robert.fischer@helvetia-bau.example")
    assert answer.status == 300
    assert len(answer.body) == 2
    assert all(path.startswith("/services/data/v60.0/sobjects/Contact/003") for path in answer.body)


def test_salesforce_sets_what_follows(fresh: InProcess) -> None:
    made = fresh.rest(
        "POST",
        "sobjects/Opportunity",
        {"Name": "x", "StageName": "Closed Won", "CloseDate": "2030-05-01", "Amount": 1000},
    )
    record = fresh.rest("GET", f"sobjects/Opportunity/{made.body['id']}").body
    assert (record["IsClosed"], record["IsWon"], record["Probability"], record["FiscalQuarter"]) == (True, True, 100, 2)
    (jane,) = fresh.query("SELECT Id, AccountId FROM Contact WHERE Email = 'jane.doe@northwind.example'")
    task = fresh.rest("POST", "sobjects/Task", {"WhoId": jane["Id"], "Subject": "Call", "Status": "Completed"}).body[
        "id"
    ]
    record = fresh.rest("GET", f"sobjects/Task/{task}").body
    assert (record["IsClosed"], record["AccountId"], record["Priority"]) == (True, jane["AccountId"], "Normal")


def test_person_account_and_contact_are_one(fresh: InProcess) -> None:
    made = fresh.rest(
        "POST", "sobjects/Account", {"FirstName": "Ida", "LastName": "Lund", "PersonEmail": "ida@x.example"}
    )
    account = fresh.rest("GET", f"sobjects/Account/{made.body['id']}").body
    assert (account["IsPersonAccount"], account["Name"]) == (True, "Ida Lund")
    contact = f"sobjects/Contact/{account['PersonContactId']}"
    assert fresh.rest("PATCH", contact, {"Email": "ida.lund@x.example"}).status == 204
    assert fresh.rest("GET", f"sobjects/Account/{made.body['id']}").body["PersonEmail"] == "ida.lund@x.example"


def test_collections_one_by_one_and_together(fresh: InProcess) -> None:
    good = {"attributes": {"type": "Contact"}, "LastName": "Good"}
    bad = {"attributes": {"type": "Contact"}, "FirstName": "Bad"}
    apart = fresh.rest("POST", "composite/sobjects", {"records": [good, bad]})
    assert [result["success"] for result in apart.body] == [True, False]
    assert apart.body[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    together = fresh.rest("POST", "composite/sobjects", {"allOrNone": True, "records": [good, bad]})
    assert [r["errors"][0]["statusCode"] for r in together.body] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert fresh.answer("SELECT COUNT() FROM Contact WHERE LastName = 'Good'")["totalSize"] == 1
    too_many = fresh.rest("POST", "composite/sobjects", {"records": [good] * 201})
    assert too_many.body[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


def test_collections_update_upsert_retrieve_delete(fresh: InProcess) -> None:
    rows = fresh.query("SELECT Id FROM Lead LIMIT 3")
    ids = [row["Id"] for row in rows]
    changed = [{"attributes": {"type": "Lead"}, "id": i, "Title": "T"} for i in ids]
    assert all(r["success"] for r in fresh.rest("PATCH", "composite/sobjects", {"records": changed}).body)
    found = fresh.rest("GET", "composite/sobjects/Lead", ids=",".join([*ids, "00Q000000000009"]), fields="Title")
    assert [record and record["Title"] for record in found.body] == ["T", "T", "T", None]
    records = [
        {"attributes": {"type": "Lead"}, "External_Id__c": f"u{n}", "LastName": "U", "Company": "C"} for n in (1, 2)
    ]
    first = fresh.rest("PATCH", "composite/sobjects/Lead/External_Id__c", {"records": records})
    again = fresh.rest("PATCH", "composite/sobjects/Lead/External_Id__c", {"records": records})
    assert [r["created"] for r in first.body + again.body] == [True, True, False, False]
    assert all(r["success"] for r in fresh.rest("DELETE", "composite/sobjects", ids=",".join(ids)).body)


def test_updated_and_deleted(fresh: InProcess) -> None:
    from datetime import UTC, datetime, timedelta

    made = fresh.rest("POST", "sobjects/Lead", {"LastName": "New", "Company": "C"}).body["id"]
    now = datetime.now(UTC)
    window = {"start": (now - timedelta(minutes=30)).isoformat(), "end": (now + timedelta(minutes=1)).isoformat()}
    assert made in fresh.rest("GET", "sobjects/Lead/updated", **window).body["ids"]
    fresh.rest("DELETE", f"sobjects/Lead/{made}")
    assert [d["id"] for d in fresh.rest("GET", "sobjects/Lead/deleted", **window).body["deletedRecords"]] == [made]
    old = {**window, "start": (now - timedelta(days=16)).isoformat()}
    assert fresh.rest("GET", "sobjects/Lead/deleted", **old).body[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_tree(fresh: InProcess) -> None:
    body = {
        "records": [
            {
                "attributes": {"type": "Account", "referenceId": "a"},
                "Name": "Tree",
                "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "Leaf"}]},
            }
        ]
    }
    answer = fresh.rest("POST", "composite/tree/Account", body)
    assert (answer.status, [r["referenceId"] for r in answer.body["results"]]) == (201, ["a", "c"])
    assert fresh.query("SELECT Account.Name FROM Contact WHERE LastName = 'Leaf'")[0]["Account"]["Name"] == "Tree"
