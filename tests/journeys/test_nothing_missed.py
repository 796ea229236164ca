"""Mail that waited for somebody, and mail that nobody told of, gets there by the whole product (F1, F11)."""

import base64
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.people import Salesforce
from tests.journeys.test_email_sync import Mailbox, activities, until
from tests.running import Stack

_HOURS = 3_600


@pytest.fixture(scope="module", params=["google", "microsoft"])
def mailbox(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Mailbox]:
    """It has been followed for two days."""
    made = Mailbox(stack, request.param)
    made.follow()
    made.rows("UPDATE sync_syncedmailbox SET starts_at = now() - interval '2 days' WHERE is_on")
    yield made
    made.end()


def id_of(mailbox: Mailbox) -> str:
    (row,) = mailbox.rows("SELECT id FROM sync_syncedmailbox WHERE is_on")
    return str(row["id"])


def decided_as(mailbox: Mailbox, message_id: str, rule: str) -> None:
    until(lambda: (mailbox.decision(message_id) or {}).get("rule") == rule)


def add(mailbox: Mailbox, address: str) -> None:
    values = {"LastName": "Unheard-of", "Email": address}
    answer = mailbox.person.call(
        "POST", "sidebar/records/Contact/", json={"values": values}, headers={"Idempotency-Key": uuid4().hex}
    )
    assert answer.status_code == 201, answer.text


def test_mail_waits_for_its_person(mailbox: Mailbox, acme: Salesforce) -> None:
    """Added in the sidebar, and added in Salesforce itself, which is asked who is new."""
    beside, there = (f"{uuid4().hex[:12]}@appears.example" for _ in range(2))
    first = mailbox.deliver(uuid4().hex, sender=beside, subject=f"Waits {beside}")
    second = mailbox.deliver(uuid4().hex, sender=there, subject=f"Waits {there}")
    mailbox.look()
    for each in (first, second):
        decided_as(mailbox, each, "nobody_found")
    add(mailbox, beside)
    mailbox.enqueue("look_around")  # as every 30 s
    decided_as(mailbox, first, "matched")
    mailbox.rows("UPDATE sync_waiting SET until = now()")  # so that the sidebar finds nothing that waits for her
    add(mailbox, there)
    mailbox.rows("UPDATE sync_waiting SET until = now() + interval '30 days'")
    mailbox.enqueue("ask_who_appeared", id_of(mailbox))
    decided_as(mailbox, second, "matched")
    assert len(activities(acme, f"Waits {beside}")) == len(activities(acme, f"Waits {there}")) == 1


def test_what_nobody_told_of_is_found_by_counting(mailbox: Mailbox) -> None:
    told, untold = (delivered(mailbox, hours=30) for _ in range(2))
    mailbox.look()
    for each in (told, untold):
        decided_as(mailbox, each, "nobody_found")
    # As if its change had never been told of: nothing else in the product knows of it.
    mailbox.rows("DELETE FROM sync_waiting USING sync_decision d WHERE decision_id = d.id AND message_id = %s", untold)
    mailbox.rows("DELETE FROM sync_decision WHERE message_id = %s", untold)
    mailbox.rows("DELETE FROM sync_job WHERE message_id = %s", untold)
    mailbox.rows("UPDATE sync_syncedmailbox SET counted_until = now() - interval '31 hours' WHERE is_on")
    until(lambda: counted(mailbox, "missed"))
    decided_as(mailbox, untold, "nobody_found")
    assert (counted(mailbox, "missed"), counted(mailbox, "listed") >= 2, counted(mailbox, "told") >= 2) == (
        1,
        True,
        True,
    )


def counted(mailbox: Mailbox, what: str) -> int:
    """By now. Nothing is compared while a list is read or changes are, so it is asked for more than once."""
    mailbox.enqueue("compare", id_of(mailbox))
    time.sleep(2)
    (shown,) = mine(mailbox)
    return sum(int(day[what]) for day in shown["days"])


def delivered(mailbox: Mailbox, hours: int) -> str:
    people = f"From: {uuid4().hex[:12]}@appears.example\r\nTo: {mailbox.user}@acme.example\r\n"
    raw = f"{people}Subject: Untold\r\n\r\nHello\r\n".encode()
    body = {"raw": base64.b64encode(raw).decode(), "folder": "inbox", "received_at": time.time() - hours * _HOURS}
    url = f"{mailbox.accounts.url}/_sim/mail/{mailbox.user}/deliver"
    answer = mailbox.accounts.session.post(url, json={"messages": [body]}, timeout=30)
    assert answer.status_code < 300, answer.text
    return str(answer.json()["ids"][0])


def mine(mailbox: Mailbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mailbox.person.call("GET", "sync/mailboxes/", fresh=True).json()["mailboxes"]
    return [each for each in found if each["id"] == id_of(mailbox)]
