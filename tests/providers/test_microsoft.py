"""Microsoft's OAuth: what is asked for, what each answer means, and whose it is."""

from collections.abc import Iterator
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
from providers.microsoft.oauth import OAUTH
from tests.providers.faulty import Faulty
from tests.providers.tokens import CALLBACK, CLIENT, PERSON, TENANT, VERIFIER, answer, microsoft_claims, raw

BASE = ("openid", "profile", "email", "offline_access", "User.Read")
GRAPH = "https://graph.microsoft.com/"
IDENTITY = f"{TENANT}.{PERSON}"


@pytest.fixture(autouse=True)
def forget_metadata() -> Iterator[None]:
    oauth._metadata.clear()
    yield
    oauth._metadata.clear()


def metadata(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "issuer": f"{url}/{{tenantid}}/v2.0",
        "authorization_endpoint": f"{url}/organizations/oauth2/v2.0/authorize",
        "token_endpoint": f"{url}/organizations/oauth2/v2.0/token",
        "userinfo_endpoint": f"{url}/oidc/userinfo",
        **changes,
    }


@pytest.fixture
def microsoft(server: Faulty, session: http.Session) -> oauth.Server:
    server.behave = lambda handler: handler.answer(200, metadata(server.url))
    found = OAUTH.server(server.url, session)
    assert [seen.path for seen in server.seen] == ["/organizations/v2.0/.well-known/openid-configuration"]
    server.seen.clear()
    return found


def exchange(microsoft: oauth.Server, session: http.Session) -> Any:
    return OAUTH.exchange(
        microsoft, CLIENT, code=Secret("canary-code"), code_verifier=VERIFIER, redirect_uri=CALLBACK, http=session
    )


def test_what_is_asked_for(microsoft: oauth.Server) -> None:
    """C1, C64: work accounts of any directory, offline_access, PKCE S256, no files."""
    request = OAUTH.authorize(microsoft, CLIENT, CALLBACK, scopes=OAUTH.scopes_for({"email"}), prompt="select_account")
    sent = parse_qs(urlsplit(request.url).query)
    assert urlsplit(request.url).path == "/organizations/oauth2/v2.0/authorize"
    assert sent["scope"] == [" ".join((*BASE, "Mail.Read"))]
    assert sent["prompt"] == ["select_account"]
    assert sent["code_challenge_method"] == ["S256"]
    assert sent["nonce"] == [oauth.nonce_of(request.code_verifier)]
    assert "access_type" not in sent


def test_scopes_follow_the_features() -> None:
    """C10."""
    assert OAUTH.scopes_for(()) == BASE
    assert OAUTH.scopes_for({"email", "calendar", "files"}) == (*BASE, "Mail.Read", "Calendars.ReadWrite")
    other = OAUTH.purpose_of("Files.Read.All")
    purposes = {OAUTH.purpose_of(scope) for scope in OAUTH.scopes_for({"email", "calendar"})}
    assert other not in purposes
    assert len(purposes) == len(BASE) + 2
    assert OAUTH.purpose_of(f"{GRAPH}mail.read") == OAUTH.purpose_of("Mail.Read") != other


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (("Mail.Read", "User.Read", "openid", "profile", "email"), ()),
        (("mail.read", "user.read"), ()),
        ((f"{GRAPH}Mail.Read", f"{GRAPH}User.Read"), ()),
        (("https://graph.microsoft.com/mail.read", "HTTPS://GRAPH.MICROSOFT.COM/USER.READ"), ()),
        (("00000003-0000-0000-c000-000000000000/Mail.Read", "User.Read"), ()),
        (("Mail.ReadWrite", "User.ReadWrite"), ()),
        (("User.Read",), ("Mail.Read",)),
        (("User.Read", "Mail.ReadBasic"), ("Mail.Read",)),
        (("User.Read", "Mail.Read.Shared"), ("Mail.Read",)),
        (("User.Read", "https://outlook.office.com/Mail.Read"), ("Mail.Read",)),
        (("User.Read", "https://graph.microsoft.com.evil.example/Mail.Read"), ("Mail.Read",)),
        ((), ("User.Read", "Mail.Read")),
    ],
)
def test_scopes_are_compared_as_microsoft_spells_them(granted: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """C10: any case, with and without Graph's prefix; offline_access is never echoed."""
    assert OAUTH.missing((*BASE, "Mail.Read"), granted) == missing


def test_exchange(microsoft: oauth.Server, session: http.Session, server: Faulty) -> None:
    body = answer(microsoft_claims(server.url), scope="Mail.Read User.Read profile openid email")
    server.behave = lambda handler: handler.answer(200, body)
    tokens = exchange(microsoft, session)
    assert server.seen[0].path == "/organizations/oauth2/v2.0/token"
    assert (tokens.identity, tokens.api_url, tokens.lifetime) == (IDENTITY, server.url, 3599)
    account = OAUTH.account(tokens, session)
    assert (account.subject, account.tenant) == (IDENTITY, TENANT)
    assert account.email == "canary.jane@contoso.example"
    assert "canary" not in repr(tokens).lower() + repr(account).lower()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": f"https://evil.example/{TENANT}/v2.0"},
        {"iss": "https://localhost/{tenantid}/v2.0"},
        {"tid": "11111111-1111-1111-1111-111111111111"},
        {"tid": "common"},
        {"tid": None},
        {"oid": None},
        {"oid": "someone"},
        {"aud": "client-2.apps.example"},
        {"nonce": "another"},
        {"exp": 1},
    ],
)
def test_an_id_token_of_another_sign_in_names_nobody(
    microsoft: oauth.Server, session: http.Session, server: Faulty, changes: dict[str, Any]
) -> None:
    """C11: also one of another directory than its issuer says."""
    body = answer({**microsoft_claims(server.url), **changes})
    server.behave = lambda handler: handler.answer(200, body)
    tokens = exchange(microsoft, session)
    assert (tokens.identity, tokens.account) == ("", None)
    with pytest.raises(Rejected, match="did not say who"):
        OAUTH.account(tokens, session)


