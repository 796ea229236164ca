"""A recipient with an ordinary browser: he opens a tracked mail and follows its link. One open, one click, both his."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, expect

from tests.browser import mailclient
from tests.browser.mailclient import mail_client, serious_faults
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import prepared, sent_a_while_ago, switched_on, within
from tests.running import Stack

pytestmark = pytest.mark.browser


@pytest.fixture
def screen() -> Iterator[str]:
    """A display of our own. Without one Chromium runs headless, and says so in its name."""
    xvfb = shutil.which("Xvfb")
    if not xvfb:
        pytest.skip("Xvfb is not installed: make browser")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [xvfb, "-displayfd", str(writing), "-nolisten", "tcp", "-screen", "0", "1280x800x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def a_recipients_browser(playwright: Playwright, display: str) -> Browser:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    switches = [each for each in mailclient.SWITCHES if not each.startswith("--headless")]
    return playwright.chromium.launch(
        executable_path=str(mailclient.CHROMIUM), headless=False, args=[*switches, *root], env={"DISPLAY": display}
    )


@pytest.fixture(scope="module")
def tracking(alice: AddIn) -> AddIn:
    return switched_on(alice)


@pytest.fixture
def recipient(playwright: Playwright, screen: str) -> Iterator[Browser]:
    browser = a_recipients_browser(playwright, screen)
    yield browser
    browser.close()


def test_a_person_opens_and_clicks(stack: Stack, tracking: AddIn, recipient: Browser) -> None:
    target = f"{stack.public_url}/healthz?from=mail"
    message = prepared(tracking, html=f'<p>Hello Jane, <a href="{target}">look</a>.</p>')
    url = f"tracking/messages/{message['id']}/"
    assert tracking.call("POST", f"{url}sent/", json={}).status_code == 204
    sent_a_while_ago(stack, message["id"])
    page = recipient.new_page()
    assert "Headless" not in page.evaluate("navigator.userAgent")
    page.set_content(message["copies"][0]["html"], wait_until="load")
    page.get_by_role("link", name="look").click()
    page.wait_for_url(target)
    within(10, lambda: len(tracking.call("GET", url).json()["events"]) == 2)
    told = tracking.call("GET", url).json()
    (jane,) = told["recipients"]
    assert (jane["opens"], jane["clicks"], jane["signal"]) == (1, 1, "clicked")
    assert sorted((event["what"], event["verdict"]) for event in told["events"]) == [
        ("click", "human_likely"),
        ("open", "human_likely"),
    ]


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sender_sees_it_beside_the_message(browser: Browser, stack: Stack, tracking: AddIn, scheme: str) -> None:
    """And his looking is no open. The demo mailbox' own reply stands for the message that he sent."""
    message = prepared(tracking, links=["https://example.com/"])
    sent = {"message_id": "<contract-2@acme.example>"}
    with mail_client(browser, stack.public_url, scheme) as client:
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Fleet tracking")
        ids = client.page.locator("#reader").get_attribute("data-message-ids") or ""
        sent["message_id"] = ids.strip("[]").split(",")[-1].strip().strip('"')
        assert tracking.call("POST", f"tracking/messages/{message['id']}/sent/", json=sent).status_code == 204
        client.open_mail("Question about harbour sensors")
        client.open_mail("Fleet tracking")
        block = client.pane.get_by_role("region", name="What came of your message")
        expect(block).to_contain_text("jane@northwind.example")
        expect(block).to_contain_text("No signal")
        assert serious_faults(client.page) == []


def test_opens_and_clicks_in_the_dashboard(browser: Browser, stack: Stack, tracking: AddIn) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        client.page.goto(f"{stack.public_url}/dashboard/analytics/")
        expect(client.page.get_by_role("heading", name="Opens and clicks")).to_be_visible()
        with client.page.expect_download() as download:
            client.page.get_by_role("link", name="Download as CSV").first.click()
        assert download.value.suggested_filename.endswith(".csv")
