"""The opened email in Salesforce: saved by one button, with its reason in words, kept private, and who is meant. In a
mail client that hands the email over whole, and in one that names it by its provider's ids, at both providers."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.journeys.people import AddIn, Salesforce
from tests.journeys.test_email_sync import (
    CANARY,
    NGOZI,
    NOBODY,
    PEOPLE,
    Mailbox,
    activities,
    filed_by_another_program,
)
from tests.running import Stack

pytestmark = pytest.mark.browser
#: Handed over once more, it is there already.
SAVED_BY_HAND = re.compile("Saved because somebody asked for it in the sidebar|was in Salesforce already")
SAVED = "Saved because somebody asked for it in the sidebar"
#: Milliseconds between two looks at what sync has in hand (email.js).
EVERY = 1_500
SENSOR = "sensor 14 reads 80 degrees"
TWIN = "stores@savannah-foods.example"


@pytest.fixture
def acme(stack: Stack) -> Salesforce:
    return Salesforce(stack, "acme")


@pytest.fixture(scope="module", params=list(PEOPLE))
def mailbox(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Mailbox]:
    """At Google, then at Microsoft; followed."""
    made = Mailbox(stack, request.param)
    made.follow()
    yield made
    made.end()


@pytest.fixture
def client(browser: Browser, stack: Stack, mailbox: Mailbox) -> Iterator[MailClient]:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in(mailbox.user, stack.org("acme"))
        yield client


def until(is_so: Callable[[], bool], client: MailClient) -> None:
    """What is seen of the pane's requests; they go on meanwhile."""
    for _ in range(150):
        if is_so():
            return
        client.page.wait_for_timeout(100)
    raise AssertionError("it did not happen")


def block(client: MailClient) -> Locator:
    return client.pane.get_by_role("region", name="This email in Salesforce")


def show(client: MailClient, mailbox: Mailbox, message_id: str, sender: str, thread: str = "t-1") -> None:
    """As the add-in of this provider's mail client tells it."""
    named = {"provider": mailbox.accounts.name, "messageId": message_id, "threadId": thread}
    item = {"type": "item", "id": message_id, "people": [sender], "messageIds": [], "replies": [], "mail": named}
    client.page.evaluate(
        "item => document.getElementById('pane').contentWindow.postMessage(item, location.origin)", item
    )


def press(client: MailClient, name: str) -> None:
    block(client).get_by_role("button", name=name).click()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_email_that_the_client_hands_over_is_saved_once(
    browser: Browser, stack: Stack, acme: Salesforce, scheme: str
) -> None:
    with mail_client(browser, stack.public_url, scheme) as client:
        client.sign_in("alice", stack.org("acme"))
        client.open_mail(SENSOR)
        expect(block(client)).to_contain_text("Not saved from here yet.")
        press(client, "Log this email now")
        expect(block(client).locator(".tag").first).to_have_text("Saved")
        expect(block(client)).to_contain_text(SAVED_BY_HAND)
        expect(block(client).get_by_role("button", name="Open in Salesforce")).to_be_visible()
        expect(block(client).get_by_role("button", name="Log this email now")).to_have_count(0)
        expect(client.pane.locator("#announcer")).to_have_text("Saved in Salesforce")
        assert serious_faults(client.pane) == []
        client.open_mail("Question about harbour sensors")
        expect(block(client)).to_contain_text("Not saved from here yet.")
        client.open_mail(SENSOR)
        expect(block(client)).to_contain_text(SAVED_BY_HAND)
    assert len(activities(acme, SENSOR)) == 1


def test_one_whose_outcome_nobody_knows_may_be_saved_again(browser: Browser, stack: Stack) -> None:
    """With another key: that one writes nothing more, and the email itself is never there twice."""
    keys: list[str] = []

    def unknown(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        body = {"type": "/problems/outcome-unknown", "detail": f"Nobody knows what became of it ({len(keys)})."}
        route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(body))

    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        client.open_mail(SENSOR)
        client.context.route("**/api/v1/sync/emails/", unknown)
        for times in (1, 2):
            press(client, "Log this email now")
            expect(block(client).get_by_role("alert")).to_contain_text(f"became of it ({times}).")
        assert keys[0] != keys[1]
        client.complaints[:] = [line for line in client.complaints if "409" not in line]


