"""Connecting a mailbox, by HTTP against the whole product: allowed, missing, allowed again, ended (C1, C10, C17)."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from tests.journeys.people import HEARD, AddIn, forms_in, origin_of, sign_in_anew, submit
from tests.running import Stack

PROVIDERS = ("google", "microsoft")
MAIL = {"google": "https://www.googleapis.com/auth/gmail.readonly", "microsoft": "Mail.Read"}


class Accounts:
    """The control desk of one simulated provider of mail accounts."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.name, self.label, self.url = name, name.capitalize(), stack.facts[name]["api_url"]
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.ca

    def grants(self, user: str) -> list[dict[str, Any]]:
        state = self.session.get(f"{self.url}/_sim/state", timeout=30).json()
        return [grant for grant in state["grants"] if grant["user"] == user and grant["refreshable"]]

    def calls(self) -> int:
        return len(self.session.get(f"{self.url}/_sim/calls", timeout=30).json()["calls"])


@pytest.fixture(params=PROVIDERS)
def accounts(request: pytest.FixtureRequest, stack: Stack) -> Accounts:
    return Accounts(stack, request.param)


@pytest.fixture
def rita(stack: Stack, accounts: Accounts) -> Iterator[AddIn]:
    """Signed in, with no mailbox connected before or after."""
    somebody = sign_in_anew(stack, "acme", "rita")
    disconnect(somebody, accounts.name)
    yield somebody
    disconnect(somebody, accounts.name)


def connect(who: AddIn, provider: str, account: str) -> requests.Response:
    """From our page over the provider's pages, until the browser is back; our page at the end."""
    browser = who.browser.session
    page = browser.get(f"{who.url}/connect/{provider}/", timeout=30)
    assert page.status_code == 200, page.text
    form = next(form for form in forms_in(page) if "next" in form.fields)
    page = submit(browser, page, form)
    for _ in range(4):
        if origin_of(page.url) == who.url:
            return page
        page = _answer(browser, page, account)
    raise AssertionError(f"still at {page.url.partition('?')[0]}")


def _answer(browser: requests.Session, page: requests.Response, account: str) -> requests.Response:
    """One of the provider's pages: choose the account, or allow all that is asked for."""
    form = forms_in(page)[0]
    allow = {"decision": "allow", "scope": "all"}
    given = allow if ("decision", "allow") in form.buttons else {"as": account}
    return browser.post(urljoin(page.url, form.action), data={**form.fields, **given}, timeout=30)


def connection(who: AddIn, provider: str) -> dict[str, Any] | None:
    listed = who.call("GET", "connections/", fresh=True).json()["connections"]
    return next((each for each in listed if each["provider"] == provider), None)


def switch(who: AddIn, key: str, on: bool) -> None:
    body = {"values": {key: on}}
    assert who.call("PATCH", "policy/?level=member", json=body).status_code == 200
    time.sleep(HEARD)


def disconnect(who: AddIn, provider: str) -> None:
    found = connection(who, provider)
    if found is not None:
        who.call("DELETE", f"connections/{found['id']}/")


def test_a_mailbox_from_consent_to_disconnect(stack: Stack, accounts: Accounts, rita: AddIn, bob: AddIn) -> None:
    """C1, C10, C17: and the person stays signed in all the while; nobody else has anything of it."""
    name = accounts.name
    before = accounts.calls()
    assert connection(rita, name) is None
    assert accounts.calls() == before  # C9
    page = connect(rita, name, "rita")
    assert page.url == f"{rita.url}/dashboard/connections/"
    assert "rita@acme.example" in page.text
    found = connection(rita, name)
    assert found is not None
    assert (found["state"], found["missing_scopes"]) == ("healthy", [])
    assert MAIL[name] not in {scope["scope"] for scope in found["scopes"]}
    switch(rita, "email.sync.enabled", True)
    try:
        wanting = connection(rita, name)
        assert wanting is not None
        assert [each["scope"] for each in wanting["missing_scopes"]] == [MAIL[name]]
        connect(rita, name, "rita")
        allowed = connection(rita, name)
        assert allowed is not None
        assert (allowed["id"], allowed["missing_scopes"]) == (found["id"], [])
    finally:
        switch(rita, "email.sync.enabled", False)
    assert bob.call("DELETE", f"connections/{found['id']}/").status_code == 404
    assert rita.call("DELETE", f"connections/{found['id']}/").status_code == 204
    assert connection(rita, name) is None
    if name == "google":
        assert accounts.grants("rita") == []
    assert rita.call("GET", "me/").status_code == 200
    assert rita.browser.session.get(f"{rita.url}/dashboard/", timeout=30).status_code == 200
    assert connection(rita, "salesforce") is not None


def test_a_colleagues_mailbox_is_refused_in_words_and_a_strangers_connection_is_unseen(
    stack: Stack, accounts: Accounts, rita: AddIn, bob: AddIn, charlie: AddIn
) -> None:
    """One row per account in an organization; another organization hears nothing of it."""
    connect(rita, accounts.name, "erin")
    mine = connection(rita, accounts.name)
    assert mine is not None
    refused = connect(bob, accounts.name, "erin")
    assert refused.status_code == 409
    assert f"A colleague has connected this {accounts.label} account already" in refused.text
    assert charlie.call("DELETE", f"connections/{mine['id']}/").status_code == 404
    assert connection(charlie, accounts.name) is None
    still = connection(rita, accounts.name)
    assert still is not None
    assert still["state"] == "healthy"


def test_nobody_connects_without_having_signed_in(stack: Stack) -> None:
    """C1: a stranger is led to Salesforce first, and no address of the provider is given out."""
    for name in PROVIDERS:
        answer = requests.get(f"{stack.public_url}/connect/{name}/", allow_redirects=False, timeout=30)
        assert answer.headers["Location"] == f"/connect/salesforce/?next=%2Fconnect%2F{name}%2F"
        assert (
            requests.get(f"{stack.public_url}/connect/{name}/callback/?code=c&state=s", timeout=30).status_code == 403
        )
