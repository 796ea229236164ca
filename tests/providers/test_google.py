"""Google's OAuth: what is asked for, what each answer means, and whose it is."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from providers import http, oauth
from providers.base import Secret
from providers.errors import (
    HostNotAllowed,
    NeedsReconnect,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from providers.google.oauth import OAUTH
from tests.providers.faulty import Faulty, Handler
from tests.providers.tokens import CALLBACK, CLIENT, SUBJECT, VERIFIER, answer, google_claims, id_token, raw

AUTH = "https://www.googleapis.com/auth/"
BASE = ("openid", f"{AUTH}userinfo.email", f"{AUTH}userinfo.profile")
MAIL, CALENDAR = f"{AUTH}gmail.readonly", f"{AUTH}calendar.events"
CANARY = "canary description of the provider"


@pytest.fixture(autouse=True)
def forget_metadata() -> Iterator[None]:
    oauth._metadata.clear()
    yield
    oauth._metadata.clear()


def metadata(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/o/oauth2/v2/auth",
        "token_endpoint": f"{url}/token",
        "revocation_endpoint": f"{url}/revoke",
        "userinfo_endpoint": f"{url}/v1/userinfo",
        **changes,
    }


@pytest.fixture
def google(server: Faulty, session: http.Session) -> oauth.Server:
    server.behave = lambda handler: handler.answer(200, metadata(server.url))
    found = OAUTH.server(server.url, session)
    server.seen.clear()
    return found


def exchange(google: oauth.Server, session: http.Session) -> Any:
    return OAUTH.exchange(
        google, CLIENT, code=Secret("canary-code"), code_verifier=VERIFIER, redirect_uri=CALLBACK, http=session
    )


def test_what_is_asked_for(google: oauth.Server) -> None:
    """C1, C64: offline, consent each time (else no second refresh token), PKCE S256, and never Drive."""
    request = OAUTH.authorize(google, CLIENT, CALLBACK, scopes=OAUTH.scopes_for({"email"}), login_hint=SUBJECT)
    sent = parse_qs(urlsplit(request.url).query)
    assert request.url.startswith(google.authorization_endpoint + "?")
    assert sent["access_type"] == ["offline"]
    assert sent["prompt"] == ["consent"]
    assert sent["include_granted_scopes"] == ["true"]
    assert sent["code_challenge_method"] == ["S256"]
    assert sent["login_hint"] == [SUBJECT]
    assert sent["nonce"] == [oauth.nonce_of(request.code_verifier)]
    assert sent["scope"] == [" ".join((*BASE, MAIL))]
    assert "canary" not in request.url
    for prompt in ("login", "select_account"):
        again = OAUTH.authorize(google, CLIENT, CALLBACK, scopes=BASE, prompt=prompt)
        assert parse_qs(urlsplit(again.url).query)["prompt"] == ["select_account consent"]


def test_scopes_follow_the_features() -> None:
    """C10: a scope is asked for only while its feature is on, and each says why."""
    assert OAUTH.scopes_for(()) == BASE
    assert OAUTH.scopes_for(["calendar"]) == (*BASE, CALENDAR)
    assert OAUTH.scopes_for({"email", "calendar"}) == (*BASE, MAIL, CALENDAR)
    everything = OAUTH.scopes_for({"email", "calendar", "drive", "files"})
    assert not any("drive" in scope for scope in everything)
    other = OAUTH.purpose_of("https://www.googleapis.com/auth/drive")
    purposes = [OAUTH.purpose_of(scope) for scope in everything]
    assert other not in purposes
    assert len(set(purposes)) == len(everything)
    assert OAUTH.purpose_of("email") == OAUTH.purpose_of(f"{AUTH}userinfo.email")


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (("openid", "email", "profile"), (MAIL,)),
        ((*BASE, MAIL), ()),
        ((*BASE, f"{AUTH}gmail.modify"), ()),
        ((*BASE, "https://mail.google.com/"), ()),
        ((*BASE, CALENDAR), (MAIL,)),
        ((*BASE, MAIL.upper()), (MAIL,)),
        ((*BASE, f"{AUTH}gmail.readonly.extra"), (MAIL,)),
        ((), (*BASE, MAIL)),
    ],
)
def test_scopes_that_were_unticked_are_missing(granted: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """C10: granular consent, and the OpenID names that come back as URLs."""
    assert OAUTH.missing((*BASE, MAIL), granted) == missing


def test_exchange(google: oauth.Server, session: http.Session, server: Faulty) -> None:
    body = answer(google_claims(server.url), scope=" ".join(BASE), refresh_token_expires_in=604799)
    server.behave = lambda handler: handler.answer(200, body)
    tokens = exchange(google, session)
    sent = parse_qs(server.seen[0].body.decode())
    assert sent["code_verifier"] == [VERIFIER.reveal()]
    assert sent["client_secret"] == ["canary-client-secret"]
    assert (tokens.identity, tokens.lifetime, tokens.refresh_lifetime) == (SUBJECT, 3599, 604799)
    assert (tokens.scopes, tokens.api_url) == (BASE, server.url)
    account = OAUTH.account(tokens, session)
    assert (account.subject, account.name, account.tenant) == (SUBJECT, "Canary Jane", "example.com")
    assert account.email == "canary.jane@example.com"
    assert "canary" not in repr(tokens).lower() + repr(account).lower()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": "accounts.google.com"},
        {"iss": None},
        {"aud": "client-2.apps.example"},
        {"aud": ["client-1.apps.example", "client-2.apps.example"]},
        {"aud": None},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": -(10**400)},
        {"sub": None},
        {"sub": ""},
        {"sub": 110169484474386276334},
        {"sub": "1" * 300},
    ],
)
def test_an_id_token_of_another_sign_in_names_nobody(
    google: oauth.Server, session: http.Session, server: Faulty, changes: dict[str, Any]
) -> None:
    """C11, BI-B15: the tokens are still handed over, so that they can be ended."""
    body = answer(google_claims(**{"issuer": server.url, **changes}))
    server.behave = lambda handler: handler.answer(200, body)
    tokens = exchange(google, session)
    assert (tokens.identity, tokens.account) == ("", None)
    assert tokens.refresh_token is not None
    with pytest.raises(Rejected, match="did not say who"):
        OAUTH.account(tokens, session)


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.b.c", "..", "a.!!.c", f"a.{'e' * 100_000}.c", 7, ["a"], "a.bnVsbA.c", "a.W10.c", "a.\ud800.c"],
)
def test_a_malformed_id_token_is_no_exception(
    google: oauth.Server, session: http.Session, server: Faulty, token: Any
) -> None:
    server.behave = lambda handler: handler.answer(200, answer(None, id_token=token))
    assert exchange(google, session).account is None


def test_a_clock_may_be_a_minute_wrong(google: oauth.Server, session: http.Session, server: Faulty) -> None:
    """V22."""
    server.behave = lambda handler: handler.answer(200, answer(google_claims(server.url, exp=int(time.time()) - 50)))
    assert exchange(google, session).identity == SUBJECT


def test_google_spells_its_issuer_in_two_ways(session: http.Session) -> None:
    """developers.google.com/identity/openid-connect/openid-connect: `iss` with and without https."""
    real = oauth.Server("https://accounts.google.com", "https://accounts.google.com", "", "", "")
    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert OAUTH._issued(real, google_claims(issuer))
    assert not OAUTH._issued(real, google_claims("https://accounts.google.com.evil.example"))
    assert not OAUTH._issued(replace(real, issuer="https://localhost:1"), google_claims("accounts.google.com"))
    assert oauth.is_expected_issuer(real, "https://accounts.google.com")
    assert oauth.is_expected_issuer(real, None)
    assert not oauth.is_expected_issuer(real, "https://login.microsoftonline.com")


def test_an_unverified_address_is_not_shown(google: oauth.Server, session: http.Session, server: Faulty) -> None:
    server.behave = lambda handler: handler.answer(200, answer(google_claims(server.url, email_verified="true")))
    assert OAUTH.account(exchange(google, session), session).email == ""


def test_an_answer_to_a_refresh() -> None:
    """V10, V11: no refresh token means the old one stays; the person may be named, or not."""
    named = OAUTH.parse(raw(200, answer(google_claims(), refresh_token=None)), ())
    assert (named.refresh_token, named.identity, named.api_url, named.lifetime) == (None, SUBJECT, "", 3599)
    assert OAUTH.parse(raw(200, answer(None)), ()).identity == ""
    assert OAUTH.same_person(SUBJECT, SUBJECT, ())
    assert not OAUTH.same_person(SUBJECT, SUBJECT + "1", ())
    assert not OAUTH.same_person("", "", ())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(3599, 3599), ("3599", 3599), (0, None), (-1, None), (True, None), (1e9, None), ("soon", None), (None, None)],
)
def test_a_life_that_is_announced(said: Any, seconds: int | None) -> None:
    """V22: in seconds from now, so that whoever keeps it asks the database's clock."""
    assert OAUTH.parse(raw(200, answer(None, expires_in=said)), ()).lifetime == seconds


