"""Whose grant it is, when it ends, what it may cost, and passing faults, against the simulated Salesforce."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from providers.base import Priority
from providers.errors import NeedsReconnect, NotFound, PermissionMissing, RateLimited, Rejected, Transient
from providers.salesforce import hosts, identity
from providers.salesforce.budget import ApiBudget
from providers.salesforce.crm import SalesforceCrm
from providers.salesforce.oauth import OAUTH
from tests.providers.simulated import (
    JANE,
    VERSION,
    Memory,
    Someone,
    paths,
    session_for,
    sign_in,
    someone,
)
from tests.simulators.running import Running


def test_a_dead_session_is_renewed_once(salesforce: Running) -> None:
    """C13."""
    erin = someone(salesforce, "erin")
    salesforce.sim("tokens/expire", {"all": True})
    assert erin.crm.find_people([JANE])[JANE].people
    assert erin.tokens.renewals == 1


def test_revoked_at_salesforce(salesforce: Running) -> None:
    """C17: at most one further attempt, then the person is needed."""
    erin = someone(salesforce, "erin")
    salesforce.sim("users/erin", {"revoke": True})
    salesforce.reset(only=["calls"])
    with pytest.raises(NeedsReconnect, match="revoked or has expired"):
        erin.crm.find_people([JANE])
    assert len(salesforce.calls(counted=False)) <= 2


def test_disconnecting_revokes(salesforce: Running) -> None:
    """C17."""
    erin = someone(salesforce, "erin")
    refresh_token = erin.tokens.current.refresh_token
    assert refresh_token is not None
    server = OAUTH.server(salesforce.org()["api_url"], erin.session)
    OAUTH.revoke(server, refresh_token, erin.session)
    OAUTH.revoke(server, refresh_token, erin.session)
    with pytest.raises(NeedsReconnect):
        erin.crm.find_people([JANE])


def test_background_sheds_and_clicks_do_not(salesforce: Running, alice: Someone) -> None:
    salesforce.sim("limits", {"used": 690, "max": 1000})
    alice.crm.find_people([JANE])
    assert (alice.budget._used, alice.budget._limit) == (691, 1000)
    for _ in range(9):
        alice.crm.find_people([JANE], priority=Priority.PREFETCH)
    with pytest.raises(RateLimited):
        alice.crm.find_people([JANE], priority=Priority.PREFETCH)
    assert alice.budget._used == 700
    assert alice.crm.find_people([JANE])[JANE].people


def test_the_day_is_used_up(salesforce: Running, alice: Someone) -> None:
    salesforce.sim("limits", {"used": 1000, "max": 1000})
    with pytest.raises(RateLimited) as refusal:
        alice.crm.find_people([JANE])
    assert refusal.value.daily
    salesforce.sim("limits", {"used": 0, "max": 100_000})


def test_a_crawling_answer_ends_in_time(salesforce: Running) -> None:
    """FT21: one byte a second."""
    alice = someone(salesforce, "alice", read_seconds=1.0, total_seconds=1.5)
    salesforce.sim("faults", {"path": "/services/data", "bytes_per_second": 1})
    started = time.monotonic()
    with pytest.raises(Transient):
        alice.crm.find_people([JANE])
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200, "body": "<html>login</html>"},
        {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}]},
        {"cut_after": 40},
        {"status": 200, "body": {"compositeResponse": [{}]}},
        {
            "status": 200,
            "body": {"compositeResponse": [{"referenceId": "contacts", "httpStatusCode": 200, "body": []}]},
        },
        {"status": 200, "body": []},
        {"status": 302, "body": "", "headers": {"Location": "https://169.254.169.254/"}},
    ],
)
def test_passing_faults_are_typed_and_not_repeated(
    salesforce: Running, alice: Someone, fault: dict[str, object]
) -> None:
    """FT23: one call, one typed failure."""
    salesforce.sim("faults", {"path": "/services/data", **fault})
    with pytest.raises(Transient):
        alice.crm.find_people([JANE])
    assert len(salesforce.calls(counted=False)) <= 1
    assert alice.crm.find_people([JANE])[JANE].people


def test_identity_says_who_where_and_with_what_rights(salesforce: Running) -> None:
    """C11, C23, C24."""
    session = session_for(salesforce)
    tokens = sign_in(salesforce, session, "bob")
    facts = salesforce.org()
    found = identity.identify(tokens.current, session, api_version=VERSION)
    user = next(user for user in facts["users"] if user["key"] == "bob")
    assert (found.salesforce_org_id, found.salesforce_user_id) == (facts["salesforce_org_id"], user["id"])
    assert (found.username, found.name, found.email) == (user["username"], user["name"], user["email"])
    assert (found.organization_name, found.is_sandbox, found.is_administrator) == (facts["name"], False, False)
    assert (found.profile, found.time_zone, found.locale, found.language) == (
        "Sales Rep",
        "Europe/Berlin",
        "de_DE",
        "de",
    )
    admin = identity.identify(sign_in(salesforce, session, "alice").current, session, api_version=VERSION)
    assert admin.is_administrator
    assert admin.permission_sets
    assert len([path for path in paths(salesforce) if path.endswith("composite/")]) == 2


def test_sandbox(salesforce: Running) -> None:
    """C5."""
    session = session_for(salesforce)
    sandbox = salesforce.login_host("test")["login_url"]
    tokens = sign_in(salesforce, session, "alice", "sandbox", at=sandbox)
    found = identity.identify(tokens.current, session, api_version=VERSION)
    assert found.is_sandbox
    assert (
        found.salesforce_org_id
        == salesforce.org("sandbox")["salesforce_org_id"]
        != salesforce.org()["salesforce_org_id"]
    )
    assert tokens.current.api_url == salesforce.org("sandbox")["api_url"]


def test_a_partner_signs_in_through_a_site(salesforce: Running) -> None:
    """C6: Experience Cloud, below its path; what the licence does not show is simply less."""
    session = session_for(salesforce)
    site = salesforce.org()["site"]["login_url"]
    tokens = sign_in(salesforce, session, "pat", at=site)
    found = identity.identify(tokens.current, session, api_version=VERSION, login_url=site)
    assert (found.user_type.lower(), found.is_administrator) == ("powerpartner", False)
    store = Memory()
    crm = SalesforceCrm(tokens, store, ApiBudget(), session, VERSION)
    assert crm.find_people(["quentin.quill@partner-co.example"])["quentin.quill@partner-co.example"].people
    assert crm.find_people([JANE])[JANE].people == ()


def test_anothers_identity_is_refused(salesforce: Running) -> None:
    """C11: the identity URL must be the token's own."""
    session = session_for(salesforce)
    alice, bob = (sign_in(salesforce, session, user).current for user in ("alice", "bob"))
    with pytest.raises((Rejected, PermissionMissing, NotFound, NeedsReconnect)):
        identity.identify(replace(alice, identity=bob.identity), session, api_version=VERSION)


def test_an_identity_that_speaks_of_another_is_refused(salesforce: Running, alice: Someone) -> None:
    """C11: the id in the token answer and the identity service must say the same."""
    facts = salesforce.org()
    bob = next(user["id"] for user in facts["users"] if user["key"] == "bob")
    claims = {"organization_id": facts["salesforce_org_id"], "user_id": bob}
    salesforce.sim("faults", {"path": "/id/", "status": 200, "body": claims})
    with pytest.raises(Rejected, match="another person"):
        identity.identify(alice.tokens.current, alice.session, api_version=VERSION)


def test_a_user_without_the_api_right_is_told_plainly(salesforce: Running) -> None:
    session = session_for(salesforce)
    tokens = sign_in(salesforce, session, "dana")
    with pytest.raises(PermissionMissing, match="API access is switched off"):
        identity.identify(tokens.current, session, api_version=VERSION)


def test_pages_of_the_simulated_org(salesforce: Running) -> None:
    session = session_for(salesforce)
    facts = salesforce.org()
    server = OAUTH.server(facts["api_url"], session)
    assert (
        hosts.page_url(facts["api_url"], server.authorization_endpoint, session.settings.origins) == facts["pages_url"]
    )
    assert urlsplit(server.token_endpoint).scheme == "https"
