"""Connecting Google and Microsoft through their own pages, seeing what stands, and ending it: C1, C3, C10, C17."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.running import Stack

pytestmark = pytest.mark.browser
HERE = "/dashboard/connections/"
#: The button that allows everything, on each provider's consent page.
ALLOW = {"Google": "#submit_approve_access", "Microsoft": "#idBtn_Accept"}


def card(page: Page, name: str) -> Locator:
    return page.locator("section.card").filter(has=page.get_by_role("heading", name=name, exact=True))


def connect(page: Page, provider: str, who: str) -> None:
    """From our page over the provider's, back to ours."""
    card(page, provider).get_by_role("link", name=f"Connect {provider}").click()
    expect(page.get_by_role("heading", name=f"Connect {provider}")).to_be_visible()
    page.get_by_role("button", name=f"Continue to {provider}").click()
    page.locator(f"button[value='{who}']").click()
    page.locator(ALLOW[provider]).click()
    page.wait_for_url(f"**{HERE}")


def disconnect(page: Page, provider: str) -> None:
    card(page, provider).get_by_role("link", name=f"Disconnect {provider}").click()
    expect(page.get_by_role("heading", name=f"Disconnect {provider}?")).to_be_visible()
    page.get_by_role("button", name=f"Disconnect {provider}").click()
    expect(page.get_by_role("heading", name="Disconnected")).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize(("scheme", "who"), [("light", "erin"), ("dark", "bob")])
def test_a_mailbox_is_connected_seen_and_disconnected(browser: Browser, stack: Stack, scheme: str, who: str) -> None:
    with mail_client(browser, stack.public_url, scheme) as client:
        client.sign_in(who, stack.org("acme"))
        page = client.page
        page.goto(client.public_url + HERE)
        for provider in ALLOW:
            connect(page, provider, who)
            shown = card(page, provider)
            expect(shown.get_by_text("Connected", exact=True).first).to_be_visible()
            expect(shown).to_contain_text(re.compile(rf"{who}\S*@acme\.example"))
            expect(shown).to_contain_text(re.compile(r"Last proven to work\s*\d"))
        assert serious_faults(page) == []
        for provider in ALLOW:
            page.goto(client.public_url + HERE)
            disconnect(page, provider)
            assert serious_faults(page) == []
            page.goto(client.public_url + HERE)
            expect(page.get_by_role("link", name=f"Connect {provider}")).to_be_visible()
        expect(card(page, "Salesforce").get_by_text("Connected", exact=True).first).to_be_visible()


def test_a_person_who_says_no_reads_that_nothing_was_connected(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("erin", stack.org("acme"))
        page = client.page
        page.goto(client.public_url + "/connect/google/")
        page.get_by_role("button", name="Continue to Google").click()
        page.locator("button[value='erin']").click()
        page.locator("#cancel").click()
        expect(page.get_by_role("heading", name="Not connected")).to_be_visible()
        page.goto(client.public_url + HERE)
        expect(page.get_by_role("link", name="Connect Google")).to_be_visible()


def test_a_device_is_signed_out_and_another_goes_on(browser: Browser, stack: Stack) -> None:
    """C3: the pane in the lost browser asks to sign in again within seconds; the other one works on."""
    with mail_client(browser, stack.public_url) as lost, mail_client(browser, stack.public_url) as kept:
        for client in (lost, kept):
            client.open_mail("Fleet tracking")
            client.sign_in("erin", stack.org("acme"))
            client.card("Jane Doe")
        sign_out_all_but_the_newest(kept)
        lost.page.wait_for_timeout(5_000)
        lost.open_mail("Introduction")
        expect(lost.pane.get_by_role("button", name="Sign in with Salesforce")).to_be_visible()
        kept.open_mail("Introduction")
        kept.card("Sofia Rossi")


def sign_out_all_but_the_newest(client: MailClient) -> None:
    page = client.context.new_page()
    page.goto(client.public_url + HERE)
    rows = page.locator("#devices .rows li")
    expect(rows.first).to_contain_text("Outlook task pane on Linux, Chrome")
    while (left := rows.count()) > 1:
        rows.last.get_by_role("button").click()
        expect(page.get_by_role("status")).to_have_text("Signed out. That add-in stops within seconds.")
        expect(rows).to_have_count(left - 1)
    page.close()


def test_everything_on_the_page_is_reached_from_the_keyboard(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("erin", stack.org("acme"))
        page = client.page
        page.goto(client.public_url + HERE)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        summary = card(page, "Salesforce").locator("summary")
        summary.focus()
        summary.press("Enter")
        expect(card(page, "Salesforce").get_by_text("refresh_token")).to_be_visible()
        link = card(page, "Salesforce").get_by_role("link", name="Disconnect Salesforce")
        link.focus()
        link.press("Enter")
        expect(page.get_by_role("heading", name="Disconnect Salesforce?")).to_be_visible()
        page.get_by_role("link", name="Cancel").press("Enter")
        expect(page.get_by_role("heading", name="Connections", exact=True)).to_be_visible()


@pytest.mark.parametrize("path", ["", "everybody/"])
def test_nothing_is_wider_than_a_telephone(path: str, browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        client.page.set_viewport_size({"width": 400, "height": 800})
        client.page.goto(client.public_url + HERE + path)
        assert client.page.evaluate("document.documentElement.scrollWidth") <= 400
