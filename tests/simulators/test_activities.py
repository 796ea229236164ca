"""Mail, its people, tasks, files and posts in the simulated Salesforce: what it makes of them, and what it refuses."""

from typing import Any

import pytest

from simulators.salesforce.uploads import Receiver
from tests.simulators.conftest import InProcess

BASE = "/services/data/v60.0"
MAIL = {"Subject": "Offer", "TextBody": "text", "Status": "3", "MessageDate": "2026-03-01T10:00:00Z"}


def people(org: InProcess, kind: str, number: int) -> list[str]:
    return [row["Id"] for row in org.org.store.alive(kind) if row.get("Email") and not row.get("IsConverted")][:number]


def rows(org: InProcess, kind: str, **values: Any) -> list[dict[str, Any]]:
    """Living records with these values, as they are stored."""
    return [row for row in org.org.store.alive(kind) if all(row.get(name) == value for name, value in values.items())]


def made(org: InProcess, kind: str, values: dict[str, Any]) -> str:
    answer = org.rest("POST", f"sobjects/{kind}", values)
    assert answer.status == 201, answer.body
    return str(answer.body["id"])


def refused(org: InProcess, method: str, path: str, values: dict[str, Any]) -> str:
    answer = org.rest(method, path, values)
    assert answer.status >= 400, answer.body
    return str(answer.body[0]["errorCode"])


def test_a_mail_makes_its_relations_and_its_task(fresh: InProcess) -> None:
    first, second = people(fresh, "Contact", 2)
    mail = made(fresh, "EmailMessage", {**MAIL, "ToIds": [first], "CcIds": [second], "ToAddress": "other@x.example"})
    relations = rows(fresh, "EmailMessageRelation", EmailMessageId=mail)
    assert [(each["RelationType"], each["RelationId"]) for each in relations] == [
        ("ToAddress", first),
        ("ToAddress", None),
        ("CcAddress", second),
    ]
    assert relations[0]["RelationAddress"]
    activity = rows(fresh, "EmailMessage", Id=mail)[0]["ActivityId"]
    task = rows(fresh, "Task", Id=activity)[0]
    owner = fresh.org.users["alice"].id
    assert (task["WhoId"], task["Status"], task["TaskSubtype"]) == (first, "Completed", "Email")
    assert task["OwnerId"] == owner


def test_a_mail_cannot_be_changed_unless_it_is_a_draft(fresh: InProcess) -> None:
    mail = f"sobjects/EmailMessage/{made(fresh, 'EmailMessage', {**MAIL, 'Status': '0'})}"
    draft = f"sobjects/EmailMessage/{made(fresh, 'EmailMessage', {**MAIL, 'Status': '5'})}"
    assert fresh.rest("PATCH", draft, {"Subject": "Other"}).status == 204
    assert refused(fresh, "PATCH", mail, {"Subject": "Other"}) == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert refused(fresh, "PATCH", mail, {"Status": "3"}) == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert fresh.rest("PATCH", mail, {"Status": "1"}).status == 204
    assert fresh.rest("PATCH", mail, {"Sync_Key__c": "K"}).status == 204
    task = people(fresh, "Contact", 1)[0]
    assert refused(fresh, "POST", "sobjects/EmailMessage", {**MAIL, "ToIds": task}) == "JSON_PARSER_ERROR"
    assert refused(fresh, "POST", "sobjects/EmailMessage", {**MAIL, "ToIds": ["00T0"]}) == "MALFORMED_ID"
    some_task = fresh.query("SELECT Id FROM Task LIMIT 1")[0]["Id"]
    code = refused(fresh, "POST", "sobjects/EmailMessage", {**MAIL, "ActivityId": some_task})
    assert code == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_a_task_takes_fifty_contacts_or_one_lead(fresh: InProcess) -> None:
    contacts, leads = people(fresh, "Contact", 51), people(fresh, "Lead", 2)
    task = made(fresh, "Task", {"Subject": "Mail", "TaskSubtype": "Email", "TaskWhoIds": contacts[:50]})
    assert [row["RelationId"] for row in rows(fresh, "TaskRelation", TaskId=task)] == contacts[:50]
    assert rows(fresh, "Task", Id=task)[0]["WhoId"] == contacts[0]
    for who, code in (
        (contacts, "LIMIT_EXCEEDED"),
        ([contacts[0], leads[0]], "FIELD_INTEGRITY_EXCEPTION"),
        (leads, "FIELD_INTEGRITY_EXCEPTION"),
    ):
        assert refused(fresh, "POST", "sobjects/Task", {"Subject": "Mail", "TaskWhoIds": who}) == code
    beside = {"TaskId": task, "RelationId": leads[0], "IsWhat": False}
    assert refused(fresh, "POST", "sobjects/TaskRelation", beside) == "FIELD_INTEGRITY_EXCEPTION"


def test_without_shared_activities_a_task_knows_no_list(fresh: InProcess) -> None:
    fresh.org.store.absent = {"TaskRelation", "TaskWhoRelation"}
    fresh.org.rights_changed()
    contacts = people(fresh, "Contact", 2)
    assert refused(fresh, "POST", "sobjects/Task", {"Subject": "Mail", "TaskWhoIds": contacts}) == "INVALID_FIELD"
    assert fresh.rest("GET", "sobjects/TaskRelation/describe").status == 404
    children = fresh.rest("GET", "sobjects/Task/describe").body["childRelationships"]
    assert not [child for child in children if child["junctionIdListNames"]]


