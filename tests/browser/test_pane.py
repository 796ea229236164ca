"""The main job, as a person does it: open a mail, sign in at Salesforce, see who they are, create, edit, search."""

import json
import re
import secrets

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.mailclient import MailClient, finish_at_salesforce, mail_client, type_name_and_password
from tests.running import Stack

pytestmark = pytest.mark.browser
NORTHWIND = "Fleet tracking"
STRANGER = "Question about harbour sensors"
PANE = "/addins/outlook/taskpane/"


def signed_in(client: MailClient, stack: Stack, who: str, org: str = "acme") -> MailClient:
    client.sign_in(who, stack.org(org))
    return client


def test_alice_sees_the_card_of_everybody_in_the_mail(browser: Browser, stack: Stack) -> None:
    """C54, C55: each correspondent with Account, Opportunities, Cases and Activities; colleagues are left out."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        jane = client.card("Jane Doe")
        expect(jane).to_contain_text("Head of Procurement")
        expect(jane).to_contain_text("Northwind: fleet tracking, 240 vessels")
        expect(jane).to_contain_text("Position reports arrive an hour late")
        expect(client.pane.locator(".as-of time")).to_have_text(re.compile(r"as of \d\d:\d\d"))
        expect(client.pane.locator(".left-out")).to_contain_text("2 colleagues of your organization left out.")
        expect(client.pane.locator("li.person")).to_have_count(4)


def test_the_pane_uses_no_cookie_and_keeps_no_token_in_its_address(browser: Browser, stack: Stack) -> None:
    """C43: bearer tokens only; the API never gets a cookie and sets none."""
    with mail_client(browser, stack.public_url) as client:
        sent: list[dict[str, str]] = []

        def note(route: Route) -> None:
            sent.append(route.request.all_headers())
            route.continue_()

        client.context.route("**/api/**", note)
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        assert sent
        assert all("cookie" not in headers for headers in sent)
        assert all(headers["authorization"].startswith("Bearer ") for headers in sent)
        assert not re.search(r"code=|token=", client.pane.url + client.page.url)


def test_a_reload_keeps_the_person_signed_in(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        client.page.reload()
        client.card("Jane Doe")


def test_a_duplicated_tab_does_not_sign_the_first_one_out(browser: Browser, stack: Stack) -> None:
    """Both hold the same refresh token, and using a spent one ends the session: whoever renews tells the other."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        token = client.pane.evaluate("sessionStorage.getItem('outlook-task-pane')")
        copy = MailClient(client.context, client.context.new_page(), client.public_url, client.complaints)
        copy.page.goto(client.page.url)
        copy.pane.evaluate("token => sessionStorage.setItem('outlook-task-pane', token)", token)
        copy.page.reload()
        copy.card("Jane Doe")
        client.page.reload()
        client.card("Jane Doe")
        copy.page.reload()
        copy.card("Jane Doe")


def test_bob_reads_what_he_may_not_see_and_sees_none_of_it(browser: Browser, stack: Stack) -> None:
    """C15: no Opportunity for Bob's profile, and a plain note says so."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "bob")
        jane = client.card("Jane Doe")
        expect(jane.locator(".notes")).to_contain_text(re.compile("opportunit", re.IGNORECASE))
        expect(jane).not_to_contain_text("240 vessels")
        expect(jane).not_to_contain_text("+44 7700 900111")


def test_charlie_of_another_organization_sees_his_own_record_of_jane(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "charlie", "globex")
        jane = client.card("Jane Doe")
        expect(jane).to_contain_text("Northwind (Globex prospect)")
        expect(jane).not_to_contain_text("Head of Procurement")


def test_a_reader_is_offered_nothing_to_change(browser: Browser, stack: Stack) -> None:
    """C15: no edit button and no create button where the profile gives no such right, and a sentence instead."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail("Shore power")
        signed_in(client, stack, "rita")
        expect(client.card("Harbour Weekly")).to_contain_text("does not let you create Leads or Contacts")
        client.open_mail(NORTHWIND)
        expect(client.card("Jane Doe").get_by_role("button", name=re.compile("Edit"))).to_have_count(0)


