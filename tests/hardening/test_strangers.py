"""Somebody else's ids, at every call that takes one: to a stranger and to a colleague without the role they are worth
what a made-up id is worth, to the last byte that could tell them apart (BI-A6, G3)."""

import random
import re
import string
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
import requests

from tests.hardening import doors
from tests.journeys.people import AddIn, origin_of
from tests.running import Stack

PEOPLE = ["jane.doe@northwind.example", "liam.oconnor@northwind.example", "sofia.rossi@rossi-vini.example"]
PEOPLE += ["priya.raman@kestrel-labs.example", "zoe.vanderberg@northwind.example", "t.lukasiewicz@northwind.example"]
PROBES = 1_000
#: What is a person's own: to everybody else, whatever the role, it does not exist.
OWN = ("connection_id", "device_id", "message_id", "decision_id", "activity_id", "correction_id")
MESSAGE_ID = "<strangers@acme.example>"
LISTS = ("domains/", "invitations/", "members/", "connections/", "me/devices/")
#: Random ids; the first two are of what is the person's own.
PERSONAL = ("connection_id", "device_id", "member_id", "message_id", "decision_id", "correction_id")


BODIES: dict[str, dict[str, Any]] = {
    "id": {"values": {"Description": "x"}},
    "message_id": {"message_id": "<x@y.example>"},
    **{kind: {} for kind in ("decision_id", "activity_id", "correction_id")},
}
RELINK = {"record_ids": ["003000000000001AAA"]}
#: An email of Alice's that is saved, in a mailbox that nobody looks at, and what was taken back before.
SAVED = """
WITH whose AS (SELECT organization_id, member_id, id AS connection_id FROM vault_connection WHERE id = %(connection)s),
box AS (INSERT INTO sync_syncedmailbox
          (id, organization_id, member_id, connection_id, is_on, parked_for, parked_at_provider, failures)
        SELECT %(mailbox)s, organization_id, member_id, connection_id, false, '', '', 0 FROM whose RETURNING id),
entry AS (INSERT INTO sync_ledgerentry (id, organization_id, mailbox_id, key, message_mark, rule, object_name,
                                        salesforce_id, remote_version)
          SELECT %(entry)s, organization_id, box.id, %(activity)s, '', 'matched', 'Task', %(activity)s, ''
          FROM whose, box),
told AS (INSERT INTO sync_decision (id, organization_id, mailbox_id, message_id, thread_id, outcome, rule, "values",
                                    domain, error_code, activity_id, record_ids, asked_ids, asked_why, notes)
         SELECT %(decision)s, organization_id, box.id, 'strangers', '', 'synced', 'matched', '{}', '', '', %(activity)s,
                '{}', '{}', '{}', '{}' FROM whose, box)
INSERT INTO sync_correction (id, organization_id, asked_by_id, kind, scope, rule, is_for_all, person_ids, ended_at)
SELECT %(correction)s, organization_id, member_id, 'undo', 'mail', '', false, '{}', now() FROM whose
"""
GONE = (
    "DELETE FROM sync_decision WHERE mailbox_id = %(mailbox)s",
    "DELETE FROM sync_ledgerentry WHERE mailbox_id = %(mailbox)s",
    "DELETE FROM sync_syncedmailbox WHERE id = %(mailbox)s",
    "DELETE FROM sync_correction WHERE id = %(correction)s",
)


class Operation(NamedTuple):
    """A call that takes an id. `kind`: what the id names."""

    method: str
    path: str
    kind: str
    name: str


@pytest.fixture(scope="module")
def operations(alice: AddIn) -> list[Operation]:
    """From the OpenAPI description, so that a new call cannot be forgotten."""
    described = alice.call("GET", "schema/").json()["paths"]
    found = list(_operations(described))
    kinds = {"connection_id", "device_id", "domain_id", "invitation_id", "member_id", "message_id", "id"}
    kinds |= {"decision_id", "activity_id", "correction_id"}
    assert {operation.kind for operation in found} == kinds
    return found


