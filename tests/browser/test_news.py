"""One quiet line about what somebody did with one's own mail: asked for once a minute, only while the pane is seen."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import requests
from playwright.sync_api import Browser, Locator, Request, expect

from tests.browser.mailclient import MailClient, mail_client, serious_faults
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import prepared, switched_on, within
from tests.running import Stack
from tracking.classify import BURST

pytestmark = pytest.mark.browser
MINUTE = 60_000
NEWS = re.compile(r"/api/v1/tracking/news/")


@pytest.fixture(scope="module")
def tracking(alice: AddIn) -> AddIn:
    return switched_on(alice)


@pytest.fixture
def client(browser: Browser, stack: Stack, tracking: AddIn) -> Iterator[MailClient]:
    """Signed in, with a clock that the test moves."""
    forget_news(stack)
    with mail_client(browser, stack.public_url) as client:
        client.page.clock.install()
        client.page.reload()
        with client.page.expect_response(NEWS):
            client.sign_in("alice", stack.org("acme"))
        yield client


def something_came(stack: Stack, person: AddIn, *recipients: str, ago: timedelta = BURST, clicks: int = 0) -> None:
    """To one message with a copy for each of them; counted by the drain so long ago, as the database has it."""
    message = prepared(person, recipients=list(recipients), singly=True, links=[])
    assert person.call("POST", f"tracking/messages/{message['id']}/sent/", json={}).status_code == 204
    with psycopg.connect(stack.facts["database_url"]) as connection:
        connection.execute(
            "UPDATE tracking_copy SET opens = 1, clicks = %s, hits = 1, last_at = now() - %s, news_at = now() - %s"
            " WHERE message_id = %s",
            (clicks, ago, ago, message["id"]),
        )


def forget_news(stack: Stack) -> None:
    with psycopg.connect(stack.facts["database_url"]) as connection:
        connection.execute("UPDATE tracking_copy SET news_at = NULL")


def items(stack: Stack, person: AddIn) -> Any:
    """Asked on a connection of its own, which any of the web processes may get."""
    answer = requests.get(f"{stack.public_url}/api/v1/tracking/news/", headers=person.headers, timeout=30)
    return answer.json()["items"]


def a_minute_later(client: MailClient) -> Any:
    """The answer to what the pane asks then."""
    with client.page.expect_response(NEWS) as answering:
        client.page.clock.fast_forward(MINUTE + 1_000)
    if answering.value.status == 200:
        answering.value.body()  # it is the pane's once all of it is there
    return answering.value


def news(client: MailClient) -> Locator:
    return client.pane.locator("#news li")


@pytest.mark.usefixtures("axe")
def test_one_line_for_each_message_once_a_minute(client: MailClient, stack: Stack, tracking: AddIn) -> None:
    assert news(client).count() == 0
    something_came(stack, tracking, "jane@northwind.example", "joe@northwind.example", "jim@northwind.example")
    something_came(stack, tracking, "ann@northwind.example", clicks=1)
    assert a_minute_later(client).status == 200
    expect(news(client)).to_have_count(2)
    at = r"(\d+ \w+ \d{4}, )?\d\d:\d\d [A-Z]"  # with its day, where midnight has passed
    opened = re.compile(rf"(jane|joe|jim)@northwind.example and 2 others likely opened your message {at}")
    expect(client.pane.locator("#news")).to_contain_text(opened)
    expect(client.pane.locator("#news")).to_contain_text("ann@northwind.example followed a link of your message")
    expect(client.pane.locator("#announcer")).to_contain_text("followed a link")
    assert serious_faults(client.pane) == []
    assert a_minute_later(client).status == 200
    assert a_minute_later(client).status == 304, "nothing new costs next to nothing"
    expect(news(client)).to_have_count(2)
    client.pane.get_by_role("button", name="Dismiss").click()
    expect(client.pane.locator("#news")).to_be_hidden()


def test_nobody_asks_while_nobody_looks(client: MailClient) -> None:
    asked: list[Request] = []
    client.page.on("request", lambda request: asked.append(request) if NEWS.search(request.url) else None)
    hide(client, is_hidden=True)
    client.page.clock.fast_forward(10 * MINUTE)
    client.page.clock.run_for(1_000)
    assert asked == []
    with client.page.expect_response(NEWS):
        hide(client, is_hidden=False)
    assert len(asked) == 1


def hide(client: MailClient, *, is_hidden: bool) -> None:
    client.pane.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        is_hidden,
    )


def test_who_wants_no_news_sees_none(client: MailClient, stack: Stack, tracking: AddIn) -> None:
    try:
        assert tracking.call("PATCH", "policy/", json={"values": {"track.notify": "none"}}).status_code == 200
        something_came(stack, tracking, "jane@northwind.example")
        within(10, lambda: not any(items(stack, tracking) for _ in range(24)))  # each web process hears by itself
        assert a_minute_later(client).status in (200, 304)
        assert a_minute_later(client).status == 304
        expect(client.pane.locator("#news")).to_be_hidden()
    finally:
        assert tracking.call("PATCH", "policy/", json={"reset": ["track.notify"]}).status_code == 200
