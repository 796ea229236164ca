"""What this room's tests share: one hot process for all of them, and an organization whose standing it has heard."""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from organizations import policy
from organizations.models import Member
from tests.organizations import people
from tests.tracking import hot_process
from tests.tracking.hot_process import HotProcess
from tracking import drain, partitions, publishing, valkey
from tracking.hot.boxes import NotOurs, Opening
from tracking.hot.hits import Hit
from tracking.hot.tokens import Kind, Opened
from tracking.models import Copy, Event
from tracking.prepare import Prepared, Wanted, prepare_message
from vault import days


@pytest.fixture(scope="session")
def hot() -> Iterator[HotProcess]:
    with hot_process.started() as process:
        yield process


@dataclass
class Room:
    """The hot process and the database that its hits go to. `alice` may track opens and clicks."""

    hot: HotProcess
    alice: Member
    charlie: Member

    def publish(self) -> None:
        """Until the hot process has heard: its hits are sealed for the day that was published with the rest."""
        publishing.publish_standing(timezone.now())
        began = time.monotonic()
        while not self._is_todays():
            assert time.monotonic() - began < hot_process.PATIENCE, "the hot process has not heard"
        self.hot.forget()

    def prepared(self, *hrefs: str, **wanted: Any) -> Prepared:
        """A message that was sent an hour ago, to somebody outside."""
        told: dict[str, Any] = {"recipients": ["jane@customer.example"], "links": hrefs, **wanted}
        prepared = prepare_message(self.alice, Wanted(**told))
        assert prepared.message is not None
        prepared.message.sent_at = timezone.now() - timedelta(hours=1)
        prepared.message.save()
        return prepared

    def paths(self, kind: Kind, number: int, target: str = "") -> list[str]:
        """To one copy of a message of Alice's, told apart by their links' numbers."""
        message = self.prepared(target or "https://www.example.com/").message
        assert message is not None
        copy, seal = Copy.objects.get(message=message), self.hot.keyring.seal
        path = hot_process.pixel if kind is Kind.OPEN else hot_process.link
        ids = (message.organization_id.bytes, copy.pk.bytes)
        return [path(seal(kind, Opened(*ids, number, target))) for number in range(number)]

    def hits(self) -> list[Hit]:
        """With who asked, as the worker will read it."""
        return self.hot.hits(_day)

    def stored(self) -> int:
        """How many rows there are, once nothing waits any more."""
        self.hot.settle()
        while drain.drain_events("one") is not None:
            pass
        return Event.objects.count()

    def _is_todays(self) -> bool:
        self.hot.forget()
        self.hot.ask(hot_process.request(hot_process.pixel(hot_process.an_open(self.hot.keyring))))
        try:
            return all(hit.who for hit in self.hits())
        except NotOurs:  # sealed for the day of an earlier test
            return False


def _day(name: bytes) -> Opening | None:
    private = days.private(date.fromisoformat(name.decode())) if name else None
    return Opening(name, private) if private else None


@pytest.fixture
def room(hot: HotProcess, settings: Settings) -> Iterator[Room]:
    """For tests with the database."""
    settings.REDIS_URL, settings.TRACKING_URL = hot.valkey_url, hot.url
    settings.TRACKING_KEY = base64.b64encode(hot.key).decode()
    valkey.valkey.cache_clear()
    alice, _, charlie = people.everybody()
    for key in ("track.opens", "track.clicks"):
        policy.set_organization_value(alice, alice.organization_id, key, True)
        policy.set_organization_value(charlie, charlie.organization_id, key, True)
    room = Room(hot, alice, charlie)
    room.publish()
    yield room
    valkey.valkey.cache_clear()
    hot.forget()
    partitions.drop_before(timezone.now().date() + timedelta(days=90))
