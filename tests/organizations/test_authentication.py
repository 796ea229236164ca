"""Bearer tokens on the API and sessions on pages: checked from RAM, dropped when anything changes."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone
from oauth2_provider.models import AccessToken
from pytest_django import DjangoAssertNumQueries, Settings

from organizations import authentication, epochs, membership, policy
from organizations.models import Member, Role
from organizations.ramcache import RamCache
from tests.organizations import people

pytestmark = pytest.mark.django_db


def test_a_warm_check_makes_no_query(bob: Member, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """The warm path (docs/figures.md) makes no query at all, up to and including the answer of me/."""
    api = people.api(bob)
    assert api.call("get", "me/").status_code == 200
    with django_assert_num_queries(0):
        assert api.call("get", "me/").status_code == 200


def test_the_cache_holds_no_token(bob: Member) -> None:
    token = people.tokens_for(bob)["access_token"]
    checked = authentication.check(token)
    assert checked is not None
    assert token not in repr(checked)
    assert checked.member == bob


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", None),
        ("Bearer", None),
        ("Bearer ", "invalid_token"),
        ("Bearer nonsense", "invalid_token"),
        ("Bearer " + "x" * 10_000, "invalid_token"),
        ("Bearer \xff\xfe", "invalid_token"),
        ("Bearer a b", "invalid_token"),
        ("Basic YTpi", None),
        ("Token x", None),
    ],
)
def test_what_is_no_token(header: str, reason: str | None, everybody: Any) -> None:
    """RFC 6750 3.1: a reason only where a token was sent."""
    response = people.browser().get("/api/v1/me/", headers={"Authorization": header} if header else {})
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    challenge = response["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="api"')
    assert (f'error="{reason}"' in challenge) if reason else ("error=" not in challenge)


def test_tokens_count_in_the_header_only(bob: Member) -> None:
    """BI-B13: not in the query, not in the body, not even beside a good header."""
    token = people.tokens_for(bob)["access_token"]
    assert people.browser().get(f"/api/v1/me/?access_token={token}").status_code == 401
    assert people.Api(token).client.get(f"/api/v1/me/?access_token={token}").status_code == 401
    body = {"access_token": token, "values": {}}
    assert people.browser().patch("/api/v1/policy/", body, content_type="application/json").status_code == 401


def test_a_token_of_another_kind_is_none(bob: Member) -> None:
    """BI-B4: a refresh token or a code is no access token."""
    held = people.tokens_for(bob)
    assert people.Api(held["refresh_token"]).call("get", "me/").status_code == 401


def test_a_session_is_not_taken_on_the_api(bob: Member) -> None:
    assert people.sign_in(bob).get("/api/v1/me/").status_code == 401


def test_a_wrong_scope_is_a_403(bob: Member) -> None:
    held = people.tokens_for(bob)
    AccessToken.objects.update(scope="other")
    response = people.Api(held["access_token"]).call("get", "me/")
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response["WWW-Authenticate"]
    assert response["Content-Type"] == "application/problem+json"


def test_never_beyond_the_tokens_own_end(bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    api = people.api(bob)
    assert api.call("get", "me/").status_code == 200
    now = time.time()
    monkeypatch.setattr("organizations.authentication.time.time", lambda: now + 601)
    assert api.call("get", "me/").status_code == 401


def test_never_longer_than_thirty_seconds(bob: Member) -> None:
    """A revocation that no epoch announces (a row deleted by hand) counts after 30 s at the latest."""
    assert authentication.LIFETIME <= 30
    cache: RamCache[str, int] = RamCache(maxsize=2, ttl=0.05)
    cache.get_or_load("a", lambda: 1)
    time.sleep(0.06)
    assert cache.get("a") is None


@pytest.mark.parametrize("what", ["token", "member", "organization", "*"])
def test_epochs_empty_it(what: str, bob: Member) -> None:
    api = people.api(bob)
    assert api.call("get", "me/").status_code == 200
    AccessToken.objects.all().delete()
    assert api.call("get", "me/").status_code == 200
    keys = {"organization": bob.organization_id, "*": "*"}
    epochs.notify("token" if what == "*" else what, str(keys.get(what, bob.pk)))
    assert api.call("get", "me/").status_code == 401


def test_other_peoples_epochs_do_not(bob: Member, charlie: Member) -> None:
    api = people.api(bob)
    assert api.call("get", "me/").status_code == 200
    AccessToken.objects.all().delete()
    for kind, key in (("token", charlie.pk), ("member", charlie.pk), ("organization", charlie.organization_id)):
        epochs.notify(kind, str(key))
    assert api.call("get", "me/").status_code == 200


def test_a_slow_read_cannot_bring_back_what_was_dropped() -> None:
    """The race of a cache miss with a revocation: read before, arriving after."""
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)

    def slow() -> str:
        cache.drop(lambda key, _: key == "token")
        return "old"

    assert cache.get_or_load("token", slow) == "old"
    assert cache.get("token") is None


def test_an_inactive_member_is_out_at_once(alice: Member, bob: Member) -> None:
    api = people.api(bob)
    assert api.call("get", "me/").status_code == 200
    membership.change_active(alice, bob, False)
    assert api.call("get", "me/").status_code == 401


def test_off_the_whitelist_is_out_at_once(alice: Member, bob: Member) -> None:
    """Only listed Salesforce users may use the product."""
    api, browser = people.api(bob), people.sign_in(bob)
    assert api.call("get", "me/").status_code == 200
    policy.set_organization_value(alice, alice.organization_id, "access.whitelist", ["ALICE@acme.example"])
    assert api.call("get", "me/").status_code == 401
    assert people.ask(browser, people.pkce())["Location"].startswith("/connect/")
    assert people.api(alice).call("get", "me/").status_code == 200


def test_a_new_role_counts_at_once(alice: Member, bob: Member) -> None:
    api = people.api(bob)
    assert api.call("get", "members/").status_code == 403
    membership.change_role(alice, bob, Role.MANAGER)
    assert api.call("get", "members/").status_code == 200


@pytest.mark.parametrize("event", ["role", "deactivation", "disconnect"])
def test_old_sessions_end(event: str, alice: Member, bob: Member) -> None:
    """BI-G10: after a change of role, deactivation or disconnect a browser session is worth nothing."""
    browser = people.sign_in(bob)
    assert "code" in people.answer_of(people.ask(browser, people.pkce()))
    if event == "role":
        membership.change_role(alice, bob, Role.ADMIN)
    elif event == "deactivation":
        membership.change_active(alice, bob, False)
    else:
        membership.unconfirm(bob.pk)
    assert people.ask(browser, people.pkce())["Location"].startswith("/connect/")


def test_nobody_signs_in_with_a_password(bob: Member) -> None:
    """C2: no column, no backend, no form takes one."""
    assert authentication.MemberBackend().authenticate(None, username=bob.username, password="x") is None
    assert not [field.name for field in Member._meta.get_fields() if "pass" in field.name]


def test_sign_in_gets_a_new_session_key(bob: Member) -> None:
    """BI-G10: no session fixation."""
    browser = people.browser()
    browser.session["seen"] = True
    before = browser.session.session_key
    browser.force_login(bob)
    assert browser.session.session_key != before


def test_an_expired_token_is_refused_cold(bob: Member) -> None:
    token = people.tokens_for(bob)["access_token"]
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert authentication.check(token) is None


@pytest.mark.django_db(transaction=True)
def test_many_threads_one_answer(bob: Member, settings: Settings) -> None:
    token = people.tokens_for(bob)["access_token"]
    found: list[Any] = []

    def run() -> None:
        try:
            for _ in range(50):
                checked = authentication.check(token)
                found.append(checked and checked.member.pk)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [bob.pk] * 400
