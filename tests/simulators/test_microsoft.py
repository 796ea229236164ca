"""The simulated Microsoft over HTTP: tenants, rotation without revocation, policies, and how its errors are said."""

import base64
import json
import re
from typing import Any

import pytest

from tests.simulators.mail_providers import MailProvider
from tests.simulators.running import new_session
from tests.simulators.test_google import claims_of

CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
DAY = 86_400
MAIL = "openid profile email offline_access User.Read Mail.Read"


def graph(microsoft: MailProvider, tokens: dict[str, Any], path: str = "/v1.0/me", post: bool = False) -> Any:
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    url = microsoft.info["graph_url"] + path
    return (microsoft.http.post if post else microsoft.http.get)(url, headers=bearer, timeout=10)


def tenant(microsoft: MailProvider, domain: str = "acme.example") -> str:
    return next(str(each["id"]) for each in microsoft.info["tenants"] if each["domain"] == domain)


# -- answers ------------------------------------------------------------------------------------------------------


def test_the_token_answer(microsoft: MailProvider) -> None:
    code = microsoft.authorize("alice", nonce="n", scope="openid profile email offline_access user.read MAIL.READ")
    assert set(code.query) == {"code", "state", "session_state"}
    tokens = microsoft.exchange(code, client_info="1").json()
    assert tokens["scope"].split() == ["Mail.Read", "User.Read", "email", "openid", "profile"]
    assert 3600 <= tokens["expires_in"] == tokens["ext_expires_in"] <= 5399
    claims = claims_of(tokens["id_token"])
    issuer = f"{microsoft.info['api_url']}/{tenant(microsoft)}/v2.0"
    assert (claims["iss"], claims["tid"], claims["ver"], claims["nonce"]) == (issuer, tenant(microsoft), "2.0", "n")
    assert (claims["preferred_username"], claims["aud"]) == ("alice@acme.example", microsoft.info["client_id"])
    info = json.loads(base64.urlsafe_b64decode(tokens["client_info"] + "=="))
    assert info == {"uid": claims["oid"], "utid": claims["tid"]}
    assert graph(microsoft, tokens).json()["id"] == claims["oid"]
    assert set(graph(microsoft, tokens, "/v1.0/me?$select=id").json()) == {"@odata.context", "id"}


def test_scopes_come_back_with_the_resource_where_they_were_asked_so(microsoft: MailProvider) -> None:
    long = "https://graph.microsoft.com/mail.read"
    tokens = microsoft.tokens("alice", scope=f"openid offline_access {long}")
    assert tokens["scope"].split() == ["https://graph.microsoft.com/Mail.Read", "openid"]
    assert "offline_access" not in microsoft.refresh(tokens).json()["scope"]


def test_everything_consented_to_is_in_the_answer(microsoft: MailProvider) -> None:
    microsoft.tokens("alice", scope=MAIL)
    later = microsoft.tokens("alice", scope="openid offline_access Calendars.Read")
    assert {"Mail.Read", "Calendars.Read"} <= set(later["scope"].split())


def test_offline_access_is_what_gives_a_refresh_token(microsoft: MailProvider) -> None:
    assert "refresh_token" not in microsoft.tokens("alice", scope="openid User.Read")
    assert "refresh_token" in microsoft.tokens("alice", scope="openid User.Read offline_access")


def test_metadata_of_tenants_and_of_many(microsoft: MailProvider) -> None:
    many = microsoft.metadata()
    assert many["issuer"] == microsoft.info["api_url"] + "/{tenantid}/v2.0"
    assert "revocation_endpoint" not in many
    url = f"{microsoft.info['api_url']}/%s/v2.0/.well-known/openid-configuration"
    one = microsoft.http.get(url % "acme.example", timeout=10).json()
    assert one["issuer"] == f"{microsoft.info['api_url']}/{tenant(microsoft)}/v2.0"
    assert f"/{tenant(microsoft)}/" in one["token_endpoint"]
    nowhere = microsoft.http.get(url % "nowhere.example", timeout=10)
    assert (nowhere.status_code, nowhere.json()["error"]) == (400, "invalid_tenant")


