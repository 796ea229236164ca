"""A recipient with an ordinary browser: he opens a tracked mail and follows its link. One open, one click, both his."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Playwright, expect

from tests.browser import mailclient
from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.browser.sent import followed, loaded, message_id, sent, until_counted
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import prepared, sent_a_while_ago, switched_on, within
from tests.running import Stack
from tests.tracking import recorded_agents as agents

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
    with mail_client(browser, stack.public_url, scheme) as client:
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Fleet tracking")
        assert (
            tracking.call(
                "POST", f"tracking/messages/{message['id']}/sent/", json={"message_id": message_id(client)}
            ).status_code
            == 204
        )
        client.open_mail("Question about harbour sensors")
        client.open_mail("Fleet tracking")
        block = client.pane.get_by_role("region", name="What came of your message")
        expect(block).to_contain_text("jane@northwind.example")
        expect(block).to_contain_text("No signal")
        assert serious_faults(client.page) == []


def test_what_a_machine_did_is_shown_with_its_reason_and_is_no_signal(
    browser: Browser, stack: Stack, tracking: AddIn
) -> None:
    """C53: never "not read"; every verdict in plain words; times with their zone."""
    with mail_client(browser, stack.public_url) as client:
        message = sent(stack, tracking, name_of(client, "Introduction"), "ann@x.example", "joe@x.example")
        loaded(message, 0, agents.APPLE_PRIVACY)
        followed(message, 0, agents.CHROME_MAC, "HEAD")
        followed(message, 1, agents.CHROME_MAC)
        until_counted(tracking, message, 3)
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Introduction")
        block = client.pane.get_by_role("region", name="What came of your message")
        ann, joe = (block.locator(".signals li").filter(has_text=name) for name in ("ann@", "joe@"))
        expect(ann.locator(".tag")).to_have_text("No signal")
        expect(joe.locator(".tag")).to_have_text("Clicked")
        block.get_by_text("Every open and click (3)").click()
        expect(event(block, "Apple Mail loads the images of every message").locator(".tag")).to_have_text(
            "loaded ahead"
        )
        expect(event(block, "Only asked whether it is there").locator(".tag")).to_have_text("automatic")
        expect(event(block, "An ordinary browser followed the link").locator(".tag")).to_have_text("likely a person")
        assert "No signal does not mean unread" in block.inner_text()
        assert not re.search(r"not (read|opened)", block.inner_text(), re.IGNORECASE)
        times = block.locator("time").all_inner_texts()
        assert len(times) >= 5
        assert all(re.search(r"\d{4}, \d\d:\d\d \S+$", each) for each in times)


def name_of(client: MailClient, subject: str) -> str:
    """The Message-ID, from a client that is not signed in yet: one that is asks what came of the mail, and where it
    hears only once that is sent, its sender looks at it."""
    client.open_mail(subject)
    name = message_id(client)
    client.open_mail("Question about harbour sensors")
    return name


def event(block: Locator, reason: str) -> Locator:
    return block.locator("details li").filter(has_text=reason)


def test_of_a_copy_for_all_nobody_is_named(browser: Browser, stack: Stack, tracking: AddIn) -> None:
    with mail_client(browser, stack.public_url) as client:
        message = sent(stack, tracking, name_of(client, "Shore power"), "ann@x.example", "joe@x.example", singly=False)
        followed(message, 0, agents.CHROME_MAC)
        until_counted(tracking, message, 1)
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Shore power")
        block = client.pane.get_by_role("region", name="What came of your message")
        expect(block).to_contain_text("Someone of 2")
        expect(block).to_contain_text("nobody can tell who it was")
        assert "@x.example" not in block.inner_text()


def test_that_he_was_shown_it_is_said_once(browser: Browser, stack: Stack, tracking: AddIn) -> None:
    """Said again and again it would hide every reader from a sender who watches."""
    with mail_client(browser, stack.public_url) as client:
        client.page.clock.install()
        client.page.reload()
        message = sent(stack, tracking, name_of(client, "Nightly export"), "ann@x.example")
        said: list[str] = []
        client.page.on("request", lambda request: said.append(request.url) if "/viewing/" in request.url else None)
        client.sign_in("alice", stack.org("acme"))
        client.open_mail("Nightly export")
        expect(client.pane.get_by_role("region", name="What came of your message")).to_be_visible()
        for _ in range(3):
            with client.page.expect_response(re.compile(message["id"])):
                client.page.clock.fast_forward(31_000)
        assert len([url for url in said if message["id"] in url]) == 1


def test_opens_and_clicks_in_the_dashboard(browser: Browser, stack: Stack, tracking: AddIn) -> None:
    with mail_client(browser, stack.public_url) as client:
        client.sign_in("alice", stack.org("acme"))
        client.page.goto(f"{stack.public_url}/dashboard/analytics/")
        expect(client.page.get_by_role("heading", name="Opens and clicks")).to_be_visible()
        with client.page.expect_download() as download:
            client.page.get_by_role("link", name="Download as CSV").first.click()
        assert download.value.suggested_filename.endswith(".csv")
