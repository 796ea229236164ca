"""OAuth as a client: what is sent, what each kind of answer means, and what never goes on."""

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from providers import http, oauth
from providers.base import Secret
from providers.errors import (
    HostNotAllowed,
    NeedsReconnect,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from providers.salesforce import oauth as salesforce
from tests.providers.faulty import Faulty, Handler

ORG, USER = "00D000000000001EAA", "005000000000001AAA"
SF = salesforce.OAUTH
CLIENT = oauth.Client("3MVG9-client", Secret("canary-client-secret"))


@pytest.fixture(autouse=True)
def forget_metadata() -> Iterator[None]:
    oauth._metadata.clear()
    yield
    oauth._metadata.clear()


def standard(server: Faulty) -> oauth.Server:
    base = f"{server.url}/services/oauth2"
    return oauth.Server(server.url, server.url, f"{base}/authorize", f"{base}/token", f"{base}/revoke")


def token_body(server: Faulty, **changes: Any) -> dict[str, Any]:
    body = {
        "access_token": "canary-access",
        "refresh_token": "canary-refresh",
        "instance_url": server.url,
        "id": f"{server.url}/id/{ORG}/{USER}",
        "scope": "id api refresh_token web",
        "token_type": "Bearer",
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not None}


def raw(status: int, body: Any) -> oauth.RawAnswer:
    return oauth.RawAnswer(status, Secret(body if isinstance(body, str) else json.dumps(body)))


def test_authorize_asks_exactly_four_scopes_with_s256(server: Faulty) -> None:
    """C10: the scopes, and nothing more; PKCE S256; a fresh state each time."""
    requests = [
        SF.authorize(standard(server), CLIENT, "https://us.example/callback", scopes=salesforce.SCOPES)
        for _ in range(2)
    ]
    sent = parse_qs(urlsplit(requests[0].url).query)
    assert sent["scope"] == ["id api refresh_token web"]
    assert sent["response_type"] == ["code"]
    assert sent["code_challenge_method"] == ["S256"]
    digest = hashlib.sha256(requests[0].code_verifier.reveal().encode()).digest()
    assert sent["code_challenge"] == [base64.urlsafe_b64encode(digest).rstrip(b"=").decode()]
    assert sent["state"] == [requests[0].state.reveal()]
    assert "client_secret" not in sent
    assert requests[0].state.reveal() != requests[1].state.reveal()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,128}", requests[0].code_verifier.reveal())
    assert requests[0].state.reveal() not in repr(requests[0])


def test_exchange(server: Faulty, session: http.Session) -> None:
    server.behave = lambda handler: handler.answer(200, token_body(server))
    tokens = SF.exchange(
        standard(server),
        CLIENT,
        code=Secret("code"),
        code_verifier=Secret("v"),
        redirect_uri="https://u/c",
        http=session,
    )
    sent = parse_qs(server.seen[0].body.decode())
    assert sent == {
        "grant_type": ["authorization_code"],
        "code": ["code"],
        "code_verifier": ["v"],
        "redirect_uri": ["https://u/c"],
        "client_id": [CLIENT.client_id],
        "client_secret": ["canary-client-secret"],
    }
    assert "?" not in server.seen[0].path
    assert tokens.access_token.reveal() == "canary-access"
    assert tokens.scopes == salesforce.SCOPES
    assert (tokens.api_url, tokens.lifetime) == (server.url, None)
    assert salesforce.identity_ids(tokens.identity, session.settings.origins) == (ORG, USER)
    assert "canary" not in repr(tokens)


@pytest.mark.parametrize("url", ["https://evil.example", "https://evil.my.site.com", None, 5])
def test_an_exchange_for_a_foreign_host_leaves_the_tokens_to_be_ended(
    server: Faulty, session: http.Session, url: object
) -> None:
    """C17, V12: they are live, and good for nowhere."""
    server.behave = lambda handler: handler.answer(200, token_body(server, instance_url=url))
    secret = Secret("code")
    tokens = SF.exchange(
        standard(server), CLIENT, code=secret, code_verifier=secret, redirect_uri="https://u/c", http=session
    )
    assert tokens.refresh_token is not None
    assert (tokens.access_token.reveal(), tokens.refresh_token.reveal()) == ("canary-access", "canary-refresh")
    assert salesforce.identity_ids(tokens.identity, session.settings.origins) == (ORG, USER)
    with pytest.raises(HostNotAllowed):
        SF.works(tokens.access_token, tokens.api_url, session)