# -- who may sign in where ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authority", "user", "enters"),
    [
        ("organizations", "alice", True),
        ("organizations", "casey", False),
        ("common", "casey", True),
        ("consumers", "casey", True),
        ("consumers", "alice", False),
        ("acme.example", "alice", True),
        ("acme.onmicrosoft.example", "bob", True),
        ("acme.example", "charlie", False),
    ],
)
def test_authorities(microsoft: MailProvider, authority: str, user: str, enters: bool) -> None:
    url = microsoft.authorization_url().replace("/organizations/", f"/{authority}/")
    assert ("code" in microsoft.walk(user, url=url).query) is enters


def test_a_personal_account_has_its_own_tenant(microsoft: MailProvider) -> None:
    url = microsoft.authorization_url().replace("/organizations/", "/common/")
    walked = microsoft.walk("casey", url=url)
    answer = microsoft.token(
        grant_type="authorization_code",
        code=walked.query["code"],
        redirect_uri=microsoft.redirect_uri,
        code_verifier="a-verifier-that-is-long-enough-for-anybody-0123456789",
    )
    assert claims_of(answer.json()["id_token"])["tid"] == CONSUMERS


# -- refresh tokens -----------------------------------------------------------------------------------------------


def test_a_refresh_replaces_the_token_and_the_old_one_stays_good(microsoft: MailProvider) -> None:
    """learn.microsoft.com/entra/identity-platform/refresh-tokens: old ones are not revoked when used."""
    first = microsoft.tokens("alice")
    second = microsoft.refresh(first).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert microsoft.refresh(first).status_code == microsoft.refresh(second).status_code == 200
    reports = microsoft.sim("state")["reuse_reports"]
    assert [report["killed"] for report in reports] == [False]


def test_ninety_days_end_a_refresh_token(microsoft: MailProvider) -> None:
    first = microsoft.tokens("alice")
    microsoft.sim("clock", {"advance": 60 * DAY})
    second = microsoft.refresh(first).json()
    microsoft.sim("clock", {"advance": 31 * DAY})
    assert microsoft.refresh(first).json()["error_codes"] == [700082]
    assert microsoft.refresh(second).status_code == 200


def refused(microsoft: MailProvider, tokens: dict[str, Any]) -> tuple[str, int, str]:
    body = microsoft.refresh(tokens).json()
    return body["error"], body["error_codes"][0], body.get("suberror", "")


def test_what_ends_a_grant(microsoft: MailProvider) -> None:
    tokens, other = microsoft.tokens("bob", scope=MAIL), microsoft.tokens("alice")
    microsoft.sim("users/bob", {"active": False})
    assert refused(microsoft, tokens) == ("invalid_grant", 50057, "")
    microsoft.sim("users/bob", {"active": True, "withdraw": True})
    assert refused(microsoft, tokens) == ("invalid_grant", 65001, "consent_required")
    assert graph(microsoft, tokens).status_code == 200, "an access token has no end but its time"
    microsoft.sim("users/bob", {"revoke": True})
    assert refused(microsoft, tokens) == ("invalid_grant", 50173, "bad_token")
    assert microsoft.refresh(other).status_code == 200
    assert microsoft.refresh(microsoft.tokens("bob")).status_code == 200


def test_revoking_sessions_through_graph_needs_an_administrators_scope(microsoft: MailProvider) -> None:
    tokens = microsoft.tokens("alice", scope=MAIL)
    assert graph(microsoft, tokens, "/v1.0/me/revokeSignInSessions", post=True).status_code == 403
    able = microsoft.tokens("alice", scope=f"{MAIL} User.RevokeSessions.All")
    assert graph(microsoft, able, "/v1.0/me/revokeSignInSessions", post=True).json()["value"] is True
    assert refused(microsoft, able) == refused(microsoft, tokens) == ("invalid_grant", 50173, "bad_token")
    assert refused(microsoft, {"refresh_token": "1.Anonsense"}) == ("invalid_grant", 70000, "bad_token")


