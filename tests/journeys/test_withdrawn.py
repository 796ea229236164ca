"""A link that is out already is withdrawn: its reader gets a page, within seconds; another organization's goes on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.people import AddIn, forms_in, submit
from tests.journeys.test_tracking import ask, prepared, switched_on, within
from tests.running import Stack

ROOT = Path(__file__).resolve().parents[2]
TARGET = "https://example.com/offer?a=1"
PAGE = "dashboard/analytics/withdrawn/"


@pytest.fixture(scope="module")
def links(alice: AddIn, charlie: AddIn) -> list[str]:
    return [a_link(switched_on(person)) for person in (alice, charlie)]


def a_link(person: AddIn) -> str:
    return str(prepared(person, links=[TARGET])["copies"][0]["links"][0])


def submitted(person: AddIn, **values: str) -> Any:
    """The form that has these fields, sent from the administrator's page."""
    browser = person.browser.session
    page = browser.get(f"{person.url}/{PAGE}", timeout=30)
    form = next(form for form in forms_in(page) if form.method == "post" and values.keys() <= form.fields.keys())
    return submit(browser, page, form, **values)


def test_within_seconds_its_reader_gets_a_page(alice: AddIn, bob: AddIn, stack: Stack, links: list[str]) -> None:
    hers, charlies = links
    assert [ask(link).status_code for link in links] == [302, 302]
    assert bob.browser.session.get(f"{bob.url}/{PAGE}", timeout=30).status_code == 403
    assert "Withdrawn." in submitted(alice, address=hers).text
    within(10, lambda: ask(hers).status_code == 410)
    page = ask(hers)
    assert "This link was withdrawn" in page.text
    assert "example.com" not in page.text
    assert page.headers["cache-control"].startswith("no-store")
    assert ask(charlies).headers["location"] == TARGET
    assert operator(stack, hers, "--restore") == "Restored for 1 of 1."
    within(10, lambda: ask(hers).status_code == 302)
    assert ask(hers).headers["location"] == TARGET


def operator(stack: Stack, *arguments: str) -> str:
    command = [sys.executable, "manage.py", "withdraw_target", *arguments]
    environment = {**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        check=True,
        timeout=60,
        capture_output=True,
    )
    return done.stdout.strip()