DEAD, REFUSED, BUSY, TROUBLE = NeedsReconnect, PermissionMissing, RateLimited, Transient


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
            DEAD,
            "six months",
        ),
        (400, {"error": "invalid_grant", "error_description": "Bad Request"}, DEAD, "seven days"),
        (400, {"error": "invalid_grant", "error_description": "Account has been deleted"}, DEAD, "not exist"),
        (
            400,
            {"error": "invalid_grant", "error_subtype": "invalid_rapt", "error_description": "reauth related error"},
            DEAD,
            "sign-in policy",
        ),
        (400, {"error": "invalid_grant", "error_description": "Malformed auth code."}, DEAD, "start again"),
        (400, {"error": "invalid_grant", "error_description": "Invalid code verifier."}, DEAD, "this browser"),
        (400, {"error": "invalid_grant"}, DEAD, "no longer accepts"),
        (400, {"error": "admin_policy_enforced"}, REFUSED, "administrator"),
        (403, {"error": "admin_policy_enforced"}, REFUSED, "API controls"),
        (403, {"error": "org_internal"}, REFUSED, "own organization"),
        (
            401,
            {"error": "invalid_client", "error_description": "The OAuth client was not found."},
            REFUSED,
            "client id",
        ),
        (401, {"error": "deleted_client"}, REFUSED, "deleted"),
        (401, {"error": "disabled_client"}, REFUSED, "disabled"),
        (400, {"error": "unauthorized_client"}, REFUSED, "client id"),
        (429, {"error": "invalid_grant"}, BUSY, "less often"),
        (403, {"error": "rate_limit_exceeded"}, BUSY, "less often"),
        (500, {"error": "invalid_grant"}, TROUBLE, "no usable answer"),
        (503, {"error": "backend_error"}, TROUBLE, "no usable answer"),
        (502, "<html>Error 502 (Server Error)!!1</html>", TROUBLE, "no usable answer"),
        (200, "<html>canary</html>", TROUBLE, "no usable answer"),
        (200, {"access_token": ""}, TROUBLE, "no usable answer"),
        (200, {"access_token": None}, TROUBLE, "no usable answer"),
        (200, {"access_token": "a\r\nb"}, TROUBLE, "no usable answer"),
        (200, {"access_token": "a", "refresh_token": "a\nb"}, TROUBLE, "no usable answer"),
        (200, {"access_token": "a", "refresh_token": ["b"]}, TROUBLE, "no usable answer"),
        (200, {"error": "invalid_grant"}, TROUBLE, "no usable answer"),
        (302, {"error": "invalid_grant"}, TROUBLE, "no usable answer"),
        (400, {"error": "invalid_request"}, TROUBLE, "no usable answer"),
        (400, {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, TROUBLE, "no usable answer"),
        (404, "", TROUBLE, "no usable answer"),
    ],
)
def test_what_a_refusal_means(status: int, body: Any, kind: type[ProviderError], words: str) -> None:
    """I6, V9: dead only where Google says so. Nothing that Google wrote is repeated."""
    if isinstance(body, dict):
        body = {**body, "error_description": f"{body.get('error_description', '')} {CANARY}", "error_uri": CANARY}
    with pytest.raises(ProviderError, match=words) as caught:
        OAUTH.parse(raw(status, body), ())
    assert type(caught.value) is kind
    assert caught.value.provider == "google"
    assert "canary" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_waits_as_long_as_google_asks() -> None:
    with pytest.raises(RateLimited) as limited:
        OAUTH.parse(raw(429, {}, retry_after=77.0), ())
    with pytest.raises(Transient) as passing:
        OAUTH.parse(raw(503, {}, retry_after=78.0), ())
    assert (limited.value.retry_after, passing.value.retry_after) == (77.0, 78.0)


