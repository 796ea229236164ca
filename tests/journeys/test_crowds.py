"""What hangs elsewhere takes nothing from those whose cards are here: two slow orgs, strangers at a slow login."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import requests

from tests.conftest import SignIn
from tests.journeys.people import Browser, Salesforce
from tests.journeys.test_ending import harmless, p99, p99_in_calm, warm_times
from tests.running import Stack


@contextmanager
def under_way(count: int, work: Callable[[int], object]) -> Iterator[list[threading.Thread]]:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield threads
    finally:
        for thread in threads:
            thread.join(40)


def test_two_hanging_organizations_leave_a_third_fast(
    stack: Stack, signed_in: SignIn, acme: Salesforce, globex: Salesforce
) -> None:
    """Of 200 look-ups half hang on each of two orgs' Salesforce; a third organization's cards come at once."""
    sandbox = next(org["key"] for org in stack.facts["orgs"] if org["key"] not in ("acme", "globex"))
    third = signed_in(sandbox, stack.org(sandbox)["users"][0]["key"])
    calm = p99_in_calm(third)
    slow = [signed_in("acme", "alice"), signed_in("globex", "charlie")]
    for desk in (acme, globex):
        desk.desk("faults", {"times": 300, "delay": 9, "path": "/services/data"})
    try:
        with under_way(200, lambda n: slow[n % 2].people([f"n{n}@hanging.example"], fresh=True)) as threads:
            times = warm_times(third)
            assert sum(thread.is_alive() for thread in threads) >= 60
    finally:
        for desk in (acme, globex):
            desk.desk("reset", {"only": ["faults"]})
    assert p99(times) < harmless(calm, p99_in_calm(third))
    assert max(times) < 3


def test_strangers_at_a_hanging_login_host_harm_nobody(stack: Stack, signed_in: SignIn) -> None:
    """Forty start to sign in: each is sent on or told to try again; warm cards come at once, revocations are heard."""
    login = next(str(host["login_url"]) for host in stack.facts["login_hosts"] if host["sandboxes"])
    host = requests.Session()
    host.verify, host.trust_env = stack.ca, False
    alice = signed_in("acme", "alice")
    calm = p99_in_calm(alice)
    assert host.post(f"{login}/_sim/faults", json={"times": 200, "delay": 7, "path": "/.well-known"}).ok
    answers: list[requests.Response] = []

    def start(_: int) -> None:
        browser = Browser(stack, "acme", "nobody").session
        form = {"login": login, "next": "/dashboard/"}
        page = browser.get(f"{stack.public_url}/connect/salesforce/", timeout=40)
        form["csrfmiddlewaretoken"] = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        answers.append(
            browser.post(
                f"{stack.public_url}/connect/salesforce/",
                data=form,
                allow_redirects=False,
                timeout=40,
                headers={"Origin": stack.public_url},
            )
        )

    try:
        with under_way(40, start) as threads:
            times = warm_times(alice)
            with ThreadPoolExecutor(8) as pool:  # whichever process takes it
                ready = list(pool.map(lambda _: requests.get(f"{stack.public_url}/readyz", timeout=5), range(24)))
            assert any(thread.is_alive() for thread in threads)
    finally:
        host.post(f"{login}/_sim/reset", json={"only": ["faults"]})
    assert {response.status_code for response in ready} == {200}
    assert p99(times) < harmless(calm, p99_in_calm(alice))
    codes = [answer.status_code for answer in answers]
    assert len(codes) == 40
    assert set(codes) <= {302, 503}
    assert codes.count(503) >= 20
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 503)
