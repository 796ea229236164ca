"""An open of a tracked mail, from the recipient's mail program to the activity that was logged for it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.journeys.people import AddIn, Salesforce
from tests.journeys.test_email_sync import NGOZI, Mailbox, activities, log_now, until
from tests.journeys.test_tracking import ask, prepared, sent_a_while_ago, switched_on
from tests.running import Stack

MESSAGE_ID = "<noted-4711@acme.example>"
SUBJECT = "Cold chain offer, to be noted"
RAW = (
    f"From: bob@acme.example\r\nTo: {NGOZI}\r\nSubject: {SUBJECT}\r\nDate: Sun, 22 Nov 2026 09:12:41 +0000\r\n"
    f"Message-ID: {MESSAGE_ID}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n"
).encode()


@pytest.fixture
def mailbox(stack: Stack, alice: AddIn) -> Iterator[Mailbox]:
    """Bob's, at an organization that wants it noted."""
    switched_on(alice)
    change = {"values": {"track.in_salesforce": True}}
    assert alice.call("PATCH", "policy/?level=organization", json=change).status_code == 200
    made = Mailbox(stack, "google")
    made.begin()
    yield made
    made.end()
    alice.call("PATCH", "policy/?level=organization", json={"reset": ["track.in_salesforce"]})


def test_an_open_is_noted_on_the_logged_activity(stack: Stack, mailbox: Mailbox, acme: Salesforce) -> None:
    message = until(lambda: _noted_from_the_start(mailbox))
    saved = log_now(mailbox.person, mailbox, mailbox.deliver_raw(RAW)).json()
    assert saved["saved"], saved
    sent_a_while_ago(stack, message["id"])
    ask(message["copies"][0]["pixel"])
    until(lambda: _hurried(stack, message["id"]))
    mailbox.enqueue("note_seen")
    (activity,) = until(lambda: [row for row in activities(acme, SUBJECT) if row.get("Sync_Opens__c")])
    assert (activity["Id"], activity["Sync_Opens__c"], activity["Sync_Clicks__c"]) == (saved["activity_id"], 1, 0)
    assert activity["Sync_Seen_At__c"]


def _noted_from_the_start(mailbox: Mailbox) -> dict[str, object] | None:
    """Sent, once the process that hears of it has heard that it is to be noted."""
    message = prepared(mailbox.person, recipients=[NGOZI], links=[])
    told = {"message_id": MESSAGE_ID}
    assert mailbox.person.call("POST", f"tracking/messages/{message['id']}/sent/", json=told).status_code == 204
    return message if mailbox.rows("SELECT 1 FROM sync_notedmail WHERE mail_id = %s", message["id"]) else None


def _hurried(stack: Stack, mail_id: str) -> bool:
    """Instead of two minutes' patience."""
    with psycopg.connect(stack.facts["database_url"]) as connection:
        found = connection.execute(
            "UPDATE sync_notedmail SET due_at = now() WHERE mail_id = %s AND due_at IS NOT NULL", [mail_id]
        )
        return bool(found.rowcount)