@pytest.mark.parametrize("status", [200, 400])
def test_revoking_what_is_gone_is_done(
    google: oauth.Server, session: http.Session, server: Faulty, status: int
) -> None:
    server.behave = lambda handler: handler.answer(status, {"error": "invalid_token"})
    OAUTH.revoke(google, Secret("canary"), session)
    server.behave = lambda handler: handler.answer(200, b"{}\n")
    OAUTH.revoke(google, Secret("canary"), session)
    assert server.seen[0].path == "/revoke"
    assert parse_qs(server.seen[0].body.decode()) == {"token": ["canary"]}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, {"error": "invalid_token"}) for status in (401, 403, 404, 429, 500, 503)),
        *((400, body) for body in ({}, b"<html>", {"error": "invalid_request"}, {"error": "unsupported_token_type"})),
        *((200, body) for body in (b"<html>", b"ok", b"[]", {"error": "blocked"}, {"message": "Please sign in"})),
    ],
)
def test_revoking_is_tried_again_after_trouble(
    google: oauth.Server, session: http.Session, server: Faulty, status: int, body: Any
) -> None:
    """C17: only its own word for a token that is gone counts, not any 400."""
    server.behave = lambda handler: handler.answer(status, body, {"Retry-After": "9"})
    with pytest.raises(Transient) as caught:
        OAUTH.revoke(google, Secret("canary"), session)
    assert caught.value.retry_after == 9.0


