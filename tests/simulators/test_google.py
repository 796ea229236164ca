"""The simulated Google over HTTP: consent by ticks, when there is a refresh token, what ends it, and how it is said."""

import base64
import json
from typing import Any

import pytest

from tests.simulators.mail_providers import CALENDAR, GMAIL, SCOPES, MailProvider, simulated
from tests.simulators.running import new_session

BASE = "https://www.googleapis.com/auth/userinfo."
SIGN_IN = ["openid", f"{BASE}email", f"{BASE}profile"]
BOTH = f"{SCOPES['google']} {GMAIL} {CALENDAR}"
EXPIRED = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
DAY = 86_400


def claims_of(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def userinfo(google: MailProvider, tokens: dict[str, Any]) -> Any:
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    return google.http.get(google.metadata()["userinfo_endpoint"], headers=bearer, timeout=10)


def revoke(google: MailProvider, token: str) -> Any:
    return google.http.post(google.metadata()["revocation_endpoint"], data={"token": token}, timeout=10)


# -- answers ------------------------------------------------------------------------------------------------------


def test_the_token_answer(google: MailProvider) -> None:
    code = google.authorize("alice", nonce="n")
    assert (code.query["state"], code.query["hd"], code.query["prompt"]) == ("s", "acme.example", "consent")
    assert code.query["scope"].split() == SIGN_IN
    tokens = google.exchange(code).json()
    names = {"access_token", "expires_in", "refresh_token", "scope", "token_type", "id_token"}
    assert (set(tokens), tokens["expires_in"], tokens["token_type"]) == (names, 3599, "Bearer")
    assert tokens["scope"].split() == SIGN_IN
    claims = claims_of(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (google.info["api_url"], google.info["client_id"], "n")
    assert (claims["email"], claims["email_verified"], claims["hd"]) == ("alice@acme.example", True, "acme.example")
    assert userinfo(google, tokens).json()["sub"] == claims["sub"]


def test_a_consumer_has_no_hosted_domain(google: MailProvider) -> None:
    tokens = google.tokens("casey")
    assert "hd" not in claims_of(tokens["id_token"])


def test_a_refresh_keeps_the_refresh_token_and_names_the_person_again(google: MailProvider) -> None:
    tokens = google.tokens("alice")
    answer = google.refresh(tokens).json()
    assert set(answer) == {"access_token", "expires_in", "scope", "token_type", "id_token"}
    assert claims_of(answer["id_token"])["sub"] == claims_of(tokens["id_token"])["sub"]
    assert google.refresh(tokens).status_code == 200


# -- when there is a refresh token --------------------------------------------------------------------------------


def test_a_refresh_token_only_with_a_consent_just_given(google: MailProvider) -> None:
    assert "refresh_token" in google.tokens("alice")
    assert "refresh_token" not in google.tokens("alice")
    assert "refresh_token" in google.tokens("alice", prompt="consent")
    assert "refresh_token" not in google.tokens("bob", access_type="online")


def test_testing_mode_ends_refresh_tokens_after_seven_days(google: MailProvider) -> None:
    testing = {"client_id": google.info["client_id"], "publishing": "testing", "test_users": ["alice"]}
    google.sim("apps", testing)
    tokens = google.tokens("alice", scope=f"{SCOPES['google']} {GMAIL}")
    assert tokens["refresh_token_expires_in"] == 7 * DAY - 1
    google.sim("clock", {"advance": 6 * DAY})
    assert google.refresh(tokens).status_code == 200
    google.sim("clock", {"advance": 1.1 * DAY})
    answer = google.refresh(tokens)
    assert (answer.status_code, answer.json()) == (400, EXPIRED)
    stranger = google.walk("bob")
    assert stranger.status == 403
    assert "Error 403: access_denied" in stranger.text


def test_six_months_unused_end_a_grant_and_use_keeps_it(google: MailProvider) -> None:
    used, unused = google.tokens("alice"), google.tokens("bob")
    google.sim("clock", {"advance": 100 * DAY})
    assert google.refresh(used).status_code == 200
    google.sim("clock", {"advance": 100 * DAY})
    assert google.refresh(used).status_code == 200
    assert google.refresh(unused).json() == EXPIRED


def test_the_hundred_and_first_refresh_token_ends_the_first_silently(google: MailProvider) -> None:
    google.sim("apps", {"client_id": google.info["client_id"], "most_refresh_tokens": 3})
    browser = new_session("")
    grants = [google.tokens("alice", prompt="consent", browser=browser) for _ in range(4)]
    assert [google.refresh(each).status_code for each in grants] == [400, 200, 200, 200]
    assert userinfo(google, grants[0]).status_code == 200, "the access token lives on until it runs out"
    assert google.refresh(google.tokens("bob")).status_code == 200


# -- consent ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tick", "granted"), [((GMAIL,), {GMAIL}), ((), set()), (("all",), {GMAIL, CALENDAR}), ((CALENDAR,), {CALENDAR})]
)
def test_only_what_was_ticked_is_granted(google: MailProvider, tick: tuple[str, ...], granted: set[str]) -> None:
    tokens = google.tokens("alice", scope=BOTH, tick=tick)
    assert set(tokens["scope"].split()) == {*SIGN_IN, *granted}


def test_a_single_scope_has_no_box(google: MailProvider) -> None:
    assert GMAIL in google.tokens("alice", scope=f"openid {GMAIL}", tick=())["scope"].split()


def test_incremental_consent_adds_what_was_granted_before(google: MailProvider) -> None:
    google.tokens("alice", scope=f"openid {GMAIL}")
    apart = google.tokens("alice", scope=f"openid {CALENDAR}")
    assert GMAIL not in apart["scope"].split()
    together = google.tokens("alice", scope=f"openid {CALENDAR}", include_granted_scopes="true")
    assert {GMAIL, CALENDAR} <= set(together["scope"].split())


def test_saying_no_goes_back_to_the_app(google: MailProvider) -> None:
    assert google.walk("alice", allow=False).query == {"error": "access_denied", "state": "s"}


@pytest.mark.parametrize("hint", ["bob@acme.example", "no-one@acme.example"])
def test_a_hint_chooses_among_accounts_that_are_signed_in(google: MailProvider, hint: str) -> None:
    browser = new_session("")
    for user in ("alice", "bob"):
        google.walk(user, browser=browser, prompt="select_account")
    walked = google.walk("alice", browser=browser, login_hint=hint)
    assert walked.pages == ([] if hint.startswith("bob") else ["Choose an account"])


def test_prompts(google: MailProvider) -> None:
    browser = new_session("")
    assert google.walk("alice", browser=browser, prompt="none").query["error"] == "interaction_required"
    google.walk("alice", browser=browser)
    assert "code" in google.walk("alice", browser=browser, prompt="none").query
    assert google.walk("alice", browser=browser).pages == []
    assert google.walk("alice", browser=browser, prompt="select_account").pages == ["Choose an account"]
    elsewhere = google.walk("alice", browser=browser, hd="globex.example")
    assert elsewhere.pages == ["Choose an account"], "alice is not of that domain"


# -- who is kept out ----------------------------------------------------------------------------------------------


def test_an_administrator_who_blocks_apps(google: MailProvider) -> None:
    walked = google.walk("nina")
    assert (walked.status, walked.query) == (400, {})
    assert "Error 400: admin_policy_enforced" in walked.text
    tokens = google.tokens("alice", scope=f"openid {GMAIL}")
    google.sim("workspaces/acme.example", {"blocked_scopes": [GMAIL]})
    assert google.refresh(tokens).json()["error"] == "admin_policy_enforced"
    assert "admin_policy_enforced" in google.walk("bob", scope=f"openid {GMAIL}").text
    assert "code" in google.walk("bob", scope="openid").query


def test_an_internal_app(google: MailProvider) -> None:
    google.sim("apps", {"client_id": google.info["client_id"], "publishing": "internal"})
    assert "code" in google.walk("alice").query
    assert "Error 403: org_internal" in google.walk("charlie").text


def test_an_embedded_browser(google: MailProvider) -> None:
    browser = new_session("")
    browser.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36"
    assert "Error 403: disallowed_useragent" in google.walk("alice", browser=browser).text


@pytest.mark.parametrize(
    ("changes", "status", "name"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": "http://localhost:8000/elsewhere/"}, 400, "redirect_uri_mismatch"),
        ({"scope": ""}, 400, "invalid_request"),
        ({"scope": "openid https://www.googleapis.com/auth/nonsense"}, 400, "invalid_scope"),
        ({"response_type": "nonsense"}, 400, "invalid_request"),
        ({"prompt": "none consent"}, 400, "invalid_request"),
    ],
)
def test_a_wrong_request_is_told_to_the_person(
    google: MailProvider, changes: dict[str, str], status: int, name: str
) -> None:
    walked = google.walk("alice", url=google.authorization_url(**changes))
    assert (walked.status, walked.query) == (status, {})
    assert f"Error {status}: {name}" in walked.text


# -- refusals of the token endpoint -------------------------------------------------------------------------------


def test_codes(google: MailProvider) -> None:
    code = google.authorize("alice")
    wrong = google.exchange(code, code_verifier="w" * 43)
    assert wrong.json() == {"error": "invalid_grant", "error_description": "Invalid code verifier."}
    assert google.exchange(code, code_verifier="").json()["error_description"] == "Missing code verifier."
    assert google.exchange(code, redirect_uri="http://localhost:8000/").json()["error"] == "redirect_uri_mismatch"
    assert google.exchange(code).status_code == 200
    assert google.exchange(code).json() == {"error": "invalid_grant", "error_description": "Bad Request"}
    assert google.exchange(code, code="4/0Anonsense").json()["error_description"] == "Malformed auth code."


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"refresh_token": "1//0nonsense"}, 400, "invalid_grant"),
        ({"refresh_token": ""}, 400, "invalid_request"),
    ],
)
def test_token_refusals(google: MailProvider, form: dict[str, str], status: int, error: str) -> None:
    answer = google.token(**{"grant_type": "refresh_token", "refresh_token": "1//0x", **form})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_refresh_token_of_another_client(google: MailProvider) -> None:
    google.sim("apps", {"client_id": "other", "client_secret": "other-secret"})
    answer = google.refresh(google.tokens("alice"), client_id="other", client_secret="other-secret")
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized_client")


