"""Tracking's lines of `manage.py doctor`, each found on a real Valkey and a real hot process."""

import socket
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from organizations.registries import Finding, Level, doctor_checks
from tests.tracking import maxmind
from tests.tracking.conftest import Room
from tracking import inflow, valkey
from tracking.hot.boxes import BatchBox
from tracking.hot.stream import DAY, LOST, SPOOLED, STREAM
from tracking.hot.tokens import read_keys
from vault import days
from vault import doctor as of_the_vault

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def all_of_it() -> list[Finding]:
    return [finding for name, check in doctor_checks if name.startswith("tracking.") for finding in check()]


def troubles() -> list[tuple[Level, str]]:
    return [(each.level, each.message) for each in all_of_it() if each.level != Level.OK]


def test_all_is_well(room: Room) -> None:
    before = room.stored()
    assert troubles() == []
    told = " ".join(each.message for each in all_of_it())
    for word in (
        "lead to",
        "answers with the image",
        "keeps what is handed",
        "that wait: 0",
        "key is published",
    ):
        assert word in told
    assert room.stored() == before  # the doctor's own question left nothing behind


def test_a_day_of_its_own_is_no_key_of_an_organization_that_is_gone(room: Room) -> None:
    assert days.living() != []
    assert list(of_the_vault.orphans()) == []


def test_where_it_is_not_set_up_one_line_says_so(settings: Settings) -> None:
    settings.TRACKING_URL = settings.TRACKING_KEY = ""
    (finding,) = all_of_it()
    assert (finding.level, "not tracked here" in finding.message) == (Level.OK, True)


def test_switched_on_and_not_set_up(room: Room, settings: Settings) -> None:
    settings.TRACKING_URL = settings.TRACKING_KEY = ""
    ((level, message),) = troubles()
    assert (level, message) == (Level.WARNING, "Organizations that switched tracking on, which is not set up: 2.")


def test_nobody_answers(room: Room, settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.TRACKING_URL = f"http://localhost:{taken.getsockname()[1]}"
        ((level, message),) = troubles()
    assert (level, "does not answer" in message) == (Level.ERROR, True)


def test_nothing_answers_in_place_of_the_stream(room: Room, settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        valkey.valkey.cache_clear()
        ((level, message),) = troubles()
    assert (level, "REDIS_URL does not answer" in message) == (Level.ERROR, True)


@pytest.mark.parametrize(
    ("name", "value", "good", "word"),
    [
        ("appendonly", "no", "yes", "keeps nothing on its disk"),
        ("appendfsync", "no", "always", "leaves it to its system"),
        ("maxmemory-policy", "allkeys-lru", "noeviction", "forgets hits and tasks when it is full (allkeys-lru)"),
    ],
)
def test_a_valkey_that_forgets(room: Room, name: str, value: str, good: str, word: str) -> None:
    valkey.valkey().config_set(name, value)
    try:
        ((_, message),) = troubles()
    finally:
        valkey.valkey().config_set(name, good)
    assert word in message


def test_what_waits_and_what_was_lost(room: Room) -> None:
    client: Redis = valkey.valkey()
    now = timezone.now().timestamp()
    client.delete(STREAM)
    client.xadd(STREAM, {"f": "x"}, id=f"{int(now * 1_000) - 90_000}-0")
    client.hset(SPOOLED, "dead:1", f"70 {int(now)}")
    client.set(LOST, 3)
    try:
        assert [(level, message[:22]) for level, message in troubles()] == [
            (Level.ERROR, "Hits wait to be draine"),
            (Level.WARNING, "Bytes of hits on the d"),
            (Level.WARNING, "Hits that found no pla"),
        ]
        assert inflow.backlog(now).lost == 3
    finally:
        client.delete(STREAM, LOST)
        client.hdel(SPOOLED, "dead:1")


def test_a_day_that_is_missing_over_or_forged(room: Room, settings: Settings) -> None:
    client: Redis = valkey.valkey()
    published = client.get(DAY) or b""
    try:
        for value, word in (
            (None, "missing or an old one"),
            (_signed(settings, timezone.now() - timedelta(days=2)), "missing or an old one"),
            (b"x" * 58, "not put there with this TRACKING_KEY"),
        ):
            client.delete(DAY)
            if value:
                client.set(DAY, value)
            ((level, message),) = troubles()
            assert (level, word in message) == (Level.ERROR, True)
    finally:
        client.set(DAY, published)


def _signed(settings: Settings, at: datetime) -> bytes:
    return BatchBox(read_keys(settings.TRACKING_KEY)).publish_day(f"{at:%Y-%m-%d}".encode(), bytes(32))


def test_files_that_cannot_be_read(room: Room, settings: Settings, tmp_path: Path) -> None:
    maxmind.write(tmp_path / "places.mmdb", {"198.51.100.0/24": {"country": {"names": {"en": "Austria"}}}})
    settings.GEOIP_FILE, settings.ASN_FILE = str(tmp_path / "places.mmdb"), ""
    assert troubles() == []
    (tmp_path / "networks.mmdb").write_bytes(b"no such file")
    settings.GEOIP_FILE, settings.ASN_FILE = str(tmp_path / "gone.mmdb"), str(tmp_path / "networks.mmdb")
    assert [message.split(" ")[0] for _, message in troubles()] == ["GEOIP_FILE", "ASN_FILE"]