def test_who_it_is_does_not_hang_on_an_address() -> None:
    """V11: an administrator may give anybody any address (`email` is not verified), but not another oid."""
    one = OAUTH.parse(raw(200, answer(microsoft_claims())), ()).identity
    other = OAUTH.parse(raw(200, answer(microsoft_claims(preferred_username="x@y.example", name="X"))), ()).identity
    moved = OAUTH.parse(raw(200, answer(microsoft_claims(tid="11111111-1111-1111-1111-111111111111"))), ()).identity
    assert one == other == IDENTITY
    assert OAUTH.same_person(one, other, ())
    assert not OAUTH.same_person(one, moved, ())


def test_each_refresh_gives_a_new_token_and_the_old_one_stays_valid() -> None:
    """V4, V10: refresh-tokens, "Token lifetime"."""
    tokens = OAUTH.parse(raw(200, answer(None, refresh_token="canary-next")), ())
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.reveal() == "canary-next"
    assert OAUTH.sends_unknown_again


def test_a_single_grant_cannot_be_revoked() -> None:
    """V23: only revokeSignInSessions exists, which would sign the person out everywhere."""
    assert not OAUTH.revokes
    assert "myapps.microsoft.com" in OAUTH.ending_advice


DEAD, REFUSED, BUSY, TROUBLE = NeedsReconnect, PermissionMissing, RateLimited, Transient


@pytest.mark.parametrize(
    ("status", "error", "number", "kind", "code"),
    [
        (400, "invalid_grant", 50173, DEAD, "signed_out"),
        (400, "invalid_grant", 50133, DEAD, "signed_out"),
        (400, "invalid_grant", 700082, DEAD, "inactive"),
        (400, "invalid_grant", 70008, DEAD, "inactive"),
        (400, "invalid_grant", 70043, DEAD, "signed_out"),
        (400, "invalid_grant", 50057, DEAD, "account_gone"),
        (400, "invalid_grant", 65001, DEAD, "consent"),
        (400, "invalid_grant", 50105, DEAD, "not_assigned"),
        (400, "invalid_grant", 53003, DEAD, "conditional_access"),
        (400, "invalid_grant", 54005, DEAD, "code_refused"),
        (400, "invalid_grant", 501481, DEAD, "code_refused"),
        (400, "invalid_grant", 90094, DEAD, "admin_approval"),
        (400, "invalid_grant", 50020, DEAD, "tenant"),
        (400, "invalid_grant", 999999, DEAD, "ended"),
        (400, "invalid_grant", None, DEAD, "ended"),
        (400, "interaction_required", 50076, DEAD, "sign_in_again"),
        (400, "interaction_required", 50079, DEAD, "sign_in_again"),
        (400, "consent_required", None, DEAD, "ended"),
        (401, "invalid_client", 7000215, REFUSED, "client_secret"),
        (401, "invalid_client", 7000222, REFUSED, "client_secret_expired"),
        (400, "unauthorized_client", 700016, REFUSED, "client_unknown"),
        (400, "unauthorized_client", 7000112, REFUSED, "client_disabled"),
        (400, "invalid_grant", 50194, REFUSED, "client_single_tenant"),
        (400, "invalid_resource", 500011, REFUSED, "client_unknown"),
        (401, "invalid_client", None, REFUSED, "client_refused"),
        (400, "invalid_grant", 50196, TROUBLE, "unreachable"),
        (400, "temporarily_unavailable", 90033, TROUBLE, "unreachable"),
        (503, "temporarily_unavailable", 90033, TROUBLE, "unreachable"),
        (400, "temporarily_unavailable", None, TROUBLE, "unreachable"),
        (500, "invalid_grant", 50173, TROUBLE, "unreachable"),
        (400, "invalid_request", 9002313, TROUBLE, "unreachable"),
        (400, "server_error", None, TROUBLE, "unreachable"),
        (429, "invalid_grant", 50173, BUSY, ""),
        (400, "slow_down", None, BUSY, ""),
    ],
)
def test_what_a_refusal_means(
    status: int, error: str, number: int | None, kind: type[ProviderError], code: str
) -> None:
    """I6, V9, V13: `error` decides, known numbers refine; nothing that Microsoft wrote is repeated."""
    said = f"AADSTS{number}: canary user 'canary@contoso.example' in tenant {TENANT}.\r\nTrace ID: canary-trace"
    body = {
        "error": error,
        "error_description": said if number else "canary",
        "error_codes": [number],
        "trace_id": "canary",
        "suberror": "canary",
        "claims": '{"access_token":{"polids":{"essential":true,"values":["canary"]}}}',
    }
    with pytest.raises(ProviderError) as caught:
        OAUTH.parse(raw(status, body), ())
    assert type(caught.value) is kind
    assert (caught.value.provider, caught.value.code) == ("microsoft", code)
    told = str(caught.value)
    assert told.endswith(".")
    assert not any(word in told for word in ("canary", "AADSTS", TENANT, "claims"))
    assert caught.value.details == ()