def test_refresh_hands_over_the_raw_answer(server: Faulty, session: http.Session) -> None:
    """docs/vault.md 6: sealed before it is parsed, whatever it is."""
    server.behave = lambda handler: handler.answer(418, b"<html>nonsense")
    answer = SF.refresh(standard(server), CLIENT, Secret("old"), session)
    assert (answer.status, answer.body.reveal()) == (418, "<html>nonsense")
    assert parse_qs(server.seen[0].body.decode())["refresh_token"] == ["old"]
    assert len(server.seen) == 1
    assert "nonsense" not in repr(answer)


def test_what_an_answer_leaves_out_is_not_made_up(server: Faulty) -> None:
    """V10, V11: the vault fills in and compares (vault/answers.py), so it must see what is missing."""
    body = token_body(server, refresh_token=None, scope=None, id=None)
    tokens = SF.parse(raw(200, body), {server.url})
    assert (tokens.refresh_token, tokens.scopes, tokens.identity) == (None, (), "")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "http://localhost",
        "",
        None,
        "https://x.my.salesforce.com.evil",
        "https://evil.my.site.com",
        "https://evil.force.com",
    ],
)
def test_a_foreign_instance_url_is_refused(server: Faulty, url: str | None) -> None:
    """V12."""
    with pytest.raises(HostNotAllowed):
        SF.parse(raw(200, token_body(server, instance_url=url)), {server.url})


def refused(error: str, description: str = "canary@example.org") -> dict[str, str]:
    return {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, refused("invalid_grant", "expired access/refresh token"), NeedsReconnect),
        (400, refused("invalid_grant", "authentication failure"), NeedsReconnect),
        (400, refused("invalid_grant"), NeedsReconnect),
        (400, refused("invalid_client"), PermissionMissing),
        (400, refused("invalid_client_id"), PermissionMissing),
        (400, refused("unknown_error"), Transient),
        (401, refused("invalid_client"), PermissionMissing),
        (429, {}, RateLimited),
        (500, refused("invalid_grant"), Transient),
        (503, "<html>", Transient),
        (200, "<html>login</html>", Transient),
        (200, {}, Transient),
        (200, "[]", Transient),
        (200, '{"access_token": 5}', Transient),
        (200, '{"access_token": "x"', Transient),
        (200, "[" * 100_000, Transient),
        (302, "", Transient),
        (0, "", Transient),
    ],
)
def test_verdicts(status: int, body: Any, expected: type[ProviderError]) -> None:
    """I6, V9: only invalid_grant is a verdict; the provider's words are not echoed."""
    with pytest.raises(expected) as failure:
        SF.parse(raw(status, body), ())
    assert type(failure.value) is expected
    assert "canary" not in str(failure.value)
    assert "invalid_grant" not in str(failure.value)


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("invalid_client", "External client app is not installed in this org", "app_not_installed"),
        ("invalid_grant", "app must be installed into org", "app_not_installed"),
        ("invalid_app_access", "user is not admin approved to access this app", "admin_approval"),
        ("invalid_grant", "user is not admin approved to access this app", "admin_approval"),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "app_blocked"),
    ],
)
def test_what_is_wrong_with_the_app_ends_no_grant(error: str, description: str, code: str) -> None:
    """I6: an administrator mends it, and the refresh token is as good as before. Seen: forcedotcom/cli issue 3482."""
    with pytest.raises(PermissionMissing) as failure:
        SF.parse(raw(400, refused(error, description)), ())
    assert failure.value.code == code


def test_reasons_are_plain() -> None:
    with pytest.raises(NeedsReconnect, match="revoked or has expired"):
        SF.parse(raw(400, refused("invalid_grant", "expired access/refresh token")), ())
    with pytest.raises(NeedsReconnect, match="start again"):
        SF.parse(raw(400, refused("invalid_grant", "expired authorization code")), ())


@pytest.mark.parametrize(
    "path", ["/id/x/y", f"/id/{USER}/{ORG}", f"/id/{ORG}/{USER}/x", f"/id/{ORG}/{USER}?x", f"/id/{ORG}"]
)
def test_identity_urls_that_are_none(path: str) -> None:
    """C11."""
    with pytest.raises((Rejected, NotFound)):
        salesforce.identity_ids(f"https://login.salesforce.com{path}")
    with pytest.raises((Rejected, HostNotAllowed)):
        salesforce.identity_ids(f"https://evil.example/id/{ORG}/{USER}")


def test_a_site_names_nobody_but_its_own_people() -> None:
    """C11."""
    identity = f"https://acme.my.site.com/partners/id/{ORG}/{USER}"
    for login in ("https://acme.my.site.com/partners", "https://acme.my.site.com", None):
        assert salesforce.identity_ids(identity, login_url=login) == (ORG, USER)
    for login in ("https://other.my.site.com", "https://login.salesforce.com", "https://acme.my.site.com.evil.example"):
        with pytest.raises(HostNotAllowed):
            salesforce.identity_ids(identity, login_url=login)
    with pytest.raises(HostNotAllowed):
        salesforce.identity_ids(f"https://evil.lightning.force.com/id/{ORG}/{USER}")


