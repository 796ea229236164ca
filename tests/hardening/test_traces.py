"""What the log files hold after all of this run: no address, no token, no code, no value of a record.

C9, docs/hardening.md row 9."""

import secrets
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.journeys.people import AddIn, given_out, sign_in_anew
from tests.running import Stack

#: What people and records of the seed data are called; none of it is the name of anything in our code.
VALUES = (
    *("northwind.example", "acme.example", "globex.example", "Northwind", "Jane Doe", "jane.doe", "kestrel-labs"),
    *("postbox.example", "liam.oconnor", "Rossi", "lukasiewicz"),
)


@pytest.fixture
def canary() -> str:
    return f"canary-{secrets.token_hex(12)}"


def test_nothing_of_anybody_is_in_the_logs(stack: Stack, alice: AddIn, canary: str) -> None:
    leave_traces(stack, alice, canary)
    time.sleep(1)
    written = {path: path.read_text(errors="replace") for path in sorted(Path(stack.facts["log"]).glob("*"))}
    assert sum(len(text) for text in written.values()) > 1_000, "nothing was logged at all"
    assert "404 at api/v1/sidebar/forms/" in "".join(written.values())
    wanted = {canary, *VALUES, *given_out}
    assert len(given_out) > 1
    found = {(path.name, value[:24]) for path, text in written.items() for value in wanted if value in text}
    assert not found
    assert "Traceback" not in "".join(written.values())


def leave_traces(stack: Stack, alice: AddIn, canary: str) -> None:
    """Put the canary everywhere, so that it is logged if anything is: in what succeeds and in what fails."""
    address, key = f"{canary}@{canary}.example", {"Idempotency-Key": canary}
    contact = {"values": {"LastName": canary, "Email": address}}
    made = alice.call("POST", "sidebar/records/Contact/", json=contact, headers=key)
    assert made.status_code == 201
    assert alice.people([address, "jane.doe@northwind.example"]).status_code == 200
    alice.call("PATCH", f"sidebar/records/Contact/{made.json()['id']}/", json={"values": {canary: 1}}, headers=key)
    for path in (f"sidebar/search/?q={canary}", f"sidebar/forms/{canary}/", f"{quote(address)}/", f"members/{canary}/"):
        alice.call("GET", path)
    alice.call("GET", f"sidebar/forms/Contact/{canary}/")
    alice.call("GET", "sidebar/forms/Contact/003000000000001/")
    alice.call("POST", "sidebar/people/", data=canary.encode(), headers={"Content-Type": canary})
    alice.call("POST", "domains/", json={"name": f"{canary}.example", canary: canary})
    assert alice.call("POST", "invitations/", json={"username": address}).status_code == 201
    leave_traces_as_a_stranger(stack.public_url, canary)
    browser = sign_in_anew(stack, "acme", "bob")
    browser.token(grant_type="refresh_token", refresh_token=browser.tokens["refresh_token"])
    for provider in ("google", "microsoft"):
        answer = {"state": canary, "code": canary, "error": canary, "error_description": canary, "iss": canary}
        for path in (f"connect/{provider}/callback/", f"connect/{provider}/"):
            browser.browser.session.get(f"{stack.public_url}/{path}", params=answer, timeout=30)


def leave_traces_as_a_stranger(url: str, canary: str) -> None:
    requests.get(f"{url}/{canary}/?{canary}={canary}", timeout=30)
    requests.get(f"{url}/api/v1/me/", headers={"Authorization": f"Bearer {canary}"}, timeout=30)
    requests.get(f"{url}/api/v1/me/?access_token={canary}", timeout=30)
    requests.get(f"{url}/dashboard/", headers={"Host": f"{canary}.example"}, timeout=30)
    requests.get(f"{url}/connect/salesforce/?login={canary}&next=/{canary}", timeout=30)
    requests.get(f"{url}/connect/salesforce/callback/?state={canary}&code={canary}&error={canary}", timeout=30)
    requests.get(f"{url}/o/authorize/?client_id={canary}&redirect_uri={canary}", timeout=30)
    requests.post(f"{url}/connect/salesforce/", data={"address": canary}, headers={"Origin": canary}, timeout=30)
    requests.post(f"{url}/connect/salesforce/", data={"password": canary}, timeout=30)
    for door, name in (
        ("token", "code"),
        ("token", "refresh_token"),
        ("revoke_token", "token"),
        ("introspect", "token"),
    ):
        form = {"grant_type": "refresh_token", "client_id": canary, "client_secret": canary, name: canary}
        requests.post(f"{url}/o/{door}/", data=form, auth=(canary, canary), timeout=30)