def test_sessions_that_an_administrator_limits(google: MailProvider) -> None:
    tokens = google.tokens("alice")
    google.sim("workspaces/acme.example", {"reauth_seconds": 3600})
    google.sim("clock", {"advance": 3601})
    answer = google.refresh(tokens).json()
    assert (answer["error"], answer["error_subtype"]) == ("invalid_grant", "invalid_rapt")


# -- what ends a grant --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoking_one_token_ends_every_grant_of_the_two(google: MailProvider, which: str) -> None:
    """developers.google.com/identity/protocols/oauth2/web-server: "access to all of that authorization's scopes on
    behalf of the associated user are revoked simultaneously"."""
    older, newer, other = google.tokens("alice"), google.tokens("alice", prompt="consent"), google.tokens("bob")
    answer = revoke(google, older[which])
    assert (answer.status_code, answer.json()) == (200, {})
    assert google.refresh(newer).json() == EXPIRED
    assert userinfo(google, newer).status_code == 401
    assert google.refresh(other).status_code == 200
    assert revoke(google, older[which]).json() == {
        "error": "invalid_token",
        "error_description": "Token expired or revoked",
    }
    assert google.walk("alice").pages[-1].startswith("Email sidebar"), "consent is asked anew"


def test_a_new_password_ends_grants_with_mail_only(google: MailProvider) -> None:
    mail = google.tokens("alice", scope=f"openid {GMAIL}")
    calendar = google.tokens("alice", scope=f"openid {CALENDAR}", prompt="consent")
    google.sim("users/alice", {"password": "new"})
    assert google.refresh(mail).json() == EXPIRED
    assert google.refresh(calendar).status_code == 200


