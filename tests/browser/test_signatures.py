"""A new contact's form starts with what the sender's signature says, where that is switched on (C68-C70)."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Request, expect

from tests.browser.mailclient import MailClient, mail_client
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import within
from tests.running import Stack

pytestmark = pytest.mark.browser
STRANGER = "Question about harbour sensors"
SENDER = "Abernathy, Grace (Tidewater)"  # nobody at Globex knows her, whom Acme may have met in a test before


@pytest.fixture
def switched_on(charlie: AddIn) -> Iterator[None]:
    switch(charlie, {"values": {"signature.extract": True}}, is_on=True)
    yield
    switch(charlie, {"reset": ["signature.extract"]}, is_on=False)


def switch(person: AddIn, change: dict[str, Any], *, is_on: bool) -> None:
    """Each web process hears by itself."""
    assert person.call("PATCH", "policy/?level=organization", json=change).status_code == 200
    status = 200 if is_on else 403
    body: dict[str, object] = {"text": "x"}

    def answers() -> set[int]:
        return {person.call("POST", "sidebar/signature/", json=body, fresh=True).status_code for _ in range(24)}

    within(10, lambda: answers() == {status})


def new_contact(client: MailClient) -> Locator:
    client.card(SENDER).get_by_role("button", name=re.compile("Create Contact")).click()
    form = client.pane.locator("form.record-form")
    expect(form.get_by_label("First Name")).to_have_value("Grace")
    return form


@pytest.mark.usefixtures("switched_on")
def test_the_form_knows_what_the_signature_says(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(STRANGER)
        client.sign_in("charlie", stack.org("globex"))
        form = new_contact(client)
        expect(form.get_by_label(re.compile("^Last Name"))).to_have_value("Abernathy")
        expect(form.get_by_label("Title")).to_have_value("Operations Director")
        expect(form.get_by_label("Business Phone")).to_have_value("+1 757-555-0140")
        expect(form.get_by_label("Email", exact=True)).to_have_value("grace.abernathy@tidewater-instruments.example")


def test_switched_off_no_mail_is_sent_anywhere(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        sent: list[str] = []

        def note(request: Request) -> None:
            sent.append(f"{request.url} {request.post_data or ''}")

        client.open_mail(STRANGER)
        client.sign_in("charlie", stack.org("globex"))
        client.context.on("request", note)
        form = new_contact(client)
        expect(form.get_by_label("Title")).to_have_value("")
        assert any("/forms/Contact/" in request for request in sent)
        assert not [request for request in sent if "sidebar/signature" in request or "tide gauges" in request]
