"""What ends access ends it everywhere: revoked at Salesforce, disconnected, signed out. And a slow Salesforce."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.journeys.people import HEARD, AddIn, Salesforce, sign_in_anew
from tests.running import Stack

JANE = "jane.doe@northwind.example"
#: So much slower than in calm is no harm, where other tests make a busy machine of it.
MUCH = 3.0
#: Seconds for which to look.
WHILE_IT_HANGS = 4.0


@pytest.fixture
def rita(stack: Stack) -> AddIn:
    """Signed in anew for each of these: they end her grant."""
    return sign_in_anew(stack, "acme", "rita")


def test_revoked_at_salesforce_is_said_once_and_dropped_everywhere(rita: AddIn, acme: Salesforce) -> None:
    """C17: the first call that reaches Salesforce answers 409; within 5 s no process shows a card."""
    for _ in range(12):
        assert rita.people([JANE], fresh=True).status_code == 200
    acme.desk("users/rita", {"revoke": True})
    before = len(acme.counted_calls("rita", ""))
    refused = rita.people(["liam.oconnor@northwind.example"], fresh=True)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/needs-reconnect")
    assert refused.json()["provider"] == "salesforce"
    assert refused.json()["reconnect_url"].startswith(f"{rita.url}/connect/salesforce/")
    deadline = time.monotonic() + 5
    while {rita.people([JANE], fresh=True).status_code for _ in range(8)} != {409}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(acme.counted_calls("rita", "")) - before <= 2  # the refused call and at most one further attempt


def test_an_administrator_revoked_at_salesforce_has_no_powers_here(stack: Stack, globex: Salesforce) -> None:
    """From the refusal on, until he signs in again: 403 for what only administrators may, no page, but the 409."""
    charlie = sign_in_anew(stack, "globex", "charlie")
    dashboard = charlie.browser.session.get(f"{charlie.url}/dashboard/audit/", timeout=30)
    assert (dashboard.status_code, change_policy(charlie)) == (200, 200)
    globex.desk("users/charlie", {"revoke": True})
    assert charlie.people(["somebody@new.example"]).status_code == 409
    deadline = time.monotonic() + 5
    while change_policy(charlie) != 403:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(HEARD)
    assert {change_policy(charlie) for _ in range(8)} == {403}
    invited = charlie.call("POST", "invitations/", fresh=True, json={"username": "a@globex.example", "role": "admin"})
    assert invited.status_code == 403
    page = charlie.browser.session.get(f"{charlie.url}/dashboard/audit/", allow_redirects=False, timeout=30)
    assert page.headers["Location"].startswith("/connect/salesforce/")
    assert charlie.people(["somebody@new.example"]).json()["type"].endswith("/needs-reconnect")
    assert charlie.call("GET", "me/").status_code == 200
    assert change_policy(sign_in_anew(stack, "globex", "charlie")) == 200


def change_policy(caller: AddIn) -> int:
    body: dict[str, object] = {"users_can_modify": {}, "values": {}}
    return caller.call("PATCH", "policy/?level=organization", fresh=True, json=body).status_code


def test_disconnect_revokes_at_salesforce_and_ends_every_answer(stack: Stack, acme: Salesforce) -> None:
    """C17: afterwards 409 everywhere, and not one more request with that grant."""
    rita = sign_in_anew(stack, "acme", "rita")
    assert rita.people([JANE]).status_code == 200
    (connection,) = rita.call("GET", "connections/").json()["connections"]
    assert rita.call("DELETE", f"connections/{connection['id']}/").status_code in (200, 202, 204)
    deadline = time.monotonic() + 5
    while {rita.people([JANE], fresh=True).status_code for _ in range(8)} != {409}:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    before = len(acme.counted_calls("rita", ""))
    assert rita.people(["prince@paisley.example"]).json()["type"].endswith("/connect-required")
    assert len(acme.counted_calls("rita", "")) == before
    while not revoked_at_salesforce(acme):
        assert time.monotonic() < deadline + 70
        time.sleep(0.5)


def revoked_at_salesforce(acme: Salesforce) -> bool:
    return any(call["path"].endswith("/services/oauth2/revoke") for call in acme.calls())


def test_signing_out_ends_the_token_everywhere(stack: Stack) -> None:
    erin = sign_in_anew(stack, "acme", "erin")
    assert erin.people([JANE]).status_code == 200
    answer = erin.http.post(
        f"{erin.url}/o/revoke_token/", data={"client_id": "outlook-task-pane", "token": erin.tokens["refresh_token"]}
    )
    assert answer.status_code == 200
    deadline = time.monotonic() + 5
    while {erin.people([JANE], fresh=True).status_code for _ in range(8)} != {401}:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_hanging_salesforce_leaves_the_neighbours_fast(
    stack: Stack, alice: AddIn, charlie: AddIn, globex: Salesforce
) -> None:
    """50 look-ups hang on Globex's Salesforce; Acme's warm p99 stays under 50 ms, where the machine is not busy."""
    calm = p99_in_calm(alice, callers=2)
    globex.desk("faults", {"times": 60, "delay": 8, "path": "/services/data"})
    hanging = [
        threading.Thread(target=charlie.people, args=([f"nobody{n}@hanging.example"],), kwargs={"fresh": True})
        for n in range(50)
    ]
    for thread in hanging:
        thread.start()
    time.sleep(0.5)
    times = warm_at_once(alice, callers=2)
    assert any(thread.is_alive() for thread in hanging)
    for thread in hanging:
        thread.join(30)
    globex.desk("reset", {"only": ["faults"]})
    assert p99(times) < harmless(calm, p99_in_calm(alice, callers=2), always=0.050)


def p99_in_calm(caller: AddIn, callers: int = 1) -> float:
    """Of warm look-ups from each process' cache, just before or after."""
    for _ in range(12):
        assert caller.people([JANE], fresh=True).status_code == 200
    return p99(warm_at_once(caller, callers))


def warm_at_once(caller: AddIn, callers: int) -> list[float]:
    with ThreadPoolExecutor(callers) as pool:
        return [took for part in pool.map(lambda _: warm_times(caller), range(callers)) for took in part]


def harmless(*calm: float, always: float = 0.1) -> float:
    """Seconds; `always`: on any machine. Whoever waits for what hangs waits for several."""
    return min(1.0, max(always, MUCH * max(calm)))


def p99(times: list[float]) -> float:
    """Of fewer than a hundred, all but the worst."""
    return statistics.quantiles(sorted(times)[: max(99, len(times) - 1)], n=100, method="inclusive")[98]


def warm_times(caller: AddIn) -> list[float]:
    """Seconds of 200 warm look-ups, one after the other on one connection; of fewer where they take their time, since
    what hangs does not hang for ever."""
    times = list[float]()
    until = time.monotonic() + WHILE_IT_HANGS
    with requests.Session() as http:
        while len(times) < 200 and (len(times) < 50 or time.monotonic() < until):
            start = time.perf_counter()
            answer = http.post(
                f"{caller.url}/api/v1/sidebar/people/", json={"addresses": [JANE]}, headers=caller.headers, timeout=30
            )
            times.append(time.perf_counter() - start)
            assert answer.status_code == 200
    return times
