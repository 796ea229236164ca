"""axe-core finds no serious or critical fault on any page, light and dark; every page works from the keyboard."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.running import Stack

pytestmark = pytest.mark.browser
SCHEMES = ("light", "dark")
PAGES = (
    "/dashboard/",
    "/dashboard/connections/",
    "/dashboard/connections/everybody/",
    "/dashboard/analytics/",
    "/dashboard/analytics/withdrawn/",
    "/dashboard/email-sync/",
    "/dashboard/email-sync/try/",
    "/dashboard/policy/",
    "/dashboard/members/",
    "/dashboard/audit/",
    "/dashboard/cookies/",
    "/connect/salesforce/",
    "/connect/google/",
    "/connect/microsoft/",
    "/problems/needs-reconnect",
    "/addins/outlook/callback/",
    "/no-such-page",
    "/o/authorize/?client_id=unknown",
)


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_mailbox_and_the_pane(browser: Browser, stack: Stack, scheme: str) -> None:
    with mail_client(browser, stack.public_url, scheme) as client:
        assert both(client) == []
        client.open_mail("Fleet tracking")
        client.sign_in("alice", stack.org("acme"))
        jane = client.card("Jane Doe")
        assert both(client) == []
        jane.get_by_role("button", name="Edit Jane Doe").click()
        expect(jane.locator("form.record-form")).to_be_visible()
        assert both(client) == []
        client.pane.get_by_role("searchbox").fill("Northwind")
        expect(client.pane.locator(".results")).to_be_visible()
        assert both(client) == []
        client.open_mail("vernissage")
        assert both(client) == []


def both(client: MailClient) -> list[str]:
    return serious_faults(client.page) + serious_faults(client.pane)


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_other_page(browser: Browser, stack: Stack, scheme: str) -> None:
    with mail_client(browser, stack.public_url, scheme) as client:
        assert faults_of(client, PAGES) == {}
        client.page.goto(stack.public_url)
        client.sign_in("alice", stack.org("acme"))
        assert faults_of(client, PAGES) == {}


def faults_of(client: MailClient, paths: tuple[str, ...]) -> dict[str, list[str]]:
    found = {}
    for path in paths:
        client.page.goto(client.public_url + path)
        assert client.page.title()
        expect(client.page.locator("h1")).to_have_count(1)
        if faults := serious_faults(client.page):
            found[path] = faults
    return found


def test_a_message_is_opened_and_a_card_unfolded_from_the_keyboard(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.open_mail("Fleet tracking")
        client.sign_in("alice", stack.org("acme"))
        client.card("Jane Doe")
        folded = client.pane.locator("li.person").last
        expect(folded.locator("> details")).not_to_have_attribute("open", "")
        folded.locator("> details > summary").focus()
        folded.locator("> details > summary").press("Enter")
        expect(folded.locator("> details")).to_have_attribute("open", "")
        link = client.page.get_by_role("navigation", name="Messages").get_by_role("link").first
        link.focus()
        link.press("Enter")
        expect(client.page.locator("#reader")).to_be_focused()