def test_what_goes_with_a_mail_goes_when_it_goes(fresh: InProcess) -> None:
    contact = people(fresh, "Contact", 1)[0]
    mail = made(fresh, "EmailMessage", {**MAIL, "ToIds": [contact]})
    assert fresh.rest("DELETE", f"sobjects/EmailMessage/{mail}").status == 204
    assert rows(fresh, "EmailMessageRelation", EmailMessageId=mail) == []


def test_a_link_is_posted_to_a_feed(fresh: InProcess) -> None:
    contact = people(fresh, "Contact", 1)[0]
    post = {"ParentId": contact, "Type": "LinkPost", "LinkUrl": "https://drive.example/x", "Title": "x"}
    assert made(fresh, "FeedItem", post).startswith("0D5")
    assert refused(fresh, "POST", "sobjects/FeedItem", {**post, "LinkUrl": None}) == "FIELD_INTEGRITY_EXCEPTION"
    assert refused(fresh, "POST", "sobjects/FeedItem", {**post, "LinkUrl": "file:///x"}) == "FIELD_INTEGRITY_EXCEPTION"
    mail = made(fresh, "EmailMessage", MAIL)
    assert refused(fresh, "POST", "sobjects/FeedItem", {**post, "ParentId": mail}) == "MALFORMED_ID"


def test_a_file_makes_its_document_and_its_links(fresh: InProcess) -> None:
    contact = people(fresh, "Contact", 1)[0]
    values = {"PathOnClient": "offer.pdf", "VersionData": "aGVsbG8=", "FirstPublishLocationId": contact}
    file = made(fresh, "ContentVersion", values)
    row = fresh.org.store.tables["ContentVersion"].rows[file]
    assert (row["Title"], row["FileExtension"], row["ContentSize"]) == ("offer", "pdf", 5)
    links = rows(fresh, "ContentDocumentLink", ContentDocumentId=row["ContentDocumentId"])
    assert {link["LinkedEntityId"] for link in links} == {contact, fresh.org.users["alice"].id}
    again = {"ContentDocumentId": row["ContentDocumentId"], "LinkedEntityId": contact}
    assert refused(fresh, "POST", "sobjects/ContentDocumentLink", again) == "DUPLICATE_VALUE"
    assert refused(fresh, "POST", "sobjects/ContentVersion", {"PathOnClient": "x"}) == "REQUIRED_FIELD_MISSING"


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_an_upload_is_read_in_any_pieces(step: int) -> None:
    data = bytes(range(256)) * 8 + b"\r\n--bound" * 5
    body = (
        b'--boundary\r\nContent-Disposition: form-data; name="entity_content"\r\nContent-Type: application/json\r\n\r\n'
        b'{"PathOnClient": "x"}\r\n--boundary\r\nContent-Disposition: form-data; name="VersionData"; filename="x"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--boundary--\r\n"
    )
    receiver = Receiver('multipart/form-data; boundary="boundary"')
    for start in range(0, len(body), step):
        receiver.feed(body[start : start + step])
    assert receiver.values()["_uploaded"]["ContentSize"] == len(data)
    assert receiver.values()["PathOnClient"] == "x"


def node(reference: str, path: str, method: str = "POST", **body: Any) -> dict[str, Any]:
    return {"method": method, "url": f"{BASE}/sobjects/{path}", "referenceId": reference, "body": body}


def graphs(org: InProcess, *requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    body = {"graphs": [{"graphId": f"g{n}", "compositeRequest": nodes} for n, nodes in enumerate(requests)]}
    answer = org.rest("POST", "composite/graph", body)
    assert answer.status == 200, answer.body
    return list(answer.body["graphs"])


def test_each_graph_is_done_whole_or_not_at_all(fresh: InProcess) -> None:
    good = [node("a", "Account", Name="Graph A"), node("c", "Contact", LastName="Graph", AccountId="@{a.id}")]
    bad = [node("a", "Account", Name="Graph B"), node("c", "Contact", FirstName="no last name")]
    first, second = graphs(fresh, good, bad)
    assert (first["isSuccessful"], second["isSuccessful"]) == (True, False)
    codes = [each["body"][0]["errorCode"] for each in second["graphResponse"]["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    names = {row["Name"] for row in fresh.query("SELECT Name FROM Account WHERE Name LIKE 'Graph %'")}
    assert names == {"Graph A"}


def test_graphs_have_their_limits(fresh: InProcess) -> None:
    bad = [node("c", "Contact", FirstName="no last name")]
    good = [node("a", "Account", Name="Late")]
    answered = graphs(fresh, *[bad] * 14, good)
    assert answered[-1]["graphResponse"]["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    many = [node(f"n{n}", "Account", Name="x") for n in range(501)]
    for nodes in ([[good[0]]] * 76, [many], [many[:250], many[:251]]):
        body = {"graphs": [{"graphId": f"g{n}", "compositeRequest": each} for n, each in enumerate(nodes)]}
        assert fresh.rest("POST", "composite/graph", body).body[0]["errorCode"] == "LIMIT_EXCEEDED"
    query = {"method": "GET", "url": f"{BASE}/query/?q=x", "referenceId": "q"}
    body = {"graphs": [{"graphId": "g", "compositeRequest": [query]}]}
    assert fresh.rest("POST", "composite/graph", body).body[0]["errorCode"] == "INVALID_INPUT"