def metadata(server: Faulty, **changes: Any) -> dict[str, Any]:
    base = f"{server.url}/services/oauth2"
    known = {"issuer": server.url, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"}
    return {**known, "revocation_endpoint": f"{base}/revoke", **changes}


def test_discovery_is_kept(server: Faulty, session: http.Session) -> None:
    server.behave = lambda handler: handler.answer(
        200, metadata(server, authorization_response_iss_parameter_supported=True)
    )
    found = SF.server(server.url, session)
    assert SF.server(server.url, session) is found
    assert [seen.path for seen in server.seen] == ["/.well-known/openid-configuration"]
    assert found.announces_iss


def test_discovery_falls_back(server: Faulty, session: http.Session) -> None:
    """C6: an Experience Cloud site, below its path."""

    def behave(handler: Handler) -> None:
        handler.answer(404, {})

    server.behave = behave
    found = SF.server(f"{server.url}/partners", session)
    assert found.token_endpoint == f"{server.url}/partners/services/oauth2/token"
    assert found.authorization_endpoint == f"{server.url}/partners/services/oauth2/authorize"
    assert [seen.path for seen in server.seen] == [
        "/partners/.well-known/openid-configuration",
        "/partners/.well-known/oauth-authorization-server",
    ]


def test_discovery_does_not_keep_a_fault(server: Faulty, session: http.Session) -> None:
    server.behave = lambda handler: handler.answer(503, {})
    with pytest.raises(Transient):
        SF.server(server.url, session)
    server.behave = lambda handler: handler.answer(200, metadata(server))
    assert SF.server(server.url, session).issuer == server.url


@pytest.mark.parametrize(
    "changes",
    [
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://localhost:1/token"},
        {"token_endpoint": "https://login.salesforce.com@evil.example/token"},
        {"revocation_endpoint": "https://169.254.169.254/revoke"},
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "https://acme.my.site.com/services/apexrest/token"},
        {"token_endpoint": "https://acme.my.site.com/services/oauth2/token"},
        {"token_endpoint": "https://login.salesforce.com/services/oauth2/token"},
        {"authorization_endpoint": "http://login.salesforce.com/authorize"},
        {"authorization_endpoint": "https://login.salesforce.com/services/oauth2/authorize"},
        {"authorization_endpoint": "http://localhost:1/services/oauth2/authorize"},
        {"revocation_endpoint": ["https://login.salesforce.com/services/oauth2/revoke"]},
    ],
)
def test_metadata_cannot_lead_away(server: Faulty, session: http.Session, changes: dict[str, Any]) -> None:
    """BI-I: an endpoint off the login host."""
    server.behave = lambda handler: handler.answer(200, metadata(server, **changes))
    with pytest.raises(HostNotAllowed):
        SF.server(server.url, session)


EVIL = "https://evil.my.site.com"


def of_a_site(login_url: str = EVIL, *, origins: frozenset[str] = frozenset(), **announced: Any) -> oauth.Server:
    """What is made of metadata that the owner of an Experience Cloud site may write himself."""
    return salesforce.server_of(login_url, announced, origins)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "revocation_endpoint"])
@pytest.mark.parametrize(
    "place",
    [
        "https://evil.my.site.com/services/apexrest/x/services/oauth2/{}",
        "https://evil.my.site.com/x/services/oauth2/{}",
        "https://evil.my.site.com/services/oauth2/{}/",
        "https://evil.my.site.com/services/oauth2/{}/..",
        "https://evil.my.site.com/x?/services/oauth2/{}",
        "https://evil.my.site.com//services/oauth2/{}",
        "https://evil.my.site.com:443/services/oauth2/{}",
        "https://evil.my.site.com\\@other.example/services/oauth2/{}",
        "http://evil.my.site.com/services/oauth2/{}",
        "https://login.salesforce.com/services/oauth2/{}",
        "https://sf.corp.example/services/oauth2/{}",
        "http://localhost:8102/services/oauth2/{}",
    ],
)
def test_a_site_cannot_send_our_client_to_its_owners_code(name: str, place: str) -> None:
    """C19, BI-I: only the standard path on the login host's own origin; else the owner's Apex hears our secret."""
    path = {"authorization_endpoint": "authorize", "token_endpoint": "token", "revocation_endpoint": "revoke"}[name]
    origins = frozenset({"https://sf.corp.example", "http://localhost:8102"})
    announced: dict[str, Any] = {name: place.format(path)}
    with pytest.raises(HostNotAllowed):
        of_a_site(origins=origins, **announced)