def test_a_client_that_loops_waits_longer() -> None:
    """AADSTS50196 comes as invalid_grant; taking it for one would end every busy grant."""
    with pytest.raises(Transient) as caught:
        OAUTH.parse(raw(400, {"error": "invalid_grant", "error_description": "AADSTS50196: loop"}), ())
    assert caught.value.retry_after >= 300


def test_whether_a_token_works(session: http.Session, server: Faulty) -> None:
    """I6. A claims challenge (continuous access evaluation) says no, and is kept nowhere."""
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_claims", claims="canary"'}
    for status, verdict in ((200, True), (401, False)):
        body = {"id": PERSON} if verdict else {}
        server.behave = lambda handler, answer=(status, body): handler.answer(*answer, challenge)  # type: ignore[misc]
        for subject in ("", IDENTITY):
            assert OAUTH.works(Secret("canary"), server.url, session, subject) is verdict
    assert server.seen[0].path == "/v1.0/me?$select=id"
    for status in (403, 429, 503):
        server.behave = lambda handler, status=status: handler.answer(status, {}, challenge)  # type: ignore[misc]
        with pytest.raises(Transient) as caught:
            OAUTH.works(Secret("canary"), server.url, session)
        assert "canary" not in str(caught.value)
    with pytest.raises(HostNotAllowed):
        OAUTH.works(Secret("canary"), "https://graph.microsoft.com.evil.example", session)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((status, b"<html>gateway</html>") for status in (200, 401, 403, 503)),
        *((200, body) for body in ({}, {"id": "me"}, {"id": PERSON.replace("6", "5")}, {"error": {"code": "x"}})),
        (401, {}),
    ],
)
def test_what_leaves_it_open_whether_a_token_works(
    session: http.Session, server: Faulty, status: int, body: Any
) -> None:
    """V9: nor is another person's answer a proof."""
    server.behave = lambda handler: handler.answer(status, body)
    with pytest.raises(Transient):
        OAUTH.works(Secret("canary"), server.url, session, IDENTITY)


def test_its_error_alone_refuses_a_token(session: http.Session, server: Faulty) -> None:
    """learn.microsoft.com/graph/errors: a JSON object, whatever the headers."""
    server.behave = lambda handler: handler.answer(401, {"error": {"code": "InvalidAuthenticationToken"}})
    assert not OAUTH.works(Secret("canary"), server.url, session)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        {"issuer": "{tenantid}"},
        {"token_endpoint": "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"},
        {"token_endpoint": "https://evil.example/token"},
        {"userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo"},
        {"userinfo_endpoint": None},
        {"authorization_endpoint": "http://evil.example/"},
    ],
)
def test_metadata_may_name_nobody_elses_hosts(session: http.Session, server: Faulty, changes: dict[str, Any]) -> None:
    """C20."""
    server.behave = lambda handler: handler.answer(200, metadata(server.url, **changes))
    with pytest.raises(HostNotAllowed):
        OAUTH.server(server.url, session)


def test_each_directory_is_an_issuer_of_its_own(microsoft: oauth.Server, server: Faulty) -> None:
    """BI-B15."""
    assert oauth.is_expected_issuer(microsoft, None)
    assert oauth.is_expected_issuer(microsoft, f"{server.url}/{TENANT}/v2.0")
    for other in (f"{server.url}/common/v2.0", f"{server.url}x/{TENANT}/v2.0", f"{server.url}/{TENANT}/v2.0/", "ü"):
        assert not oauth.is_expected_issuer(microsoft, other)
