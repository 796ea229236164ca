"""What a person saves while the server is out of reach: kept in the page alone, sent once it is back (C46)."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Request, Route, expect

from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.journeys.people import sign_in_anew
from tests.running import Stack

pytestmark = pytest.mark.browser
WRITES = ("**/api/v1/sidebar/records/**", "**/api/v1/sidebar/replay/")
#: Everything that a page may leave on the device, as one text.
LEFT = """async () => JSON.stringify([
  {...localStorage}, {...sessionStorage}, document.cookie,
  (await indexedDB.databases()).map((each) => each.name), await caches.keys(),
])"""


@contextlib.contextmanager
def priya(browser: Browser, stack: Stack, scheme: str = "light") -> Iterator[tuple[MailClient, Locator]]:
    with mail_client(browser, stack.public_url, scheme) as client:
        client.open_mail("Nightly export")
        client.sign_in("alice", stack.org("acme"))
        yield client, client.pane.locator("#offline")
        client.complaints[:] = [line for line in client.complaints if "net::ERR_FAILED" not in line]


def save_title(client: MailClient, title: str) -> None:
    save(client, "Title", title)


def save(client: MailClient, field: str, value: str) -> None:
    card = client.card("Priya Raman")
    card.get_by_role("button", name=f"Edit {field} of Priya Raman").click()
    card.locator(".compact input").fill(value)
    for path in WRITES:
        client.context.route(path, lambda route: route.abort())
    card.get_by_role("button", name="Save").click()


def lookups(client: MailClient) -> list[dict[str, Any]]:
    """Those from now on, as they are sent."""
    seen: list[dict[str, Any]] = []

    def see(request: Request) -> None:
        if request.url.endswith("/sidebar/people/"):
            seen.append(request.post_data_json or {})

    client.context.on("request", see)
    return seen


def come_back(client: MailClient, replayed: Callable[[Route], None] | None = None) -> None:
    for path in WRITES:
        client.context.unroute(path)
    if replayed:
        client.context.route(WRITES[1], replayed)
    client.pane.evaluate("() => window.dispatchEvent(new Event('online'))")


@pytest.mark.usefixtures("axe")
def test_a_change_is_kept_in_the_page_and_sent_when_the_server_is_back(browser: Browser, stack: Stack) -> None:
    title = f"Kept {secrets.token_hex(3)}"
    with priya(browser, stack) as (client, offline):
        save_title(client, title)
        expect(offline).to_contain_text("One change is kept here")
        expect(client.card("Priya Raman")).not_to_contain_text(title)
        assert title not in client.pane.evaluate(LEFT)
        assert serious_faults(client.pane) == []
        asked = lookups(client)
        come_back(client)
        expect(offline).to_be_hidden()
        expect(client.card("Priya Raman")).to_contain_text(title)
        assert [each["refresh"] for each in asked] == [True]  # another process of the server may not know of it yet


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize(("button", "scheme"), [("Save mine", "light"), ("Keep theirs", "dark")])
def test_whoever_was_faster_is_shown_beside_ones_own(browser: Browser, stack: Stack, button: str, scheme: str) -> None:
    mine, theirs = f"Mine {secrets.token_hex(3)}", f"Theirs {secrets.token_hex(3)}"
    colleague = sign_in_anew(stack, "acme", "alice")
    card = colleague.people(["priya.raman@kestrel-labs.example"]).json()["people"][0]["records"][0]
    with priya(browser, stack, scheme) as (client, offline):
        save_title(client, mine)
        expect(offline).to_contain_text("One change is kept here")
        path = f"sidebar/records/{card['object']}/{card['id']}/"
        changed = {"values": {"Title": theirs}}
        answer = colleague.call("PATCH", path, json=changed, headers={"Idempotency-Key": secrets.token_hex(8)})
        assert answer.status_code == 200, answer.text
        come_back(client)
        expect(offline).to_contain_text(f"you wrote “{mine}”, it now says “{theirs}”")
        expect(offline.get_by_role("group", name="Priya Raman")).to_be_focused()
        assert serious_faults(client.pane) == []
        offline.get_by_role("button", name=button).click()
        expect(offline).to_be_hidden()
        client.pane.get_by_role("button", name="Ask Salesforce again").click()
        expect(client.card("Priya Raman")).to_contain_text(mine if button == "Save mine" else theirs)


def test_signed_out_it_waits_for_the_one_who_did_it(browser: Browser, stack: Stack) -> None:
    title = f"Waiting {secrets.token_hex(3)}"
    with priya(browser, stack) as (client, offline):
        save_title(client, title)
        expect(offline).to_contain_text("One change is kept here")
        client.sign_out()
        expect(offline).to_be_hidden()
        come_back(client)
        client.sign_in("alice", stack.org("acme"))
        expect(client.card("Priya Raman")).to_contain_text(title)


def test_what_is_refused_as_a_whole_is_sent_in_parts(browser: Browser, stack: Stack) -> None:
    """Many long texts are more than one call takes: one change too many loses none."""
    title, phone = f"Parts {secrets.token_hex(3)}", f"+44 20 7946 {secrets.randbelow(10_000):04}"
    with priya(browser, stack) as (client, offline):
        save_title(client, title)
        expect(offline).to_contain_text("One change is kept here")
        save(client, "Mobile Phone", phone)
        expect(offline).to_contain_text("2 changes are kept here")
        come_back(client, lambda route: too_large(route) if len(sent(route)) > 1 else route.continue_())
        expect(offline).to_be_hidden()
        expect(client.card("Priya Raman")).to_contain_text(title)
        expect(client.card("Priya Raman")).to_contain_text(phone)
        client.complaints[:] = [line for line in client.complaints if "413" not in line]


def test_what_nobody_knows_is_not_called_unsaved(browser: Browser, stack: Stack) -> None:
    with priya(browser, stack) as (client, offline):
        save_title(client, f"Unknown {secrets.token_hex(3)}")
        expect(offline).to_contain_text("One change is kept here")
        come_back(client, unknown)
        expect(offline).to_contain_text("Priya Raman may be saved: Salesforce did not say.")
        expect(offline).not_to_contain_text("was not saved")


def sent(route: Route) -> list[dict[str, Any]]:
    return list((route.request.post_data_json or {}).get("actions", []))


def too_large(route: Route) -> None:
    route.fulfill(status=413, content_type="application/problem+json", body='{"detail": "Too large."}')


def unknown(route: Route) -> None:
    about: dict[str, Any] = {"object": "", "id": "", "url": "", "email": None, "conflicts": []}
    problem = {"code": "outcome-unknown", "detail": "Salesforce did not say.", "errors": []}
    results = [{"key": each["key"], "state": "unknown", "problem": problem, **about} for each in sent(route)]
    route.fulfill(json={"results": results, "left": 0})