def test_a_site_below_a_path_names_its_own_endpoints() -> None:
    """C6."""
    base = "https://acme.my.site.com/partners"
    named: dict[str, Any] = {"issuer": base, "token_endpoint": f"{base.lower()}/services/oauth2/token"}
    found = of_a_site("https://acme.my.site.com/Partners", **named)
    assert found.token_endpoint == "https://acme.my.site.com/Partners/services/oauth2/token"
    with pytest.raises(HostNotAllowed):
        of_a_site(base, token_endpoint="https://acme.my.site.com/services/oauth2/token")


def test_who_calls_himself_by_anothers_name_announces_nothing() -> None:
    """RFC 8414 section 3.3, BI-B15: with the redirect URI of all announcing hosts he could mix up the answers."""
    announced: dict[str, Any] = {"authorization_response_iss_parameter_supported": True}
    liar = of_a_site(issuer="https://login.salesforce.com", **announced)
    assert not liar.announces_iss
    assert liar.issuer == EVIL
    assert not oauth.is_expected_issuer(liar, "https://login.salesforce.com")
    assert not of_a_site(**announced).announces_iss
    assert of_a_site(issuer=EVIL, **announced).announces_iss


def test_metadata_of_an_operators_host_may_name_his_pages(server: Faulty, session: http.Session) -> None:
    """Where he keeps pages on another origin, that one is in his list; another path is none of his either."""
    pages = "http://localhost:8102"
    origins = session.settings.origins | {pages}
    named: dict[str, Any] = {"authorization_endpoint": f"{pages}/services/oauth2/authorize"}
    assert of_a_site(server.url, origins=origins, **named).authorization_endpoint == named["authorization_endpoint"]
    wrongs: list[dict[str, Any]] = [
        {"authorization_endpoint": f"{pages}/x/services/oauth2/authorize"},
        {"token_endpoint": f"{pages}/services/oauth2/token"},
    ]
    for wrong in wrongs:
        with pytest.raises(HostNotAllowed):
            of_a_site(server.url, origins=origins, **wrong)


def test_many_who_ask_at_once_cost_one_fetch(server: Faulty, session: http.Session) -> None:
    """Anybody may ask, before signing in: one host is asked once, however it is written."""

    def behave(handler: Handler) -> None:
        time.sleep(0.3)
        handler.answer(200, metadata(server))

    server.behave = behave
    with ThreadPoolExecutor(16) as pool:
        texts = [server.url, f"{server.url}/", server.url.upper().replace("HTTPS", "https")]
        found = list(pool.map(lambda number: SF.server(texts[number % 3], session), range(48)))
    assert len(server.seen) == 1
    assert all(each is found[0] for each in found)


def test_many_who_ask_a_broken_host_share_its_failure(server: Faulty, session: http.Session) -> None:
    def behave(handler: Handler) -> None:
        time.sleep(1.0)
        handler.answer(503, {})

    server.behave = behave
    start = threading.Barrier(16)

    def ask(_: int) -> type[Exception] | None:
        start.wait()
        try:
            SF.server(server.url, session)
        except Transient as error:
            return type(error)
        return None

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) == {Transient}
    assert len(server.seen) == 1


def test_what_is_kept_of_hosts_is_bounded(server: Faulty, session: http.Session) -> None:
    server.behave = lambda handler: handler.answer(404, {})
    for number in range(oauth.MOST_LOGIN_URLS + 3):
        oauth._metadata.get(("salesforce", f"https://localhost/{number}", frozenset()), lambda: standard(server))
    assert len(oauth._metadata) == oauth.MOST_LOGIN_URLS


def test_issuer_of_the_callback(server: Faulty) -> None:
    """BI-B15: a mix-up of login hosts."""
    silent = standard(server)
    announcing = oauth.Server(**{**{n: getattr(silent, n) for n in silent.__slots__}, "announces_iss": True})
    assert oauth.is_expected_issuer(silent, None)
    assert oauth.is_expected_issuer(silent, server.url)
    assert not oauth.is_expected_issuer(silent, "https://login.salesforce.com")
    assert not oauth.is_expected_issuer(announcing, None)
    assert not oauth.is_expected_issuer(announcing, "ü")
    assert oauth.is_expected_issuer(announcing, server.url)


def test_a_lost_answer_is_an_unknown_outcome(server: Faulty, session: http.Session) -> None:
    """V4: one request, and the caller learns that nobody knows."""
    server.behave = lambda _: time.sleep(2)
    with pytest.raises(Transient) as failure:
        SF.refresh(standard(server), CLIENT, Secret("canary"), session)
    assert failure.value.outcome_unknown
    assert len(server.seen) == 1
