"""A reply that the sender looks at proves that what it replies to was read (C53)."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.mailclient import mail_client
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import prepared, switched_on
from tests.running import Stack

pytestmark = pytest.mark.browser
LIAM, JOE = "liam.oconnor@northwind.example", "joe@northwind.example"


def test_whoever_replied_is_said_to_have_read(browser: Browser, stack: Stack, alice: AddIn) -> None:
    """Liam's reply to Alice's mail is in the demo mailbox."""
    message = prepared(switched_on(alice), recipients=[LIAM, JOE], singly=True, links=[])
    header = {"message_id": "<CAF3x91k2@mail.acme.example>"}
    assert alice.call("POST", f"tracking/messages/{message['id']}/sent/", json=header).status_code == 204
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Fleet tracking")
        block = client.pane.get_by_role("region", name="What came of your message")
        expect(block.get_by_role("listitem").filter(has_text=LIAM)).to_contain_text("Replied")
        expect(block.get_by_role("listitem").filter(has_text=JOE)).to_contain_text("No signal")
    told = alice.call("GET", f"tracking/messages/{message['id']}/").json()["recipients"]
    assert [(each["signal"], each["how_sure"]) for each in told] == [("replied", "sure"), ("no_signal", "unclear")]