def _operations(paths: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in paths.items():
        names = re.findall(r"\{(\w+)\}", path)
        for method in methods:
            if names and names[-1] not in ("object", "rule"):
                yield Operation(method.upper(), path.removeprefix("/api/v1/"), names[-1], names[-1])


@pytest.fixture(scope="module")
def saved(stack: Stack, alice: AddIn) -> Iterator[dict[str, str]]:
    connection = alice.call("GET", "connections/").json()["connections"][0]["id"]
    made = {name: str(uuid4()) for name in ("mailbox", "entry", "decision", "correction")}
    made |= {"connection": connection, "activity": "00T" + made["entry"].replace("-", "")[:15]}
    with psycopg.connect(stack.facts["database_url"], autocommit=True) as database:
        database.execute(SAVED, made)
        yield made
        for statement in GONE:
            database.execute(statement, made)


@pytest.fixture(scope="module")
def ids(alice: AddIn, charlie: AddIn, saved: dict[str, str]) -> dict[str, list[str]]:
    """Acme's own ids of every kind; records as "<object>/<id>". Charlie comes first, so that Globex exists."""
    assert charlie.call("GET", "me/").json()["organization"] != alice.call("GET", "me/").json()["organization"]
    for number in range(3):
        name = f"stranger-{number}-{random.randrange(10**9)}.example"
        assert alice.call("POST", "domains/", json={"name": name}).status_code == 201
        assert alice.call("POST", "invitations/", json={"username": f"somebody@{name}"}).status_code == 201
    listed = {
        "connection_id": alice.call("GET", "connections/").json()["connections"],
        "device_id": alice.call("GET", "me/devices/").json()["devices"],
        "domain_id": alice.call("GET", "domains/").json()[:20],
        "invitation_id": alice.call("GET", "invitations/").json()[:20],
        "member_id": alice.call("GET", "members/").json(),
        "message_id": [_tracked_message(alice) for _ in range(3)],
    }
    mail = {f"{kind}_id": [saved[kind]] for kind in ("decision", "activity", "correction")}
    found = {kind: [str(row["id"]) for row in rows] for kind, rows in listed.items()}
    return {**found, **mail, "id": sorted(_records(alice))}


def _tracked_message(alice: AddIn) -> dict[str, Any]:
    """Prepared, sent, with a Message-ID that a stranger may know."""
    assert alice.call("PATCH", "policy/?level=organization", json={"values": {"track.opens": True}}).status_code == 200
    wanted = {"recipients": ["jane@northwind.example"], "links": []}
    message: dict[str, Any] = alice.call("POST", "tracking/messages/", json=wanted).json()
    sent = alice.call("POST", f"tracking/messages/{message['id']}/sent/", json={"message_id": MESSAGE_ID})
    assert sent.status_code == 204
    return message


def _records(alice: AddIn) -> set[str]:
    found = set()
    for card in alice.people(PEOPLE).json()["people"]:
        for record in card["records"]:
            found |= {f"{record['object']}/{record['id']}"}
            found |= {f"{one['object']}/{one['id']}" for group in record["groups"] for one in group["records"]}
    return found


def made_up(kind: str, real: str) -> str:
    """An id of the same kind that nobody has."""
    if kind in PERSONAL:
        return str(uuid4())
    if kind in ("domain_id", "invitation_id"):
        return str(random.randrange(10**8, 2 * 10**9))
    if kind == "activity_id":
        return f"00T{''.join(random.choices(string.ascii_letters + string.digits, k=15))}"
    object_, _, key = real.partition("/")
    return f"{object_}/{key[:3]}{''.join(random.choices(string.ascii_letters + string.digits, k=12))}"


def ask(caller: AddIn, operation: Operation, identifier: str) -> requests.Response | None:
    """None where this call is about another object than the id."""
    object_, _, key = identifier.rpartition("/")
    path = operation.path.replace("{object}", object_).replace("{" + operation.name + "}", key)
    if object_ and "{object}" not in operation.path and f"/{object_}/" not in operation.path:
        return None
    is_relink = operation.path.endswith("/relink/")
    body = RELINK if is_relink else BODIES.get(operation.kind, {"is_active": False})
    sent = {"json": body} if operation.method in ("PATCH", "PUT", "POST") else {}
    return caller.call(operation.method, path, fresh=True, headers={"Idempotency-Key": str(uuid4())}, **sent)


def shape(answer: requests.Response) -> tuple[object, ...]:
    """All of an answer but its request id, and what it may not differ in."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    headers = {name: answer.headers.get(name) for name in ("Content-Type", "Cache-Control", "Allow", "Retry-After")}
    return answer.status_code, body, headers, len(answer.content)


def check_link(caller: AddIn, *answers: requests.Response) -> None:
    """Opening asks Salesforce for no record, so any id gets a link: into the caller's own organization only."""
    own = [caller.browser.org["api_url"], caller.browser.org["pages_url"]]
    for answer in answers:
        assert answer.status_code == 200
        assert origin_of(answer.json()["url"]) in own


def test_a_strangers_ids_are_worth_nothing(
    operations: list[Operation], ids: dict[str, list[str]], alice: AddIn, charlie: AddIn
) -> None:
    """Charlie, administrator of another organization: 404, as for an id that nobody has."""
    before = {path: alice.call("GET", path).json() for path in LISTS}
    probes = 0
    while probes < PROBES:
        for operation in operations:
            for real in random.sample(ids[operation.kind], min(12, len(ids[operation.kind]))):
                theirs = ask(charlie, operation, real)
                nobodys = ask(charlie, operation, made_up(operation.kind, real))
                if theirs is None or nobodys is None:
                    continue
                probes += 1
                if operation.path.endswith("/open/"):
                    check_link(charlie, theirs, nobodys)
                    continue
                assert theirs.status_code == 404, (operation, theirs.text)
                assert shape(theirs) == shape(nobodys), operation
                assert doors.fault(theirs) == ""
    connections = before.pop("connections/")["connections"]
    assert {path: alice.call("GET", path).json() for path in before} == before
    after = alice.call("GET", "connections/").json()["connections"]
    assert [(row["id"], row["state"]) for row in after] == [(row["id"], row["state"]) for row in connections]


def test_a_colleague_without_the_role_learns_nothing(
    operations: list[Operation], ids: dict[str, list[str]], bob: AddIn
) -> None:
    """Bob, a user of the same organization: another's connection or device does not exist, and the rest is not his
    business, whether or not the id exists. Records are Salesforce's to judge, and it judges by his own grant."""
    own = {row["id"] for row in bob.call("GET", "connections/").json()["connections"]}
    for operation in (operation for operation in operations if operation.kind != "id"):
        for real in set(ids[operation.kind]) - own:
            his, nobodys = ask(bob, operation, real), ask(bob, operation, made_up(operation.kind, real))
            assert his is not None
            assert nobodys is not None
            assert his.status_code == (404 if operation.kind in OWN else 403), operation
            assert shape(his) == shape(nobodys), operation


def test_a_message_id_of_anothers_mail_finds_nothing_and_proves_nothing(
    ids: dict[str, list[str]], alice: AddIn, bob: AddIn, charlie: AddIn
) -> None:
    """Headers are no secret: a colleague, or the recipient's own organization, has them too."""
    before = alice.call("GET", f"tracking/messages/{ids['message_id'][0]}/").json()
    reply = {"in_reply_to": MESSAGE_ID, "sender": "jane@northwind.example"}
    for person in (bob, charlie):
        assert person.call("POST", "tracking/messages/find/", json={"message_ids": [MESSAGE_ID]}).json() == {"ids": []}
        assert person.call("POST", "tracking/replies/", json=reply).status_code == 204
        assert person.call("GET", "tracking/news/").json()["items"] == []
    assert alice.call("GET", f"tracking/messages/{ids['message_id'][0]}/").json() == before
    found = alice.call("POST", "tracking/messages/find/", json={"message_ids": [MESSAGE_ID]}).json()["ids"]
    assert sorted(found) == sorted(ids["message_id"])


@pytest.mark.parametrize(
    "path", ["audit/", "members/", "invitations/", "domains/", "connections/", "me/", "me/devices/", "policy/"]
)
def test_no_list_holds_anything_of_another_organization(
    path: str, ids: dict[str, list[str]], alice: AddIn, charlie: AddIn
) -> None:
    text = charlie.call("GET", path).text
    known = {key for kind, keys in ids.items() for key in keys if kind in PERSONAL}
    assert not [key for key in known if key in text]
    assert "acme" not in text.lower()


def test_what_a_user_may_not_see_at_all(bob: AddIn) -> None:
    for path in ("audit/", "members/", "invitations/", "policy/?level=organization"):
        answer = bob.call("GET", path)
        assert (answer.status_code, doors.fault(answer)) == (403, ""), path
    assert "access.whitelist" not in bob.call("GET", "policy/").text


def test_the_audit_of_one_organization_cannot_be_paged_into_anothers(alice: AddIn, charlie: AddIn) -> None:
    theirs = {row["target"] for row in alice.call("GET", "audit/?limit=500").json()["entries"]}
    for before in (2, 1_000, 2**31, 2**62):
        for row in charlie.call("GET", f"audit/?limit=500&before={before}").json()["entries"]:
            assert row["target"] not in theirs or row["target"] in ("", "outlook-task-pane", "salesforce"), row[
                "action"
            ]


def test_equal_times(ids: dict[str, list[str]], charlie: AddIn) -> None:
    """BI-A6: a stranger's id takes no other path than one that nobody has. The faster half of 60 each is
    compared, since the slower half is this machine's other business."""
    operation = Operation("DELETE", "connections/{connection_id}/", "connection_id", "connection_id")
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(120):
        real = ids["connection_id"][0]
        answer = ask(charlie, operation, real if number % 2 else made_up("connection_id", real))
        assert answer is not None
        times[bool(number % 2)].append(answer.elapsed.total_seconds())
    theirs, nobodys = (sorted(taken)[15] for taken in times.values())
    assert abs(theirs - nobodys) < 0.003  # seconds
