"""A queue that is away or hangs: whoever enqueues hears of it within seconds, and the timetable finds what was left."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from kombu.exceptions import OperationalError
from kombu.transport import resolve_transport

from config import celery_app
from organizations import doctor, membership
from organizations.models import Member, Role
from organizations.registries import Level
from tests.dashboard.test_pages import signed_in
from tests.vault.conftest import Connected, alice, cold, provider
from tests.vault.rotating import Rotating
from vault import tasks
from vault.models import State

__all__ = ["alice", "cold", "provider"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
#: Seconds; two are what it takes, and with the usual repetition nearly five.
PATIENCE = 4.0


@pytest.fixture(params=["never answers", "takes no connection"])
def hanging(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the queue's place a socket that connects and is silent, or whose backlog is full."""
    resolve_transport("redis")  # its code is loaded once in a process, and not what is timed
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [_knock(server) for _ in range(4)] if request.param == "takes no connection" else []
        server.listen(0 if waiting else 64)
        monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        _forget()
        yield
        for each in waiting:
            each.close()
    monkeypatch.undo()
    _forget()


def _knock(server: socket.socket) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(server.getsockname())
    return client


def _forget() -> None:
    """Where the queue is, as after a fork; kombu keeps the connections to each address apart."""
    celery_app._pool = celery_app.amqp._producer_pool = None  # type: ignore[attr-defined]


@pytest.mark.usefixtures("hanging")
def test_enqueuing_fails_within_seconds() -> None:
    """Also with the usual repetition, and for several threads at once."""

    def enqueue(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(OperationalError):
            tasks.keep_marks.delay()
        return time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(enqueue, range(8))) < PATIENCE


@pytest.mark.usefixtures("hanging")
def test_a_request_that_enqueues_answers_and_nothing_is_lost(alice: Connected, provider: Rotating) -> None:
    """An administrator sends somebody away (V23): that is done, and the timetable ends the grants."""
    bob = Member.objects.get(name="Bob Brown")
    membership.change_role("operator", alice.member, Role.USER)
    membership.change_role("operator", bob, Role.PRIMARY_ADMIN)
    admin = signed_in(bob)
    assert admin.get("/dashboard/members/").status_code == 200  # a process' first request loads its code
    began = time.monotonic()
    response = admin.post("/dashboard/members/change/", {"member": str(alice.member.pk), "is_active": "no"})
    took = time.monotonic() - began
    assert (response.status_code, response.headers["Location"]) == (302, "/dashboard/members/?saved=ended#people")
    assert took < 2 * PATIENCE, "with all the rest of it"
    assert provider.revoked == []
    tasks.finish_revocations()
    assert provider.revoked == [provider.refresh_token]
    assert alice.again().state == State.SHREDDED


@pytest.mark.usefixtures("hanging")
def test_the_doctor_says_so_instead_of_hanging_too() -> None:
    began = time.monotonic()
    (finding,) = doctor.queue()
    assert time.monotonic() - began < 2 * PATIENCE
    assert (finding.level, finding.advice) == (Level.ERROR, "See REDIS_URL.")
    assert "does not answer" in finding.message
