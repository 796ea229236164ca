"""simple-salesforce drives the simulated Salesforce: a client that is not ours meets what it expects."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from tests.simulators.running import Running, new_session

JANE = "jane.doe@northwind.example"


def client_of(running: Running, user: str = "alice", org: str = "acme") -> Any:
    tokens = running.tokens(user, org)
    return Salesforce(
        session_id=tokens["access_token"], instance_url=tokens["instance_url"], session=new_session(running.ca)
    )


def code_of(error: Any) -> str:
    """The errorCode in what the client raised."""
    return str(error.content[0]["errorCode"])


@pytest.fixture
def client(salesforce: Running) -> Any:
    return client_of(salesforce)


def test_query_and_query_all(client: Any) -> None:
    found = client.query(f"SELECT Id, Name, Account.Name FROM Contact WHERE Email = '{JANE}'")  # noqa: S608 - SOQL
    assert found["records"][0]["Account"]["Name"] == "Northwind Shipping"
    first = client.query("SELECT Id FROM Contact")
    assert not first["done"]
    more = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    everybody = client.query_all("SELECT Id FROM Contact")
    assert len(everybody["records"]) == everybody["totalSize"] == len(first["records"]) + len(more["records"])
    assert (
        sum(1 for _ in client.query_all_iter("SELECT Id FROM Lead"))
        == client.query("SELECT COUNT() FROM Lead")["totalSize"]
    )


def test_search_and_quick_search(client: Any) -> None:
    found = client.search(f"FIND {{{JANE}}} IN EMAIL FIELDS RETURNING Contact(Name)")
    assert [record["Name"] for record in found["searchRecords"]] == ["Jane Doe"]
    assert client.quick_search("northwind")["searchRecords"]


def test_one_record_from_birth_to_death(client: Any) -> None:
    made = client.Contact.create({"LastName": "Ångström", "Email": "a@angstrom.example"})
    assert made["success"]
    assert client.Contact.get(made["id"])["Name"] == "Ångström"
    assert client.Contact.update(made["id"], {"FirstName": "Anders"}) == 204
    assert client.Contact.get(made["id"])["Name"] == "Anders Ångström"
    assert client.Contact.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound) as gone:
        client.Contact.get(made["id"])
    assert code_of(gone.value) == "ENTITY_IS_DELETED"


def test_upsert_and_custom_ids(client: Any) -> None:
    odd = "a/b-%2F?&=ü"
    assert client.Lead.upsert(f"External_Id__c/{quote(odd, safe='')}", {"LastName": "L", "Company": "C"}) == 201
    assert client.Lead.get_by_custom_id("External_Id__c", odd)["External_Id__c"] == odd
    client.Lead.upsert("External_Id__c/plain", {"LastName": "L", "Company": "C"})
    assert client.Lead.upsert("External_Id__c/plain", {"LastName": "M"}) == 200
    assert client.Lead.get_by_custom_id("External_Id__c", "plain")["LastName"] == "M"
    with pytest.raises(SalesforceMoreThanOneRecord) as several:
        client.Contact.get_by_custom_id("Email", "robert.fischer@helvetia-bau.example")
    assert len(several.value.content) == 2


def test_describes_and_limits(client: Any) -> None:
    names = {each["name"] for each in client.describe()["sobjects"]}
    assert {"Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Event"} <= names
    fields = {field["name"]: field for field in client.Contact.describe()["fields"]}
    assert fields["Email"]["type"] == "email"
    assert client.Contact.metadata()["objectDescribe"]["keyPrefix"] == "003"
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000
    assert client.api_usage["api-usage"].total == 100_000
    assert client.is_sandbox() is False


def test_composite_through_restful(client: Any) -> None:
    base = "/services/data/v59.0"
    find = f"{base}/query/?q=SELECT+Id+FROM+Contact+WHERE+Email='{JANE}'"
    read = base + "/sobjects/Contact/@{a.records[0].Id}"
    requests = [{"method": "GET", "referenceId": "a", "url": find}, {"method": "GET", "referenceId": "b", "url": read}]
    answer = client.restful("composite", method="POST", json={"compositeRequest": requests})
    assert answer["compositeResponse"][1]["body"]["Email"] == JANE


def test_updated_and_deleted(client: Any) -> None:
    from datetime import UTC, datetime, timedelta

    made = client.Lead.create({"LastName": "New", "Company": "C"})["id"]
    start, end = datetime.now(UTC) - timedelta(minutes=10), datetime.now(UTC) + timedelta(minutes=1)
    assert made in client.Lead.updated(start, end)["ids"]
    client.Lead.delete(made)
    assert client.Lead.deleted(start, end)["deletedRecords"][0]["id"] == made


@pytest.mark.parametrize(
    ("work", "error", "code"),
    [
        (lambda c: c.query("SELECT Nope FROM Contact"), SalesforceMalformedRequest, "INVALID_FIELD"),
        (lambda c: c.query("SELEKT"), SalesforceMalformedRequest, "MALFORMED_QUERY"),
        (lambda c: c.query("SELECT Id FROM Opportunity"), SalesforceMalformedRequest, "INVALID_TYPE"),
        (lambda c: c.search("FIND {x"), SalesforceMalformedRequest, "MALFORMED_SEARCH"),
        (lambda c: c.Contact.create({}), SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING"),
        (lambda c: c.Opportunity.describe(), SalesforceResourceNotFound, "NOT_FOUND"),
        (lambda c: c.Contact.get("003000000000000"), SalesforceResourceNotFound, "NOT_FOUND"),
    ],
)
def test_errors_arrive_as_the_client_knows_them(salesforce: Running, work: Any, error: type[Any], code: str) -> None:
    with pytest.raises(error) as raised:
        work(client_of(salesforce, "bob"))
    assert code_of(raised.value) == code


def test_a_full_quota_and_a_dead_session(salesforce: Running) -> None:
    client = client_of(salesforce)
    salesforce.sim("limits", {"used": 5, "max": 5})
    with pytest.raises(SalesforceRefusedRequest) as refused:
        client.query("SELECT Id FROM Contact")
    assert code_of(refused.value) == "REQUEST_LIMIT_EXCEEDED"
    salesforce.sim("tokens/expire", {})
    with pytest.raises(SalesforceExpiredSession) as expired:
        client.query("SELECT Id FROM Contact")
    assert code_of(expired.value) == "INVALID_SESSION_ID"


def test_the_sandbox_says_it_is_one(salesforce: Running) -> None:
    assert client_of(salesforce, "alice", "sandbox").is_sandbox() is True


def test_mail_files_and_posts(client: Any) -> None:
    """A file as `requests` sends multipart, and as base64 the way this client does; a graph as any JSON."""
    jane = client.Contact.get_by_custom_id("Email", JANE)["Id"]
    mail = client.EmailMessage.create({"Subject": "Offer", "Status": "3", "ToIds": [jane], "Sync_Key__c": "KEY"})["id"]
    assert client.EmailMessage.get_by_custom_id("Sync_Key__c", "KEY")["Id"] == mail
    values = json.dumps({"PathOnClient": "offer.pdf", "FirstPublishLocationId": mail})
    parts = {
        "entity_content": (None, values, "application/json"),
        "VersionData": ("offer.pdf", b"%PDF-1.7\r\n--", "application/pdf"),
    }
    headers = {"Authorization": f"Bearer {client.session_id}"}
    sent = client.session.post(f"{client.base_url}sobjects/ContentVersion", headers=headers, files=parts, timeout=10)
    assert sent.status_code == 201, sent.text
    assert client.ContentVersion.get(sent.json()["id"])["ContentSize"] == 12
    inline = client.ContentVersion.create({"PathOnClient": "x.txt", "VersionData": base64.b64encode(b"hello").decode()})
    assert client.ContentVersion.get(inline["id"])["Checksum"] == hashlib.md5(b"hello").hexdigest()  # noqa: S324
    post = {"ParentId": jane, "Type": "LinkPost", "LinkUrl": "https://drive.example/x"}
    node = {"method": "POST", "url": f"/services/data/v{client.sf_version}/sobjects/FeedItem", "referenceId": "post"}
    graph = {"graphId": "one", "compositeRequest": [{**node, "body": post}]}
    (answer,) = client.restful("composite/graph", method="POST", json={"graphs": [graph]})["graphs"]
    assert answer["isSuccessful"] is True
