"""What `prove_privacy` does in tracking: a mail is prepared and sent, opened and clicked, also while the queue is away
and while its drain fails (C50, C52).

Sends canaries only, to a product that is thrown away."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from organizations.privacy.visits import JourneyFailed, Visit
from organizations.registries import privacy_journeys

_CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
_EVER = datetime.min.replace(tzinfo=UTC)
_FAILED = b"task tracking.tasks.drain["


@privacy_journeys.register("opens and clicks")
def open_and_click(visit: Visit) -> Iterator[str]:
    mail = _Mail(visit)
    visit.expect("a mail was prepared and sent", mail.is_sent)
    visit.expect("an open and a click are recorded", lambda: mail.ask() and mail.events() > 0)
    with visit.paused("worker"):
        paused_at = _whole_milliseconds(datetime.now(UTC))
        visit.expect("pixel and link are answered", mail.ask)
        yield "while opens and clicks wait in the queue"
        with visit.paused("Valkey"):
            visit.expect("they are answered although the queue stands still", mail.ask)
            yield "while opens and clicks wait on a disk"
    waited = 4  # a pixel and a link, each asked for twice
    visit.expect("those that waited are recorded", lambda: mail.events(since=paused_at) >= waited)
    with _table_away():
        failures = visit.log("worker").count(_FAILED)
        visit.expect(
            "recording fails where a table is missing",
            lambda: mail.ask() and visit.log("worker").count(_FAILED) > failures,
        )
    yield "after opens and clicks, and a failure while they were recorded"


class _Mail:
    """A tracked one; everything in it, and all that whoever opens it tells of himself, is a canary."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._add_in = visit, visit.add_in()
        self._text, host = visit.canary("the text of a tracked mail"), visit.canary("where a tracked link leads")
        self._target = f"https://{host}.example/{self._text}?{self._text}"
        self._recipient = f"{visit.canary('the recipient of a tracked mail')}@customer.example"
        self._message_id = f"<{visit.canary('the Message-ID of a tracked mail')}@acme.example>"
        self._agent = f"{_CHROME} {visit.canary('the program that opened a mail')}/1.0"
        self._told = visit.canary("what else came with an open")
        self._id, self._urls = "", list[str]()

    def is_sent(self) -> bool:
        """Once every process has heard that it may be tracked."""
        values = {"track.opens": True, "track.clicks": True}
        self._add_in.call("PATCH", "policy/?level=organization", {"values": values})
        markup = f'<p>{self._text} <a href="{self._target}">{self._text}</a></p>'
        body = {"recipients": [self._recipient], "html": markup}
        told = self._add_in.call("POST", "tracking/messages/", body)
        if told.status not in (200, 201) or not told.json["copies"]:
            return False
        self._id, self._urls = told.json["id"], _urls(told.json["copies"][0])
        sent = self._add_in.call("POST", f"tracking/messages/{self._id}/sent/", {"message_id": self._message_id})
        return sent.status == 204

    def ask(self) -> bool:
        """For the pixel and the link, whose answer leads on."""
        headers = {"User-Agent": self._agent, "Referer": f"https://{self._told}.example/", "Cookie": f"a={self._told}"}
        pixel, link = (self._visit.fetch(f"{url}?{self._told}", headers) for url in self._urls)
        return (pixel.status, link.status) == (200, 302)

    def events(self, since: datetime = _EVER) -> int:
        told = self._add_in.call("GET", f"tracking/messages/{self._id}/").json["events"]
        return sum(datetime.fromisoformat(each["at"]) >= since for each in told)


def _whole_milliseconds(at: datetime) -> datetime:
    """As a hit has its time: one within the same millisecond is no earlier."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def _urls(copy: dict[str, Any]) -> list[str]:
    """Of its pixel and its link."""
    link = re.search(r'href="([^"]+)"', copy["html"])
    if link is None:
        raise JourneyFailed("the mail's link was lost")
    return [copy["pixel"], html.unescape(link[1])]


@contextmanager
def _table_away() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tracking_copy RENAME TO tracking_copy_away")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE tracking_copy_away RENAME TO tracking_copy")
