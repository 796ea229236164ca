"""Mail that was sent and tracked, and who asked for its image and links, through the product's own doors."""

import json
from typing import Any

import requests

from tests.browser.mailclient import MailClient
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import prepared, sent_a_while_ago, within
from tests.running import Stack

OFFER = "https://example.com/offer?a=1"
Message = dict[str, Any]


def message_id(client: MailClient) -> str:
    """Of the newest mail in the conversation that is open."""
    ids = json.loads(client.page.locator("#reader").get_attribute("data-message-ids") or "[]")
    return str(ids[-1])


def sent(stack: Stack, person: AddIn, name: str, *recipients: str, singly: bool = True) -> Message:
    """A while ago, under this Message-ID."""
    message = prepared(person, recipients=list(recipients), singly=singly, links=[OFFER])
    answer = person.call("POST", f"tracking/messages/{message['id']}/sent/", json={"message_id": name})
    assert answer.status_code == 204
    sent_a_while_ago(stack, message["id"])
    return message


def loaded(message: Message, number: int, agent: str) -> None:
    """The image of a copy."""
    _ask("GET", message["copies"][number]["pixel"], agent)


def followed(message: Message, number: int, agent: str, method: str = "GET") -> None:
    """Its link."""
    _ask(method, message["copies"][number]["links"][0], agent)


def _ask(method: str, url: str, agent: str) -> None:
    requests.request(method, url, headers={"User-Agent": agent}, allow_redirects=False, timeout=10)


def until_counted(person: AddIn, message: Message, number: int) -> None:
    url = f"tracking/messages/{message['id']}/"
    within(15, lambda: len(person.call("GET", url).json()["events"]) == number)
