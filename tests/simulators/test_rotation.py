"""The same switches at all three providers: rotation, re-use that ends the family, a slow answer (V3, V13)."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.simulators.mail_providers import MailProvider
from tests.simulators.running import Running, new_session
from tests.simulators.test_oauth import renew

STORM = {"rotate": True, "reuse_kills_family": True, "delay": 0.3}
Refresh = Callable[[dict[str, Any]], Any]
Sim = Callable[..., Any]


@pytest.fixture(params=["salesforce", "google", "microsoft"])
def provider(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Refresh, Sim]:
    """A fresh grant, how to renew it, and /_sim."""
    if request.param == "salesforce":
        org: Running = request.getfixturevalue("salesforce")
        return org.tokens("alice"), lambda tokens: renew(org, tokens["refresh_token"]), org.sim
    mail: MailProvider = request.getfixturevalue(request.param)
    return mail.tokens("alice", prompt="consent"), mail.refresh, mail.sim


def test_reuse_kills_the_family_and_is_reported_once(provider: tuple[dict[str, Any], Refresh, Sim]) -> None:
    first, refresh, sim = provider
    sim("oauth", {**STORM, "delay": 0})
    second = refresh(first).json()
    third = refresh(second).json()
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3
    assert refresh(first).json()["error"] == "invalid_grant"
    assert refresh(third).json()["error"] == "invalid_grant", "the newest died with it"
    (report,) = sim("state")["reuse_reports"]
    assert report["killed"] is True
    assert sim("ledger")["refreshes"][-2]["outcome"] == "reuse"


def test_the_answer_waits_but_the_rotation_does_not(provider: tuple[dict[str, Any], Refresh, Sim]) -> None:
    first, refresh, sim = provider
    sim("oauth", STORM)
    began = time.monotonic()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(refresh, first)
        time.sleep(0.15)
        assert sim("ledger")["refreshes"][-1]["issued"], "rotated before it is told"
        assert answer.result().status_code == 200
    assert time.monotonic() - began >= 0.3


def test_a_reset_brings_the_switches_back(provider: tuple[dict[str, Any], Refresh, Sim]) -> None:
    _, _, sim = provider
    before = sim("oauth")
    assert sim("oauth", STORM) == STORM
    sim("reset", {})
    assert sim("oauth") == before
    assert sim("state")["reuse_reports"] == []


def test_a_clock_that_is_wrong_shows_in_the_date(provider: tuple[dict[str, Any], Refresh, Sim]) -> None:
    """V22: the Date of every answer is the provider's time; what a token is worth does not change."""
    first, refresh, sim = provider
    sim("clock", {"skew": 600})
    answer = refresh(first)
    said = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert 595 < said - time.time() < 605
    assert answer.status_code == 200
    sim("reset", {})


@pytest.mark.parametrize("name", ["google", "microsoft"])
def test_a_person_takes_his_consent_back_at_the_provider(request: pytest.FixtureRequest, name: str) -> None:
    mail: MailProvider = request.getfixturevalue(name)
    browser, home = new_session(""), mail.info["pages_url"]
    assert "Nobody is signed in" in browser.get(home, timeout=10).text
    tokens, others = mail.tokens("alice", browser=browser), mail.tokens("bob")
    page = browser.get(home, timeout=10).text
    assert "alice@acme.example" in page
    fields = dict(re.findall('name="([^"]*)" value="([^"]*)"', page))
    new_session("").post(home, data=fields, timeout=10)
    assert mail.refresh(tokens).status_code == 200, "a stranger's browser takes nothing away"
    assert "No app has access" in browser.post(home, data=fields, timeout=10).text
    assert mail.refresh(tokens).json()["error"] == "invalid_grant"
    assert mail.refresh(others).status_code == 200