#: What userinfo answers to a token that it does not know (coderello/laravel-passport-social-grant issue 22).
UNKNOWN_TOKEN: dict[str, Any] = {"error": "invalid_request", "error_description": "Invalid Credentials"}


def test_whether_a_token_works(session: http.Session, server: Faulty) -> None:
    """I6: its claims are a yes, its error is a no."""
    for status, body, verdict in ((200, {"sub": SUBJECT}, True), (401, UNKNOWN_TOKEN, False)):
        server.behave = lambda handler, answer=(status, body): handler.answer(*answer)  # type: ignore[misc]
        for subject in ("", SUBJECT):
            assert OAUTH.works(Secret("canary"), server.url, session, subject) is verdict
    assert server.seen[0].path == "/v1/userinfo"
    assert server.seen[0].headers["Authorization"] == "Bearer canary"
    for url in ("https://evil.example", "http://localhost:1", "", f"{server.url}/x", "https://gmail.googleapis.com.x"):
        with pytest.raises(HostNotAllowed):
            OAUTH.works(Secret("canary"), url, session)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, UNKNOWN_TOKEN) for status in (403, 404, 429, 500)),
        *((status, b"<html>gateway</html>") for status in (200, 204, 302, 401, 403, 404, 503)),
        *((200, body) for body in ({}, b"", b"[]", {"sub": ""}, {"sub": 5}, {"sub": "1098"}, UNKNOWN_TOKEN)),
        (401, {}),
        (401, b""),
        (401, b"[]"),
    ],
)
def test_what_leaves_it_open_whether_a_token_works(
    session: http.Session, server: Faulty, status: int, body: Any
) -> None:
    """I6, V9: trouble is not an answer, nor is a page that stands before the provider, nor another person."""
    server.behave = lambda handler: handler.answer(status, body)
    with pytest.raises(Transient):
        OAUTH.works(Secret("canary"), server.url, session, SUBJECT)


def test_metadata_is_asked_once(session: http.Session, server: Faulty) -> None:
    server.behave = lambda handler: handler.answer(200, metadata(server.url))
    assert OAUTH.known(server.url, session) is None
    found = OAUTH.server(server.url, session)
    assert OAUTH.known(server.url, session) is found is OAUTH.server(f"{server.url}/", session)
    assert [seen.path for seen in server.seen] == ["/.well-known/openid-configuration"]
    assert (found.issuer, found.api_url, found.announces_iss) == (server.url, server.url, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": None},
        {"token_endpoint": "https://oauth2.googleapis.com/token"},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://localhost:1/token"},
        {"token_endpoint": None},
        {"token_endpoint": 7},
        {"revocation_endpoint": "https://localhost:1/revoke"},
        {"userinfo_endpoint": "https://localhost@evil.example/v1/userinfo"},
        {"authorization_endpoint": "http://evil.example/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://localhost\\@evil.example/auth"},
    ],
)
def test_metadata_may_name_nobody_elses_hosts(session: http.Session, server: Faulty, changes: dict[str, Any]) -> None:
    """C20: the operator's sign-in service cannot send our secret to Google, nor anywhere else."""
    server.behave = lambda handler: handler.answer(200, metadata(server.url, **changes))
    with pytest.raises(HostNotAllowed):
        OAUTH.server(server.url, session)


@pytest.mark.parametrize("answered", [(200, b"<html>"), (404, {}), (500, {}), (302, {}), (200, b"[]")])
def test_metadata_that_does_not_come(session: http.Session, server: Faulty, answered: tuple[int, Any]) -> None:
    def behave(handler: Handler) -> None:
        handler.answer(*answered)

    server.behave = behave
    with pytest.raises(Transient):
        OAUTH.server(server.url, session)
    assert OAUTH.known(server.url, session) is None


def test_a_lost_answer_may_be_asked_for_again() -> None:
    """V4: nothing is rotated at Google, so nothing is lost by asking twice."""
    assert OAUTH.sends_unknown_again
    assert OAUTH.revokes
    assert (OAUTH.ending_advice, id_token({})[:2]) == ("", "ey")


@pytest.mark.parametrize(
    ("client_id", "app"),
    [
        ("1234-abc.apps.googleusercontent.com", "1234"),
        ("1234-abc.example", "1234-abc.example"),
        ("own-abc.apps.googleusercontent.com", "own-abc.apps.googleusercontent.com"),
        ("", ""),
    ],
)
def test_clients_of_one_project_are_one_app(client_id: str, app: str) -> None:
    """A person's consent is the project's."""
    assert OAUTH.app_of(client_id) == app
