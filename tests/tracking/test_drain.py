"""From the hot process' stream into the table: judged, once, and who asked is forgotten."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from organizations import policy
from organizations.models import Member
from tests.organizations import people
from tests.tracking import maxmind
from tests.tracking.recorded_agents import GMAIL_PROXY
from tracking import classify, drain, inflow, partitions, publishing, signatures, storing, valkey
from tracking.classify import Verdict
from tracking.hot.boxes import BatchBox
from tracking.hot.hits import Hit, noted, packed
from tracking.hot.standing import Standings
from tracking.hot.stream import Stream
from tracking.hot.tokens import Kind, read_keys
from tracking.models import Content, Copy, Event, TrackedMessage
from vault import days

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture(autouse=True)
def set_up(settings: Settings) -> Iterator[Redis]:
    settings.TRACKING_KEY = b64encode(secrets.token_bytes(32)).decode()
    settings.TRACKING_URL = "http://localhost:9"
    valkey.valkey.cache_clear()
    client = valkey.valkey()
    client.delete(*client.keys("tracking:*") or ["tracking:none"])
    yield client
    client.delete(*client.keys("tracking:*") or ["tracking:none"])
    partitions.drop_before(timezone.now().date() + timedelta(days=90))


@pytest.fixture
def alice() -> Member:
    member = people.everybody()[0]
    for key in ("track.opens", "track.clicks"):
        policy.set_organization_value(member, member.organization_id, key, True)
    return member


def a_copy(member: Member, sent_before: timedelta = timedelta(hours=1)) -> Copy:
    message = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    message.sent_at = timezone.now() - sent_before
    Content(["jane@customer.example"], ["https://a.example/", "https://b.example/"]).put(message)
    message.save()
    return Copy.objects.create(message=message, number=0)


def a_hit(copy: Copy, kind: Kind = Kind.OPEN, link: int = 0, agent: str = CHROME) -> Hit:
    at, owner = int(timezone.now().timestamp() * 1_000), copy.message.organization_id.bytes
    return Hit(at, kind, 0, link, owner, copy.pk.bytes, ["198.51.100.7", agent, ""])


def arrive(settings: Settings, *hits: Hit, times: int = 1) -> None:
    """As the hot process does it: with the standing that was published."""

    async def commit() -> None:
        box, stream = BatchBox(read_keys(settings.TRACKING_KEY)), Stream(settings.REDIS_URL)
        standings = Standings(stream, box)
        await standings.read()
        assert standings.day is not None
        await stream.append([packed([noted(*hit[:7]) for hit in hits], box, standings.day)] * times)
        await stream.close()

    publishing.publish_standing(timezone.now())
    asyncio.run(commit())


def test_a_hit_is_judged_and_stored_once(alice: Member, settings: Settings, set_up: Redis) -> None:
    copy = a_copy(alice)
    arrive(settings, a_hit(copy), times=3)
    entries: Any = set_up.xrange("tracking:hits")
    (entry,) = {tuple(entry.items()) for _, entry in entries}
    assert drain.drain_events("one") == drain.Drained(stored=1, repeated=2)
    assert drain.drain_events("one") is None
    event = Event.objects.get()
    assert (event.verdict, event.device, event.copy_id) == (Verdict.HUMAN_LIKELY, "computer", copy.pk)
    copy.refresh_from_db()
    assert (copy.opens, copy.clicks, copy.hits) == (1, 0, 1)
    set_up.xadd("tracking:hits", dict(entry))
    assert drain.drain_events("one") == drain.Drained(repeated=1)
    copy.refresh_from_db()
    assert copy.opens == 1


def test_only_a_readers_own_address_says_where_he_was(alice: Member, settings: Settings, tmp_path: Path) -> None:
    """C50. Gmail's proxy stands in California, wherever its readers are."""
    somewhere = {"198.51.100.0/24": {"country": {"names": {"en": "Norway"}}}}
    settings.GEOIP_FILE = str(maxmind.write(tmp_path / "places.mmdb", somewhere))
    copy = a_copy(alice)
    arrive(settings, a_hit(copy), a_hit(copy, agent=GMAIL_PROXY))
    drain.drain_events("one")
    assert sorted(Event.objects.values_list("verdict", "device", "place")) == [
        (Verdict.HUMAN_LIKELY, "", ""), (Verdict.HUMAN_LIKELY, "computer", "Norway"),
    ]  # fmt: skip