def test_who_may_not_use_the_api_is_told_so_in_words(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        with client.page.expect_popup() as opening:
            client.pane.get_by_role("button", name="Sign in with Salesforce").click()
        popup = opening.value
        client.choose_login(popup, stack.org("acme"))
        popup.wait_for_url(re.compile("/login"))
        type_name_and_password(popup, "dana", stack.org("acme"))
        popup.locator("#oaapprove").click()
        expect(popup.get_by_role("heading", name="Not connected")).to_be_visible()
        expect(popup.get_by_role("alert")).to_contain_text("API")
        popup.close()
        expect(client.pane.get_by_role("alert")).to_contain_text("closed before you were signed in")


def test_a_stranger_becomes_a_contact(browser: Browser, stack: Stack) -> None:
    """C54: name and address of the mail fill in the form; the new card shows at once."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(STRANGER)
        signed_in(client, stack, "alice")
        card = client.card("Abernathy, Grace (Tidewater)")
        expect(card).to_contain_text("Not in Salesforce")
        card.get_by_role("button", name=re.compile("Create Contact")).click()
        form = client.pane.locator("form.record-form")
        expect(form.get_by_label("First Name")).to_have_value("Grace")
        expect(form.get_by_label(re.compile("^Last Name"))).to_have_value("Abernathy")
        expect(form.get_by_label("Email", exact=True)).to_have_value("grace.abernathy@tidewater-instruments.example")
        form.get_by_role("button", name="Create Contact").click()
        expect(client.card("Grace Abernathy").locator("summary .tag").first).to_have_text("Contact")


def test_a_refused_form_says_why_beside_the_field(browser: Browser, stack: Stack) -> None:
    """C15: Salesforce is the authority, and its own words reach the person."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail("Introduction")
        signed_in(client, stack, "alice")
        card = client.card("Sofia Rossi")
        card.get_by_role("button", name=re.compile("^Edit Sofia Rossi")).first.click()
        form = card.locator("form.record-form")
        email = form.get_by_label("Email", exact=True)
        email.evaluate("node => { node.type = 'text'; node.value = 'not an address'; }")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_role("alert")).to_be_visible()
        expect(form.get_by_role("alert")).to_be_focused()
        expect(form).to_contain_text(re.compile("not an address|invalid email", re.IGNORECASE))


def test_one_field_is_edited_where_it_stands(browser: Browser, stack: Stack) -> None:
    title = f"Head of Procurement {secrets.token_hex(3)}"
    with mail_client(browser, stack.public_url) as client:
        client.open_mail("Nightly export")
        signed_in(client, stack, "alice")
        card = client.card("Priya Raman")
        pencil = card.get_by_role("button", name="Edit Title of Priya Raman")
        pencil.click()
        expect(card.locator(".compact input")).to_be_focused()
        card.locator(".compact input").fill(title)
        card.get_by_role("button", name="Save").click()
        expect(client.card("Priya Raman")).to_contain_text(title)
        expect(client.card("Priya Raman").get_by_role("button", name="Edit Title of Priya Raman")).to_be_focused()


def test_search_finds_accounts_and_goes_back(browser: Browser, stack: Stack) -> None:
    """C16: everything the person may see can be searched, by keyboard alone."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        box = client.pane.get_by_role("searchbox", name="Search Salesforce")
        box.fill("Savannah")
        box.press("Enter")
        expect(client.pane.locator(".results")).to_contain_text("Savannah Foods")
        expect(client.pane.locator("#announcer")).to_have_text(re.compile(r"\d+ results"))
        box.press("Escape")
        client.card("Jane Doe")


def test_a_record_opens_in_salesforce_without_another_sign_in(browser: Browser, stack: Stack) -> None:
    """C14: a fresh one-time link for each click; the new window has no way back to the pane."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        jane = client.card("Jane Doe")
        client.context.clear_cookies()  # no session at Salesforce is left that could let her in
        with client.page.expect_popup() as opening:
            jane.get_by_role("link", name=re.compile("Open in Salesforce")).click()
        record: Page = opening.value
        expect(record.get_by_role("heading", name="Jane Doe")).to_be_visible()
        assert record.evaluate("window.opener") is None


