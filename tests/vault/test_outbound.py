"""Strangers who start sign-ins: few of them wait at once, none holds a database connection meanwhile (FT14)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from providers import oauth
from tests.providers.faulty import Handler
from tests.vault.rotating import Rotating
from tests.vault.test_doors import HOST, PAGE, begin, sentence
from vault import outbound
from vault.errors import NotAllowedHere
from vault.outbound import Doorway

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def hanging(provider: Rotating) -> Iterator[threading.Event]:
    """The login host answers once the event is set."""
    oauth._metadata.clear()
    go_on = threading.Event()

    def behave(handler: Handler) -> None:
        go_on.wait(8)
        handler.answer(404, {})

    provider.server.behave = behave
    yield go_on
    go_on.set()
    oauth._metadata.clear()


def start(login: str) -> Any:
    try:
        return Client(headers=HOST).post(PAGE, {"login": login})
    finally:
        connections.close_all()


def test_few_wait_for_a_login_host_that_hangs(provider: Rotating, hanging: threading.Event) -> None:
    limit, before = outbound.sign_ins.of_host, borrowed()
    with ThreadPoolExecutor(40) as pool:
        waiting = [pool.submit(start, provider.server.url) for _ in range(40)]
        refused = [future.result() for future in waiting if not _waits(future)]
        assert len(refused) == 40 - limit
        assert {response.status_code for response in refused} == {503}
        assert {response["Retry-After"] for response in refused} == {"5"}
        assert "try again" in sentence(refused[0])
        deadline = time.monotonic() + 5  # the last of them may still be on the way to where they wait
        while borrowed() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert borrowed() <= before, "who waits holds no database connection"
        hanging.set()
        assert [future.result().status_code for future in waiting].count(302) == limit


def _waits(future: Any) -> bool:
    try:
        future.result(2)
    except TimeoutError:
        return True
    return False


def borrowed() -> int:
    stats = connection.pool.get_stats()  # type: ignore[attr-defined]  # Django's PostgreSQL backend has one
    return int(stats["pool_size"] - stats["pool_available"])


@contextmanager
def others_inside(doorway: Doorway, *keys: str) -> Iterator[None]:
    """So many other threads wait for their providers."""
    go_on, arrived = threading.Event(), threading.Barrier(len(keys) + 1)

    def wait(key: str) -> None:
        with doorway.waiting(key):
            arrived.wait(10)
            go_on.wait(30)

    with ThreadPoolExecutor(len(keys)) as pool:
        waiting = [pool.submit(wait, key) for key in keys]
        try:
            arrived.wait(10)
            yield
        finally:
            go_on.set()
            for future in waiting:
                future.result()


def full(doorway: Doorway) -> list[str]:
    return [f"https://{number}.example" for number in range(doorway.limit)]


def test_a_login_host_that_is_known_needs_no_place(provider: Rotating) -> None:
    oauth._metadata.clear()
    begin(Client(headers=HOST), provider.server.url)
    with others_inside(outbound.sign_ins, *full(outbound.sign_ins)):
        begin(Client(headers=HOST), provider.server.url)


def test_a_callback_over_the_limit_may_come_again(provider: Rotating) -> None:
    """Its state is not used up."""
    browser = Client(headers=HOST)
    sent = begin(browser, provider.server.url)
    address = sent["redirect_uri"].removeprefix("http://localhost:8000")
    answer = {"state": sent["state"], "error": "access_denied"}
    with others_inside(outbound.sign_ins, *full(outbound.sign_ins)):
        assert browser.get(address, answer).status_code == 503
    assert browser.get(address, answer).status_code == 403


def test_one_host_leaves_places_for_others() -> None:
    doorway = Doorway(64)
    with others_inside(doorway, *["slow"] * 6):
        with pytest.raises(NotAllowedHere), doorway.waiting("slow"):
            pass
        with others_inside(doorway, "one", "two"), doorway.place("three") as taken:
            assert not taken
    assert not doorway._inside


def test_who_is_inside_needs_no_second_place() -> None:
    """The host's metadata is asked for, and a replaced grant revoked, by a callback that has its place already."""
    doorway = Doorway(8)
    assert doorway.limit == 1
    with doorway.waiting("google"):
        with doorway.waiting("https://accounts.example"), doorway.place("revocation") as taken:
            assert taken
        assert doorway._inside == {"google": 1}
    assert not doorway._inside
    with others_inside(doorway, "google"), pytest.raises(NotAllowedHere), doorway.waiting("google"):
        pass


def test_metadata_that_cannot_be_had_uses_no_state_up(provider: Rotating) -> None:
    """Another process than the one where the sign-in began, or an hour later: the same address works again."""
    browser = Client(headers=HOST)
    sent = begin(browser, provider.server.url)
    address = sent["redirect_uri"].removeprefix("http://localhost:8000")
    answer = {"state": sent["state"], "error": "access_denied"}
    oauth._metadata.clear()
    usual = provider.server.behave
    provider.server.behave = lambda handler: handler.answer(503, {})
    assert browser.get(address, answer).status_code == 503
    provider.server.behave = usual
    assert browser.get(address, answer).status_code == 403
    assert browser.get(address, answer).status_code == 400
