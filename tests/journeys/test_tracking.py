"""An e-mail's way out and what comes back, over HTTP, against the product as `make run` has it."""

import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import psycopg
import pytest
import requests

from tests.journeys.people import AddIn
from tests.running import Stack
from tracking.classify import AT_DELIVERY

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
HTML = """<p>Hello &amp; <a href="https://example.com/offer?a=1&amp;b=2#top">look</a>
<a href="mailto:a@b.example">me</a></p>"""


class Found(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if tag == "img":
            self.images.append(facts["src"] or "")
        if tag == "a":
            self.links.append(facts["href"] or "")


def prepared(person: AddIn, **wanted: Any) -> dict[str, Any]:
    answer = person.call("POST", "tracking/messages/", json={"recipients": ["jane@northwind.example"], **wanted})
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


def sent_a_while_ago(stack: Stack, message_id: str) -> None:
    """Instead of waiting: so soon after sending nobody can tell a person from a filter."""
    with psycopg.connect(stack.facts["database_url"]) as connection:
        told = connection.execute(
            "UPDATE tracking_trackedmessage SET sent_at = sent_at - %(ago)s, created_at = created_at - %(ago)s"
            " WHERE id = %(id)s AND sent_at IS NOT NULL",
            {"ago": 2 * AT_DELIVERY, "id": message_id},
        )
        assert told.rowcount == 1


def ask(url: str) -> requests.Response:
    return requests.get(url, headers={"User-Agent": CHROME}, allow_redirects=False, timeout=10)


def within(seconds: float, look: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < seconds
        time.sleep(0.2)
    return time.monotonic() - began


def switched_on(person: AddIn) -> AddIn:
    """For an administrator's organization; returns once the process that answers pixels has heard of both, and of the
    key under which it closes who asked: it is told within seconds."""
    for key in ("track.opens", "track.clicks"):
        answer = person.call("PATCH", "policy/?level=organization", json={"values": {key: True}})
        assert answer.status_code == 200, answer.text
    message = prepared(person, links=["https://example.com/"])
    within(30, lambda: _are_recorded(person, message))
    return person


def _are_recorded(person: AddIn, message: dict[str, Any]) -> bool:
    (copy,) = message["copies"]
    for url in (copy["pixel"], *copy["links"]):
        ask(url)
    events = person.call("GET", f"tracking/messages/{message['id']}/").json()["events"]
    return {event["what"] for event in events if event["device"]} == {"open", "click"}


@pytest.fixture(scope="module")
def tracking(alice: AddIn) -> AddIn:
    return switched_on(alice)


def test_an_open_and_a_click_are_shown_within_ten_seconds(tracking: AddIn, stack: Stack) -> None:
    """C49 to C52."""
    message = prepared(tracking, html=HTML)
    found = Found(message["copies"][0]["html"])
    assert len(found.images) == 1
    assert found.links[1] == "mailto:a@b.example"
    url = f"tracking/messages/{message['id']}/"
    assert tracking.call("POST", f"{url}sent/", json={"message_id": "<1@acme.example>"}).status_code == 204
    assert tracking.call(
        "POST", "tracking/messages/find/", json={"message_ids": ["<1@acme.example>", "<2@x>"]}
    ).json() == {"ids": [message["id"]]}
    sent_a_while_ago(stack, message["id"])
    pixel = ask(found.images[0])
    assert (pixel.status_code, pixel.headers["content-type"], len(pixel.content)) == (200, "image/gif", 43)
    assert "set-cookie" not in pixel.headers
    assert pixel.headers["cache-control"].startswith("no-store")
    click = ask(found.links[0])
    assert (click.status_code, click.headers["location"]) == (302, "https://example.com/offer?a=1&b=2#top")
    within(10, lambda: tracking.call("GET", url).json()["recipients"][0]["clicks"] == 1)
    shown = tracking.call("GET", url)
    told = shown.json()
    (jane,) = told["recipients"]
    assert (jane["who"], jane["signal"], jane["how_sure"]) == ("jane@northwind.example", "clicked", "sure")
    assert [each["verdict"] for each in told["events"]] == ["human_likely"] * 2
    assert told["events"][0]["link"] == "https://example.com/offer?a=1&b=2#top"
    again = tracking.call("GET", url, headers={"If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304


def test_a_strangers_message_does_not_exist(tracking: AddIn, bob: AddIn, charlie: AddIn) -> None:
    message = prepared(tracking, links=["https://example.com/"])
    for person in (bob, charlie):
        for path in ("", "sent/", "viewing/"):
            url = f"tracking/messages/{message['id']}/{path}"
            answer = person.call("POST", url, json={}) if path else person.call("GET", url)
            assert answer.status_code == 404
        assert person.call(
            "POST", "tracking/messages/find/", json={"message_ids": ["<1@acme.example>", "<2@x>"]}
        ).json() == {"ids": []}


def test_where_nobody_switched_it_on_the_message_goes_as_it_is(charlie: AddIn) -> None:
    """C47, C48."""
    told = prepared(charlie, html=HTML)
    assert (told["tracked"], told["reason"], told["copies"]) == (False, "switched-off", [])


def test_mail_that_stays_inside_is_left_alone(tracking: AddIn) -> None:
    answer = tracking.call("POST", "tracking/messages/", json={"recipients": ["bob@acme.example"], "html": HTML}).json()
    assert (answer["tracked"], answer["reason"]) == (False, "internal")
