"""Google and Microsoft as they are simulated, over TLS: from consent to the end of a grant, by our own client code."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from providers import http, oauth
from providers.base import Secret, TokenSet
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError, RateLimited, Rejected, Transient
from providers.registry import ADAPTERS, Adapter
from tests.simulators.mail_providers import MailProvider, google, google_process, microsoft, microsoft_process

__all__ = ["google", "google_process", "microsoft", "microsoft_process"]
MAIL = {"google": "https://www.googleapis.com/auth/gmail.readonly", "microsoft": "Mail.Read"}
CALENDAR = {"google": "https://www.googleapis.com/auth/calendar.events", "microsoft": "Calendars.ReadWrite"}


@dataclass
class Connected:
    """Our side of a simulated provider: its adapter, and a session as the vault would make one."""

    simulated: MailProvider
    adapter: Adapter
    session: http.Session
    server: oauth.Server
    client: oauth.Client

    def consent(self, user: str = "alice", *features: str, tick: tuple[str, ...] = ("all",)) -> TokenSet:
        spoken = self.adapter.oauth
        uri = self.simulated.redirect_uri
        asked = spoken.authorize(self.server, self.client, uri, scopes=spoken.scopes_for(features))
        walked = self.simulated.walk(user, url=asked.url, tick=tick)
        assert walked.query.get("state") == asked.state.reveal(), walked
        assert oauth.is_expected_issuer(self.server, walked.query.get("iss"))
        return spoken.exchange(
            self.server,
            self.client,
            code=Secret(walked.query["code"]),
            code_verifier=asked.code_verifier,
            redirect_uri=uri,
            http=self.session,
        )

    def refresh(self, tokens: TokenSet, client: oauth.Client | None = None) -> TokenSet:
        assert tokens.refresh_token is not None
        raw = self.adapter.oauth.refresh(self.server, client or self.client, tokens.refresh_token, self.session)
        return self.adapter.oauth.parse(raw, self.session.settings.origins)

    def refusal(self, tokens: TokenSet, client: oauth.Client | None = None) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.refresh(tokens, client)
        return caught.value


def connected(simulated: MailProvider) -> Connected:
    oauth._metadata.clear()
    adapter = ADAPTERS[simulated.name]
    info = simulated.info
    origins = adapter.operators((info["api_url"], info.get("graph_url", info["api_url"])))
    session = http.Session(http.Settings(frozenset(origins), adapter.host_suffixes, info["ca"], read_seconds=3.0))
    client = oauth.Client(info["client_id"], Secret(info["client_secret"]))
    return Connected(simulated, adapter, session, adapter.oauth.server(info["api_url"], session), client)


@pytest.fixture(params=["google", "microsoft"])
def either(request: pytest.FixtureRequest) -> Iterator[Connected]:
    yield connected(request.getfixturevalue(request.param))
    oauth._metadata.clear()


@pytest.fixture
def at_google(google: MailProvider) -> Connected:
    return connected(google)


@pytest.fixture
def at_microsoft(microsoft: MailProvider) -> Connected:
    return connected(microsoft)


def test_from_consent_to_a_working_token(either: Connected) -> None:
    """C1: who it is, what it may, how long it lives, and that it works."""
    spoken = either.adapter.oauth
    tokens = either.consent("alice")
    account = spoken.account(tokens, either.session)
    assert account.email == "alice@acme.example"
    assert account.subject == tokens.identity != ""
    assert tokens.lifetime is not None
    assert 3000 < tokens.lifetime < 6000
    assert spoken.missing(spoken.scopes_for(()), tokens.scopes) == ()
    assert spoken.missing(spoken.scopes_for({"email"}), tokens.scopes) == (MAIL[spoken.name],)
    assert spoken.works(tokens.access_token, tokens.api_url, either.session)
    assert not spoken.works(Secret("ya29.nonsense"), tokens.api_url, either.session)
    assert spoken.account(either.consent("bob"), either.session).subject != account.subject


def test_consent_grows_with_the_features(either: Connected) -> None:
    """C10: mail first, the calendar later; what was granted before is still there."""
    spoken = either.adapter.oauth
    first = either.consent("alice", "email")
    assert spoken.missing(spoken.scopes_for({"email"}), first.scopes) == ()
    assert spoken.missing(spoken.scopes_for({"calendar"}), first.scopes) == (CALENDAR[spoken.name],)
    second = either.consent("alice", "calendar")
    assert spoken.missing(spoken.scopes_for({"email", "calendar"}), second.scopes) == ()
    assert second.refresh_token is not None
    assert spoken.same_person(first.identity, second.identity, ())
    assert "drive" not in " ".join(second.scopes).lower()
    assert "files" not in " ".join(second.scopes).lower()


def test_what_is_unticked_is_missing(at_google: Connected) -> None:
    """C10: granular consent at Google."""
    spoken = at_google.adapter.oauth
    tokens = at_google.consent("alice", "email", "calendar", tick=(CALENDAR["google"],))
    assert spoken.missing(spoken.scopes_for({"email", "calendar"}), tokens.scopes) == (MAIL["google"],)
    assert at_google.refresh(tokens).scopes == tokens.scopes


def test_refreshing_names_the_same_person(either: Connected) -> None:
    """V10, V11: Google keeps its refresh token, Microsoft sends a new one and lets the old one work on."""
    spoken = either.adapter.oauth
    tokens = either.consent("alice", "email")
    new = either.refresh(tokens)
    assert spoken.same_person(tokens.identity, new.identity, ())
    assert new.access_token.reveal() != tokens.access_token.reveal()
    assert spoken.works(new.access_token, tokens.api_url, either.session)
    assert (new.refresh_token is None) is (spoken.name == "google")
    assert either.refresh(tokens).access_token


def test_a_second_sign_in_still_brings_a_refresh_token(at_google: Connected) -> None:
    """Google sends one only after a new consent, which is why each request asks for it."""
    first, second = at_google.consent("alice"), at_google.consent("alice")
    assert first.refresh_token is not None
    assert second.refresh_token is not None
    assert first.refresh_token.reveal() != second.refresh_token.reveal()


def test_a_revoked_grant_is_dead_and_revoking_again_is_done(at_google: Connected) -> None:
    """C2, I6, I7."""
    spoken, tokens = at_google.adapter.oauth, at_google.consent("alice")
    assert tokens.refresh_token is not None
    spoken.revoke(at_google.server, tokens.refresh_token, at_google.session)
    spoken.revoke(at_google.server, tokens.refresh_token, at_google.session)
    assert not spoken.works(tokens.access_token, tokens.api_url, at_google.session)
    assert isinstance(at_google.refusal(tokens), NeedsReconnect)


@pytest.mark.parametrize(
    ("change", "features", "kind", "code"),
    [
        ({"withdraw": True}, (), NeedsReconnect, "ended"),
        ({"password": "new"}, ("email",), NeedsReconnect, "ended"),
        ({"active": False}, (), NeedsReconnect, ""),
    ],
)
def test_what_ends_a_grant_at_google(
    at_google: Connected, change: dict[str, object], features: tuple[str, ...], kind: type[ProviderError], code: str
) -> None:
    """I6, V13, V23."""
    tokens = at_google.consent("alice", *features)
    at_google.simulated.sim("users/alice", change)
    error = at_google.refusal(tokens)
    assert isinstance(error, kind)
    assert error.code.startswith(code)


def test_an_app_in_testing_says_when_it_ends(at_google: Connected) -> None:
    """For doctor: seven days, announced as refresh_token_expires_in."""
    client_id = at_google.client.client_id
    at_google.simulated.sim("apps", {"client_id": client_id, "publishing": "testing", "test_users": ["alice"]})
    tokens = at_google.consent("alice", "email")
    assert tokens.refresh_lifetime == 7 * 86_400 - 1


def test_a_wrong_client_is_the_administrators_business(either: Connected) -> None:
    """I6: the grant lives on, and works again as soon as the client does."""
    tokens = either.consent("alice")
    for client in (oauth.Client(either.client.client_id, Secret("wrong")), oauth.Client("nobody", Secret("wrong"))):
        assert isinstance(either.refusal(tokens, client), PermissionMissing)
    assert either.refresh(tokens).access_token


def test_a_code_is_good_once_and_for_its_browser(either: Connected) -> None:
    """C1, BI-B14."""
    spoken, uri = either.adapter.oauth, either.simulated.redirect_uri
    asked = spoken.authorize(either.server, either.client, uri, scopes=spoken.scopes_for(()))
    code = Secret(either.simulated.walk("alice", url=asked.url).query["code"])

    def redeem(verifier: Secret) -> TokenSet:
        return spoken.exchange(
            either.server, either.client, code=code, code_verifier=verifier, redirect_uri=uri, http=either.session
        )

    with pytest.raises(NeedsReconnect, match="this browser"):
        redeem(Secret("w" * 64))
    assert redeem(asked.code_verifier).account is not None
    with pytest.raises(NeedsReconnect):
        redeem(asked.code_verifier)


@pytest.mark.parametrize(
    ("place", "user", "kind", "code"),
    [
        ({"mfa": True}, {}, NeedsReconnect, "sign_in_again"),
        ({"conditional_access": True}, {}, NeedsReconnect, "conditional_access"),
        ({"sign_in_seconds": 0.001}, {}, NeedsReconnect, "signed_out"),
        ({}, {"active": False}, NeedsReconnect, "account_gone"),
        ({}, {"password": "new"}, NeedsReconnect, "signed_out"),
        ({}, {"withdraw": True}, NeedsReconnect, "consent"),
    ],
)
def test_what_ends_a_grant_at_microsoft(
    at_microsoft: Connected,
    place: dict[str, object],
    user: dict[str, object],
    kind: type[ProviderError],
    code: str,
) -> None:
    """I6, V13, V23: interaction required, revoked, switched off."""
    tokens = at_microsoft.consent("alice")
    tenant = tokens.identity.partition(".")[0]
    time.sleep(0.01)
    if place:
        at_microsoft.simulated.sim(f"tenants/{tenant}", place)
    if user:
        at_microsoft.simulated.sim("users/alice", user)
    error = at_microsoft.refusal(tokens)
    assert (type(error), error.code) == (kind, code)


def test_an_expired_secret_is_told_from_a_wrong_one(at_microsoft: Connected) -> None:
    """For doctor."""
    tokens = at_microsoft.consent("alice")
    at_microsoft.simulated.sim("apps", {"client_id": at_microsoft.client.client_id, "secret_expired": True})
    assert at_microsoft.refusal(tokens).code == "client_secret_expired"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, {"error": "temporarily_unavailable"}, Transient),
        (500, "<html>", Transient),
        (200, "<html>", Transient),
        (429, {}, RateLimited),
    ],
)
def test_trouble_is_no_verdict(either: Connected, status: int, body: object, kind: type[ProviderError]) -> None:
    """V9: and the next try works."""
    tokens = either.consent("alice")
    path = urlsplit(either.server.token_endpoint).path
    either.simulated.sim("faults", {"path": path, "status": status, "body": body})
    assert isinstance(either.refusal(tokens), kind)
    assert either.refresh(tokens).access_token


def test_nobody_is_connected_for_somebody_else(either: Connected) -> None:
    """C11: an answer to another sign-in's code carries another nonce; the tokens are named for nobody."""
    spoken, uri = either.adapter.oauth, either.simulated.redirect_uri
    asked = spoken.authorize(either.server, either.client, uri, scopes=spoken.scopes_for(()))
    bare = asked.url.replace(f"nonce={oauth.nonce_of(asked.code_verifier)}", "nonce=replayed")
    assert bare != asked.url
    code = Secret(either.simulated.walk("alice", url=bare).query["code"])
    tokens = spoken.exchange(
        either.server,
        either.client,
        code=code,
        code_verifier=asked.code_verifier,
        redirect_uri=uri,
        http=either.session,
    )
    assert tokens.identity == ""
    with pytest.raises(Rejected):
        spoken.account(tokens, either.session)