def test_policies_of_the_tenant(microsoft: MailProvider) -> None:
    tokens, charlie = microsoft.tokens("bob"), microsoft.tokens("charlie")
    microsoft.sim("tenants/acme.example", {"mfa": True})
    assert refused(microsoft, tokens) == ("invalid_grant", 50076, "basic_action")
    walked = microsoft.walk("bob")
    assert "Approve sign in request" in walked.pages
    with_factor = microsoft.tokens("bob")
    assert microsoft.refresh(with_factor).status_code == 200
    microsoft.sim("tenants/acme.example", {"conditional_access": True})
    blocked = microsoft.refresh(with_factor).json()
    assert blocked["error_codes"] == [53003]
    assert "polids" in json.loads(blocked["claims"])["access_token"]
    assert "AADSTS53003" in microsoft.walk("bob").text
    assert microsoft.refresh(charlie).status_code == 200
    microsoft.sim("tenants/globex.example", {"sign_in_seconds": 3600})
    microsoft.sim("clock", {"advance": 3601})
    assert refused(microsoft, charlie) == ("invalid_grant", 70043, "token_expired")


def test_a_claims_challenge_of_graph_is_met_by_a_fresh_sign_in(microsoft: MailProvider) -> None:
    tokens = microsoft.tokens("bob")
    microsoft.sim("users/bob", {"challenge": True})
    answer = graph(microsoft, tokens)
    header = answer.headers["WWW-Authenticate"]
    assert (answer.status_code, 'error="insufficient_claims"' in header) == (401, True)
    encoded = re.search('claims="([^"]+)"', header)
    assert encoded
    claims = base64.b64decode(encoded[1]).decode()
    assert refused(microsoft, tokens)[1] == 50076
    fresh = microsoft.tokens("bob", claims=claims)
    assert graph(microsoft, fresh).status_code == 200


# -- consent ------------------------------------------------------------------------------------------------------


def test_a_tenant_where_people_may_not_consent(microsoft: MailProvider) -> None:
    walked = microsoft.walk("nina")
    assert walked.pages[-1] == "Need admin approval"
    assert walked.query["error"] == "access_denied"
    assert walked.query["error_description"].startswith("AADSTS90094")
    assert "code" in microsoft.walk("ada").query, "an administrator may, for himself"
    assert microsoft.walk("nina").query["error"] == "access_denied"


def test_an_administrator_consents_for_everybody(microsoft: MailProvider) -> None:
    browser = new_session("")
    url = microsoft.authorization_url()
    page = browser.get(url, timeout=10)
    request = re.search('name="request" value="([^"]*)"', page.text)
    assert request
    pages = microsoft.info["pages_url"]
    browser.post(f"{pages}/common/login", data={"request": request[1], "as": "ada"}, timeout=10)
    data = {"request": request[1], "decision": "allow", "for_all": "yes"}
    browser.post(f"{pages}/common/Consent/Set", data=data, allow_redirects=False, timeout=10)
    assert "code" in microsoft.walk("nina").query


def test_scopes_that_only_administrators_give(microsoft: MailProvider) -> None:
    assert microsoft.walk("bob", scope="openid User.Read.All").pages[-1] == "Need admin approval"
    assert "code" in microsoft.walk("alice", scope="openid User.Read.All").query


def test_saying_no_and_prompts(microsoft: MailProvider) -> None:
    browser = new_session("")
    declined = microsoft.walk("alice", allow=False, browser=browser)
    assert declined.query["error"] == "consent_required"
    assert declined.query["error_description"].startswith("AADSTS65004")
    assert microsoft.walk("alice", prompt="none", browser=browser).query["error_description"].startswith("AADSTS65001")
    assert microsoft.walk("alice", prompt="none").query["error"] == "login_required"
    microsoft.walk("alice", browser=browser)
    assert microsoft.walk("alice", browser=browser).pages == []
    assert microsoft.walk("alice", prompt="login", browser=browser).pages == ["Pick an account"]
    assert microsoft.walk("alice", prompt="consent", browser=browser).pages == ["Permissions requested"]