def test_a_suspended_account(google: MailProvider) -> None:
    tokens = google.tokens("bob")
    google.sim("users/bob", {"active": False})
    assert google.refresh(tokens).json() == EXPIRED
    assert userinfo(google, tokens).status_code == 401


def test_access_tokens_run_out(google: MailProvider) -> None:
    tokens = google.tokens("alice")
    google.sim("clock", {"advance": 3600})
    assert userinfo(google, tokens).status_code == 401
    google.sim("limits", {"expires_in": 60})
    assert google.refresh(tokens).json()["expires_in"] == 60


# -- the simulator itself -----------------------------------------------------------------------------------------


def test_grants_outlive_a_restart_and_the_authority_is_shared(tmp_path: Any) -> None:
    ca = ("--ca", str(tmp_path / "ca"))
    with simulated("google", *ca, directory=tmp_path / "g") as first:
        tokens, key = first.tokens("alice"), first.http.get(first.metadata()["jwks_uri"], timeout=10).json()
        with simulated("microsoft", *ca, directory=tmp_path / "m") as other:
            assert other.info["ca"] == first.info["ca"]
            assert first.http.get(other.info["graph_url"] + "/v1.0/me", timeout=10).status_code == 401
    with simulated("google", *ca, directory=tmp_path / "g") as second:
        assert second.refresh(tokens).status_code == 200
        assert second.http.get(second.metadata()["jwks_uri"], timeout=10).json() == key


def test_the_log_holds_no_token(google: MailProvider) -> None:
    tokens = google.tokens("alice")
    google.refresh(tokens)
    userinfo(google, tokens)
    told = json.dumps([google.sim("calls"), google.sim("state"), google.sim("ledger")])
    secrets = [tokens["access_token"], tokens["refresh_token"], google.info["client_secret"]]
    assert not [secret for secret in secrets if secret in told]
    last = google.sim("calls")["calls"][-1]
    assert (last["path"], last["user"], last["status"]) == ("/v1/userinfo", "alice", 200)


def test_the_issuer_is_announced_when_told(google: MailProvider) -> None:
    assert "iss" not in google.authorize("alice").query
    google.sim("metadata", {"iss": True})
    assert google.authorize("alice").query["iss"] == google.metadata()["issuer"]


def test_somebody_who_was_hired_signs_in_until_the_reset(google: MailProvider) -> None:
    person = {"key": "hired", "first": "Hal", "last": "Hired", "email": "hal@acme.example"}
    (subject,) = google.sim("people", {"people": [person]})["ids"]
    tokens = google.tokens("hired")
    claims = claims_of(tokens["id_token"])
    assert subject in (claims["sub"], claims.get("oid"))
    google.sim("reset", {})
    assert google.refresh(tokens).status_code == 400