def test_nobody_asks_for_the_email_before_it_is_to_be_saved(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        fetched: list[str] = []
        client.page.on("request", lambda request: fetched.append(request.url) if "/whole/" in request.url else None)
        client.sign_in("alice", stack.org("acme"))
        client.open_mail(SENSOR)
        expect(block(client)).to_be_visible()
        assert fetched == []


def test_an_email_is_saved_by_its_providers_ids(client: MailClient, mailbox: Mailbox, acme: Salesforce) -> None:
    subject = f"Your security code for the pane, {mailbox.accounts.name}"  # which sync leaves alone
    show(client, mailbox, mailbox.deliver(f"pane-{mailbox.user}", subject=subject), NGOZI)
    press(client, "Log this email now")
    expect(block(client)).to_contain_text(SAVED)
    assert len(activities(acme, subject)) == 1


def test_what_is_asked_for_while_the_server_is_away_is_saved_later(
    client: MailClient, mailbox: Mailbox, acme: Salesforce
) -> None:
    """C46: kept in the page with its provider's ids alone, and saved once."""
    subject = f"Your security code, offline, {mailbox.accounts.name}"
    paths = ("**/api/v1/sync/emails/", "**/api/v1/sidebar/replay/")
    show(client, mailbox, mailbox.deliver(f"offline-{mailbox.user}", subject=subject), NGOZI)
    for path in paths:
        client.context.route(path, lambda route: route.abort())
    press(client, "Log this email now")
    expect(block(client)).to_contain_text("It is saved as soon as the server can be reached.")
    expect(client.pane.locator("#offline")).to_contain_text("One change is kept here")
    for path in paths:
        client.context.unroute(path)
    client.pane.evaluate("() => window.dispatchEvent(new Event('online'))")
    expect(client.pane.locator("#offline")).to_be_hidden()
    expect(block(client)).to_contain_text(SAVED)
    assert len(activities(acme, subject)) == 1
    client.complaints[:] = [line for line in client.complaints if "net::ERR_FAILED" not in line]


@pytest.mark.parametrize(
    ("before", "first"),
    [({"decision": None}, "Its turn comes in a moment."), ({}, "Saved with the people of this email")],
    ids=["new", "saved by hand meanwhile"],
)
def test_what_sync_has_in_hand_is_shown_and_looked_up_again(
    client: MailClient, mailbox: Mailbox, before: dict[str, Any], first: str
) -> None:
    message_id = mailbox.deliver(f"in-hand-{mailbox.user}-{len(before)}")
    mailbox.look()
    mailbox.decided(message_id)
    told: list[bool] = []  # whether each look was told that sync is at work
    in_hand: dict[str, Any] = {"standing": "running", **before}

    def answered(route: Route) -> None:
        answer = route.fetch()
        told.append(bool(in_hand))
        route.fulfill(response=answer, json={**answer.json(), **in_hand})

    client.context.route("**/api/v1/sync/why/**", answered)
    show(client, mailbox, message_id, NGOZI)
    expect(block(client)).to_contain_text(first)
    until(lambda: len(told) > 1, client)
    expect(block(client)).to_contain_text(first)
    in_hand.clear()
    until(lambda: not told[-1], client)  # a look may have been on its way, with the text below in place already
    expect(block(client)).to_contain_text("Saved with the people of this email")
    client.page.wait_for_timeout(2 * EVERY)
    assert told.count(False) == 1


def test_why_is_said_in_words(client: MailClient, mailbox: Mailbox) -> None:
    known = mailbox.deliver(f"why-known-{mailbox.user}")
    unknown = mailbox.deliver(f"why-unknown-{mailbox.user}", sender=NOBODY)
    mailbox.look()
    for message_id in (known, unknown):
        mailbox.decided(message_id)
    show(client, mailbox, known, NGOZI)
    expect(block(client)).to_contain_text("Saved with the people of this email that are in Salesforce.")
    show(client, mailbox, unknown, NOBODY)
    expect(block(client)).to_contain_text("Nobody in Salesforce has one of its addresses.")
    expect(block(client).locator(".tag").first).to_have_text("Waits")
    mailbox.rows(
        "UPDATE sync_waiting SET until = now() FROM sync_decision"
        " WHERE sync_decision.id = decision_id AND message_id = %s",
        unknown,
    )
    show(client, mailbox, known, NGOZI)
    show(client, mailbox, unknown, NOBODY)
    expect(block(client)).to_contain_text("Nobody appeared within 30 days")
    expect(block(client).locator(".tag").first).to_have_text("Not saved")
    press(client, "Log this email now")
    expect(client.pane.locator("#announcer")).to_have_text("Not saved")


def test_what_another_program_has_saved_may_be_asked_for_again(client: MailClient, mailbox: Mailbox) -> None:
    """Since it may have been deleted there."""
    key, theirs = f"theirs-{mailbox.accounts.name}", "Another program has saved it in Salesforce already"
    filed_by_another_program(mailbox.stack, key, f"Theirs {CANARY}")
    message_id = mailbox.deliver(key, subject="Theirs")
    mailbox.look()
    assert mailbox.decided(message_id)["rule"] == "saved_elsewhere"
    show(client, mailbox, message_id, NGOZI)
    expect(block(client)).to_contain_text(theirs)
    press(client, "Log this email now")
    expect(client.pane.locator("#announcer")).to_contain_text("Saved in Salesforce")
    expect(block(client)).to_contain_text(theirs)
    expect(block(client).get_by_role("button", name="Open in Salesforce")).to_have_count(0)


def test_a_conversation_is_kept_private_and_let_in_again(client: MailClient, mailbox: Mailbox) -> None:
    message_id = mailbox.deliver(f"private-{mailbox.user}", sender=NOBODY)
    mailbox.look()
    thread = str(mailbox.decided(message_id)["thread_id"])
    show(client, mailbox, message_id, NOBODY, thread)
    press(client, "Keep this conversation private")
    expect(block(client)).to_contain_text("This conversation is kept private: nothing more of it is saved.")
    expect(block(client).locator(".tag").first).to_have_text("Private")
    expect(block(client).get_by_role("button", name="Log this email now")).to_have_count(0)
    show(client, mailbox, "another", NOBODY, "t-other")
    expect(block(client).get_by_role("button", name="Keep this conversation private")).to_be_visible()
    show(client, mailbox, message_id, NOBODY, thread)
    press(client, "Save this conversation again")
    expect(block(client).get_by_role("button", name="Keep this conversation private")).to_be_visible()


@pytest.fixture(scope="module")
def twins(mailbox: Mailbox, alice: AddIn) -> list[str]:
    """Two contacts at one address: a colleague's, and one's own."""
    ids, address = [], twin_of(mailbox)
    for owner, first, last, title in (
        (alice, "Ama", "Mensah", "Buyer"),
        (mailbox.person, "Efua", "Owusu", "Cold chain lead"),
    ):
        values = {"FirstName": first, "LastName": last, "Email": address, "Title": title}
        key = {"Idempotency-Key": f"{first}-{address}"}
        answer = owner.call("POST", "sidebar/records/Contact/", json={"values": values}, headers=key)
        assert answer.status_code in (200, 201), answer.text
        ids.append(str(answer.json()["id"]))
    return ids


def twin_of(mailbox: Mailbox) -> str:
    return f"{mailbox.user}.{TWIN}"


@pytest.mark.usefixtures("axe")
def test_who_is_meant_is_asked_with_names(
    client: MailClient, mailbox: Mailbox, twins: list[str], acme: Salesforce
) -> None:
    subject = f"To one of two, {mailbox.accounts.name}"
    message_id = mailbox.deliver(f"twins-{mailbox.user}", sender=twin_of(mailbox), subject=subject)
    mailbox.look()
    decision = mailbox.decided(message_id)
    assert decision["rule"] == "several_people"
    show(client, mailbox, message_id, twin_of(mailbox), str(decision["thread_id"]))
    expect(block(client).locator(".tag").first).to_have_text("Needs you")
    group = block(client).get_by_role("group", name="Who is meant?")
    expect(group.get_by_role("radio")).to_have_count(2)
    expect(group.get_by_role("radio", name="You own this record.")).to_have_count(1)
    likeliest = group.locator("label").first
    expect(likeliest).to_contain_text("Efua Owusu")
    expect(likeliest).to_contain_text("You own this record.")
    assert [fault for fault in serious_faults(client.pane) if ".email" in fault or "region" in fault] == []
    group.get_by_label("Efua Owusu").check()
    press(client, "Save with this person")
    expect(client.pane.locator("#announcer")).to_have_text("Thank you. It is looked at again")
    expect(block(client).locator(".tag").first).to_have_text("Saved")
    saved = mailbox.decision(message_id)
    assert saved is not None
    assert (saved["rule"], saved["record_ids"]) == ("matched", [twins[1]])
    assert len(activities(acme, subject)) == 1


def test_what_fails_is_said_on_the_block_and_the_button_stays(browser: Browser, stack: Stack) -> None:
    """Alice has connected no mailbox at all."""
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        item: dict[str, Any] = {"type": "item", "id": "x", "people": [NGOZI], "messageIds": [], "replies": []}
        item["mail"] = {"provider": "google", "messageId": "1", "threadId": "1"}
        client.page.evaluate(
            f"document.getElementById('pane').contentWindow.postMessage({json.dumps(item)}, location.origin)"
        )
        press(client, "Log this email now")
        expect(block(client).get_by_role("alert")).to_be_visible()
        expect(block(client).get_by_role("button", name="Log this email now")).to_be_enabled()
        expect(block(client).get_by_role("button", name="Keep this conversation private")).to_have_count(0)