def test_signing_out_lets_somebody_else_in(browser: Browser, stack: Stack) -> None:
    """Signing out ends the session at our server; the next sign-in asks who it is."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        token = client.pane.evaluate("sessionStorage.getItem('outlook-task-pane')")
        client.sign_out()
        expect(client.pane.locator("li.person")).to_have_count(0)
        answer = client.context.request.post(
            f"{stack.public_url}/o/token/",
            form={"grant_type": "refresh_token", "refresh_token": token, "client_id": "outlook-task-pane"},
        )
        assert answer.status == 400
        signed_in(client, stack, "bob")
        expect(client.pane.locator("#me-name")).to_have_text("Bob Brown")


def test_html_mail_runs_nothing_and_fetches_nothing(browser: Browser, stack: Stack) -> None:
    """Remote images and scripts of a mail stay off; its own inline image shows."""
    with mail_client(browser, stack.public_url) as client:
        asked: list[str] = []
        client.page.on("request", lambda request: asked.append(request.url))
        client.open_mail("Shore power")
        client.open_mail("vernissage")
        body = client.page.frame_locator("iframe.html")
        expect(body.get_by_role("img", name="Affiche")).to_be_visible()
        assert [url for url in asked if not url.startswith((stack.public_url, "data:"))] == []


def test_a_lost_connection_is_mended_from_the_pane(browser: Browser, stack: Stack) -> None:
    """C17: after disconnecting, nothing of Salesforce is shown, and one button leads back."""
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        disconnect_on_the_dashboard(client)
        client.pane.get_by_role("button", name="Ask Salesforce again").click()
        expect(client.pane.locator("#banner")).to_contain_text("connect")
        expect(client.pane.locator("li.person")).to_have_count(0)
        with client.page.expect_popup() as opening:
            client.pane.get_by_role("button", name="Reconnect to Salesforce").click()
        popup = opening.value
        client.choose_login(popup, stack.org("acme"))
        finish_at_salesforce(popup)
        client.card("Jane Doe")
        expect(client.pane.locator("#banner")).to_be_empty()


def disconnect_on_the_dashboard(client: MailClient) -> None:
    page = client.context.new_page()
    page.goto(client.public_url + "/dashboard/connections/")
    page.get_by_role("link", name="Disconnect Salesforce").click()
    page.get_by_role("button", name="Disconnect Salesforce").click()
    expect(page.get_by_role("heading", name="Disconnected")).to_be_visible()
    page.close()


def test_without_a_server_the_pane_says_so_and_tries_again(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.open_mail(NORTHWIND)
        signed_in(client, stack, "alice")
        client.card("Jane Doe")
        client.context.route("**/api/v1/sidebar/people/", lambda route: route.abort())
        client.open_mail("Introduction")
        expect(client.pane.locator("#banner")).to_contain_text("cannot reach its server")
        client.context.unroute("**/api/v1/sidebar/people/")
        client.pane.get_by_role("button", name="Try again").click()
        client.card("Sofia Rossi")
        client.complaints[:] = [line for line in client.complaints if "net::ERR_FAILED" not in line]


def test_messages_in_view_are_prefetched_in_one_call(browser: Browser, stack: Stack) -> None:
    with mail_client(browser, stack.public_url) as client:
        with client.page.expect_response("**/api/v1/sidebar/prefetch/") as answering:
            signed_in(client, stack, "alice")
        answer = answering.value
        assert answer.status == 202
        asked = json.loads(answer.request.post_data or "{}")["addresses"]
        assert any("jane.doe@northwind.example" in person for person in asked)
        assert any("grace.abernathy@" in person for person in asked)


def framed_by(client: MailClient, address: str) -> None:
    """Opens a page of another origin, made up on the spot, with our pane in a frame."""
    frame = f'<!doctype html><title>Mail</title><iframe allow="local-network-access" src="{client.public_url}{PANE}">'
    client.context.route(f"{address}**", lambda route: route.fulfill(content_type="text/html", body=frame))
    client.context.grant_permissions(["local-network-access"], origin=address.rstrip("/"))  # ours is on loopback here
    client.page.goto(address)


def test_the_pane_works_inside_the_page_of_another_origin(browser: Browser, stack: Stack) -> None:
    """C43: in Outlook's frame there is no cookie and no storage shared with our own pages; a token is all it takes."""
    with mail_client(browser, stack.public_url) as client:
        framed_by(client, "https://outlook.office.com/")
        signed_in(client, stack, "alice")
        client.pane.get_by_role("searchbox").fill("Savannah")
        expect(client.pane.locator(".results")).to_contain_text("Savannah Foods")
        assert client.pane.evaluate("document.cookie") == ""


def test_no_other_page_may_frame_the_pane(browser: Browser, stack: Stack) -> None:
    """C8: Chromium itself refuses, as our frame-ancestors tells it to."""
    with mail_client(browser, stack.public_url) as client:
        framed_by(client, "https://mail.attacker.example/")
        client.page.wait_for_timeout(500)
        assert not any(PANE in frame.url for frame in client.page.frames)
        assert any("frame-ancestors" in line for line in client.complaints)
        client.complaints.clear()
