"""A process that is asked to end waits for the renewals under way, at most 15 seconds, and begins none (V24, I2)."""

import signal
import threading
import time
from pathlib import Path

import pytest
import requests
from django.utils import timezone

from providers.errors import Transient
from tests.organizations import people
from tests.providers.faulty import Handler
from tests.vault import started
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import grants, tasks
from vault.models import Attempt, Connection, State
from vault.underway import Underway

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def refuse_calls(provider: Rotating, slow: float = 0.0) -> None:
    """Salesforce's API refuses the first access token, as it does once a session is over, and is busy afterwards."""
    oauth, first = provider.server.behave, f"Bearer {provider.access_token}"

    def behave(handler: Handler) -> None:
        if handler.path.startswith("/services/oauth2/"):
            oauth(handler)
        elif handler.headers["Authorization"] == first and not slow:
            handler.answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])
        else:
            time.sleep(slow)
            handler.answer(503, [])

    provider.server.behave = behave


def until_called(provider: Rotating) -> None:
    until = time.monotonic() + 30
    while not provider.refreshes:
        assert time.monotonic() < until, "nobody renews"
        time.sleep(0.02)


def assert_stored(alice: Connected, provider: Rotating) -> None:
    kept = grants.load(alice.again())
    assert kept.refresh_token is not None
    assert kept.refresh_token.reveal() == provider.refresh_token
    assert alice.again().state == State.HEALTHY
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["renewed"]
    assert (provider.refreshes, provider.reuses) == (1, 0)


def test_a_web_process_stores_the_answer_it_was_waiting_for(
    alice: Connected, provider: Rotating, tmp_path: Path
) -> None:
    """V24: SIGTERM while Salesforce has rotated and takes four seconds to answer."""
    people.add_in()
    refuse_calls(provider)
    provider.delay = 4.0
    token = people.api(alice.member).client.defaults["HTTP_AUTHORIZATION"]
    with started.web(provider, tmp_path) as (process, url):
        call = threading.Thread(target=ask, args=(url, str(token)))
        call.start()
        until_called(provider)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        seconds = time.monotonic() - began
        call.join(10)
    assert 2.5 < seconds < 12, f"ended after {seconds:.1f} s"
    assert_stored(alice, provider)


def ask(url: str, token: str) -> int | None:
    """The status of a look-up; None where the connection broke."""
    headers = {"Authorization": token, "Host": "localhost:8000"}
    try:
        return requests.post(
            f"{url}/api/v1/sidebar/people/", json={"addresses": ["jane@example.com"]}, headers=headers, timeout=30
        ).status_code
    except requests.RequestException:
        return None


def test_a_worker_stores_the_answer_it_was_waiting_for(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V24, a Celery worker."""
    provider.delay = 4.0
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z")
    with started.worker(provider, tmp_path) as process:
        tasks.keep_grant_alive.delay(str(alice.connection.pk))
        until_called(provider)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        seconds = time.monotonic() - began
    assert 2.5 < seconds < 12, f"ended after {seconds:.1f} s"
    assert_stored(alice, provider)


def test_a_process_without_renewals_ends_at_once(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    with started.web(provider, tmp_path) as (process, _):
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert time.monotonic() - began < 8


def test_a_request_under_way_is_answered_first(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """A record may just be written: the outcome of a call that is cut off would be known to nobody."""
    people.add_in()
    refuse_calls(provider, slow=3.0)
    token = people.api(alice.member).client.defaults["HTTP_AUTHORIZATION"]
    answers: list[int | None] = []
    with started.web(provider, tmp_path) as (process, url):
        call = threading.Thread(target=lambda: answers.append(ask(url, str(token))))
        call.start()
        until = time.monotonic() + 30
        while not provider.server.seen:
            assert time.monotonic() < until, "nobody asks"
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert time.monotonic() - began < 12
        call.join(10)
    assert answers == [503], "in our words, not a broken connection"


def test_nothing_begins_once_the_end_is_near() -> None:
    """V24: a renewal that began now would be cut off; whoever asks is told to ask again."""
    underway, began, at = Underway(), threading.Event(), timezone.now()

    def work() -> None:
        with underway.guarded():
            began.set()
            time.sleep(0.5)

    thread = threading.Thread(target=work)
    thread.start()
    began.wait(5)
    assert not underway.drain(0.1), "still under way"
    assert underway.drain(5)
    assert (timezone.now() - at).total_seconds() < 3
    with pytest.raises(Transient, match="restarted"), underway.guarded():
        pass
    thread.join()