def test_the_answer_as_a_form(microsoft: MailProvider) -> None:
    walked = microsoft.walk("alice", response_mode="form_post")
    assert (walked.url, walked.query["state"]) == (microsoft.redirect_uri, "s")
    assert microsoft.walk("alice", response_mode="form_post", prompt="none").query["error"] == "login_required"


# -- errors -------------------------------------------------------------------------------------------------------


def test_the_shape_of_an_error(microsoft: MailProvider) -> None:
    answer = microsoft.token(grant_type="refresh_token", refresh_token="1.Anonsense")
    body = answer.json()
    assert answer.status_code == 400
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
    assert re.fullmatch(stamp, body["timestamp"])
    assert re.fullmatch(
        rf"AADSTS70000: .* Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']} Timestamp: {stamp}",
        body["error_description"],
    )
    assert body["error_uri"].endswith("/error?code=70000")


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"refresh_token": "nonsense"}, 400, "invalid_grant", 9002313),
    ],
)
def test_token_refusals(microsoft: MailProvider, form: dict[str, str], status: int, error: str, code: int) -> None:
    answer = microsoft.token(**{"grant_type": "refresh_token", "refresh_token": "1.Ax", **form})
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])


def test_a_secret_past_its_end(microsoft: MailProvider) -> None:
    tokens = microsoft.tokens("alice")
    microsoft.sim("apps", {"client_id": microsoft.info["client_id"], "secret_expired": True})
    answer = microsoft.refresh(tokens)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [7000222])


def test_codes(microsoft: MailProvider) -> None:
    code = microsoft.authorize("alice")
    assert microsoft.exchange(code, code_verifier="w" * 43).json()["error_codes"] == [501481]
    assert microsoft.exchange(code, redirect_uri="http://localhost:8000/").json()["error_codes"] == [500112]
    assert microsoft.exchange(code).status_code == 200
    assert microsoft.exchange(code).json()["error_codes"] == [54005]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"client_id": "nobody"}, 700016), ({"redirect_uri": "http://localhost:8000/elsewhere/"}, 50011)],
)
def test_a_wrong_client_or_address_is_told_to_the_person(
    microsoft: MailProvider, changes: dict[str, str], code: int
) -> None:
    walked = microsoft.walk("alice", url=microsoft.authorization_url(**changes))
    assert (walked.status, walked.query) == (400, {})
    assert f"AADSTS{code}" in walked.text


@pytest.mark.parametrize(
    ("changes", "error"), [({"scope": ""}, "invalid_request"), ({"scope": "openid Nonsense.Read"}, "invalid_client")]
)
def test_a_wrong_scope_goes_back_to_the_app(microsoft: MailProvider, changes: dict[str, str], error: str) -> None:
    assert microsoft.walk("alice", url=microsoft.authorization_url(**changes)).query["error"] == error


def test_there_is_no_revocation(microsoft: MailProvider) -> None:
    for path in ("/common/oauth2/v2.0/revoke", "/organizations/oauth2/v2.0/revoke"):
        assert microsoft.http.post(microsoft.info["api_url"] + path, data={"token": "x"}, timeout=10).status_code == 404


def test_the_log_holds_no_token(microsoft: MailProvider) -> None:
    tokens = microsoft.tokens("alice")
    microsoft.refresh(tokens)
    graph(microsoft, tokens)
    told = json.dumps([microsoft.sim("calls"), microsoft.sim("state"), microsoft.sim("ledger")])
    secrets = [tokens["access_token"], tokens["refresh_token"], microsoft.info["client_secret"]]
    assert not [secret for secret in secrets if secret in told]
    assert microsoft.sim("calls")["counted"] == 1


def test_somebody_who_was_hired_signs_in_until_the_reset(microsoft: MailProvider) -> None:
    person = {"key": "hired", "first": "Hal", "last": "Hired", "email": "hal@acme.example"}
    (subject,) = microsoft.sim("people", {"people": [person]})["ids"]
    tokens = microsoft.tokens("hired")
    claims = claims_of(tokens["id_token"])
    assert subject in (claims["sub"], claims.get("oid"))
    microsoft.sim("reset", {})
    assert microsoft.refresh(tokens).status_code == 400