def test_what_a_dead_worker_was_given_is_drained_by_another(
    alice: Member, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(settings, a_hit(a_copy(alice)))
    assert len(inflow.take("dead", 10)) == 1
    assert drain.drain_events("other") is None
    monkeypatch.setattr(inflow, "ABANDONED", 0)
    assert drain.drain_events("other") == drain.Drained(stored=1)
    assert inflow.backlog(timezone.now().timestamp()).entries == 0


def test_a_valkey_without_room_is_drained(alice: Member, settings: Settings, set_up: Redis) -> None:
    """It takes nothing more, and would for ever if draining wanted to add anything."""
    copy = a_copy(alice)
    arrive(settings, a_hit(copy))
    drain.drain_events("one")
    arrive(settings, a_hit(copy))
    before: Any = set_up.config_get("maxmemory")
    set_up.config_set("maxmemory", 1)
    try:
        assert drain.drain_events("one") == drain.Drained(stored=1)
    finally:
        set_up.config_set("maxmemory", before["maxmemory"])


def test_two_links_within_seconds_are_nobodys_fingers(alice: Member, settings: Settings) -> None:
    """Also where they come in different batches: the first was taken for a person's until the second came."""
    copy = a_copy(alice)
    arrive(settings, a_hit(copy, Kind.CLICK, 1))
    drain.drain_events("one")
    copy.refresh_from_db()
    assert copy.clicks == 1
    arrive(settings, a_hit(copy, Kind.CLICK, 2))
    drain.drain_events("one")
    copy.refresh_from_db()
    assert (copy.clicks, copy.hits) == (0, 2)
    assert set(Event.objects.values_list("verdict", flat=True)) == {Verdict.SCANNER}


def test_also_what_was_left_open_is_nobodys_fingers(alice: Member, settings: Settings) -> None:
    """Soon after sending a click is nobody's yet; with another link beside it, it is a filter's. No count goes down."""
    copy = a_copy(alice, sent_before=timedelta(seconds=10))
    arrive(settings, a_hit(copy, Kind.CLICK, 1))
    drain.drain_events("one")
    assert Event.objects.get().verdict == Verdict.UNKNOWN
    arrive(settings, a_hit(copy, Kind.CLICK, 2))
    drain.drain_events("one")
    copy.refresh_from_db()
    assert (copy.clicks, copy.hits) == (0, 2)
    assert set(Event.objects.values_list("verdict", flat=True)) == {Verdict.SCANNER}


def test_who_asked_is_unreadable_after_the_day(alice: Member, settings: Settings) -> None:
    """The hit itself still counts, and says that nobody knows more."""
    copy = a_copy(alice)
    arrive(settings, a_hit(copy))
    for day in days.living():
        days.end(day)
    assert drain.drain_events("one") == drain.Drained(stored=1)
    assert Event.objects.get().verdict == Verdict.UNKNOWN


@pytest.mark.parametrize("is_broken", [False, True])
def test_who_asked_is_in_memory_as_long_as_a_batch(
    alice: Member, settings: Settings, monkeypatch: pytest.MonkeyPatch, is_broken: bool
) -> None:
    """Also where the database takes nothing."""
    arrive(settings, a_hit(a_copy(alice)))
    if is_broken:
        monkeypatch.setattr(storing, "insert", storing.count)
    with pytest.raises(AttributeError) if is_broken else nullcontext():
        drain.drain_events("one")
    remember = (signatures.agent_of, classify._ip_of, classify._is_microsofts)
    assert [each.cache_info().currsize for each in remember] == [0, 0, 0]


def test_neither_strangers_nor_forged_entries_stop_the_others(alice: Member, settings: Settings, set_up: Redis) -> None:
    copy = a_copy(alice)
    stranger = a_hit(copy)._replace(copy_id=bytes(16))
    foreign = a_hit(copy)._replace(organization=bytes(16))
    set_up.xadd("tracking:hits", {"f": b"x" * 60})
    set_up.xadd("tracking:hits", {"other": b"x"})
    arrive(settings, stranger, foreign, a_hit(copy))
    assert drain.drain_events("one") == drain.Drained(stored=1, strangers=2, broken=2)
    assert inflow.backlog(timezone.now().timestamp()).entries == 2  # tests/tracking/test_keys.py: for an hour


def test_what_is_switched_off_is_not_recorded(alice: Member, settings: Settings, set_up: Redis) -> None:
    copy = a_copy(alice)
    arrive(settings, a_hit(copy), a_hit(copy, Kind.CLICK, 1))
    policy.set_organization_value(alice, alice.organization_id, "track.opens", False)
    assert drain.drain_events("one") == drain.Drained(stored=1, strangers=1)
    assert Event.objects.get().kind == Kind.CLICK
    assert publishing.publish_standing(timezone.now())
    off = alice.organization_id.bytes + bytes([Kind.OPEN])
    assert off in set_up.smembers("tracking:off")
    assert not publishing.publish_standing(timezone.now())


def test_nothing_readable_waits_in_the_stream(alice: Member, settings: Settings, set_up: Redis) -> None:
    arrive(settings, a_hit(a_copy(alice)))
    entries: Any = set_up.xrange("tracking:hits")
    raw = b"".join(value for _, entry in entries for value in entry.values())
    for secret in (b"198.51.100.7", b"Chrome", alice.organization_id.bytes):
        assert secret not in raw
