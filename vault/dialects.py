"""The vault's side of any provider's OAuth: which session, which client, which endpoints. Holds no token.

What only one provider has (records, identity) is not here: see salesforce.py."""

from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings

from providers import http, oauth
from providers.base import Account, Secret, TokenSet
from providers.errors import PermissionMissing, ProviderError
from providers.protocol import OAuth
from providers.registry import ADAPTERS
from vault import outbound, registrations
from vault.grants import Grant
from vault.models import ENDED, SALESFORCE, Connection, State

#: The provider at which people sign in here: it alone says who is a member, and ends his session with the grant.
SIGNS_IN = SALESFORCE
_NO_CLIENT = "The app that this connection was made with is no longer configured; an administrator must restore it."


def of(provider: str) -> OAuth:
    """How this provider speaks OAuth."""
    return ADAPTERS[provider].oauth


def label(provider: str) -> str:
    """The provider's name in sentences."""
    return of(provider).label


@lru_cache(maxsize=12)
def _http_settings(provider: str, origins: tuple[str, ...], ca_bundle: str, proxy: str) -> http.Settings:
    return http.Settings(frozenset(origins), ADAPTERS[provider].host_suffixes, ca_bundle, proxy)


def session_for(provider: str) -> http.Session:
    """The process' pooled session for this provider; its allow-list is the operator's origins beside its own hosts."""
    chosen = _http_settings(provider, origins(provider), settings.OUTBOUND_CA_BUNDLE, settings.OUTBOUND_PROXY)
    return http.session(chosen)


def origins(provider: str) -> tuple[str, ...]:
    """The operator's own origins for this provider, matched exactly."""
    urls = {
        SALESFORCE: settings.SALESFORCE_ORIGINS,
        "google": (
            settings.GOOGLE_OAUTH_URL,
            settings.GOOGLE_GMAIL_URL,
            settings.GOOGLE_CALENDAR_URL,
            settings.GOOGLE_JWKS_URL,
        ),
        "microsoft": (settings.MICROSOFT_LOGIN_URL, settings.MICROSOFT_GRAPH_URL),
    }
    return ADAPTERS[provider].operators(urls[provider])


def client_of(grant: Grant, provider: str) -> oauth.Client | None:
    """The client that a grant was given to, its secret opened; None where it is no longer configured. Raises
    AppUnusable; KekUnusable and Transient as the key's provider does."""
    return registrations.client_of(grant.login_url, grant.client_id, provider)


def refresh(grant: Grant, provider: str, client: oauth.Client | None) -> oauth.RawAnswer:
    """Present the refresh token, once. Raises Transient, PermissionMissing (no client is configured)."""
    if grant.refresh_token is None:
        raise ValueError("this grant cannot be renewed")
    if client is None:
        raise PermissionMissing(_NO_CLIENT, provider=provider, code="client_refused")
    outbound.give_back_database()
    return of(provider).refresh(_server_of(grant), client, grant.refresh_token, session_for(provider))


def tokens_in(body: Secret, provider: str) -> TokenSet:
    """What a kept answer says; its refresh token alone where nothing else is of use. Raises HostNotAllowed,
    Transient."""
    return of(provider).parse(oauth.RawAnswer(200, body), origins(provider), partly=True)


def remnant_of(body: Secret, provider: str) -> TokenSet:
    """Refresh token and person of a kept answer, whatever host it names: for ending it only."""
    return of(provider).remnant(oauth.RawAnswer(200, body))


def error_in(answer: oauth.RawAnswer, provider: str) -> ProviderError:
    """The failure that a refusing answer stands for."""
    try:
        of(provider).parse(answer, origins(provider))
    except ProviderError as error:
        return error
    raise ValueError("the answer is no refusal")


def is_same_person(one: str, other: str, provider: str) -> bool:
    """Whether two identities of token answers name the same person; nonsense names nobody."""
    return of(provider).same_person(one, other, origins(provider))


def revoke(grant: Grant, provider: str) -> None:
    """End a grant at its provider; revoking the refresh token ends its access tokens too. Raises Transient."""
    outbound.give_back_database()
    of(provider).revoke(_server_of(grant), grant.refresh_token or grant.access_token, session_for(provider))


def may_revoke(provider: str, subject: str, client_id: str) -> bool:
    """Whether a person's grant to a client can be ended there without ending one that is in use.

    Google ends all of a person's grants to an app together (googleapis/google-auth-library-nodejs issue 1338), so
    while any organization here has a connection of that account with the same app, an older grant of it is only
    wiped; so is one of which nobody knows whose it is (""). An app that is not known ("") may be any."""
    spoken = of(provider)
    if not spoken.revokes or not spoken.revokes_all:
        return spoken.revokes
    dead = (State.CONNECTING, State.NEEDS_RECONNECT, *ENDED)
    used = Connection.objects.filter(provider=provider, subject=subject).exclude(state__in=dead)
    apps = {spoken.app_of(used_by) for used_by in used.values_list("client_id", flat=True)}
    return bool(subject) and (apps.isdisjoint({spoken.app_of(client_id), ""}) if client_id else not apps)


def account(provider: str, tokens: TokenSet) -> Account:
    """Who has just consented. Raises from providers.errors."""
    outbound.give_back_database()
    return of(provider).account(tokens, session_for(provider))


def works(grant: Grant, provider: str, subject: str = "") -> bool:
    """Whether the access token of a grant is accepted just now, as `subject`'s unless that is ""; costs no API call.
    Raises Transient."""
    outbound.give_back_database()
    return of(provider).works(grant.access_token, grant.api_url, session_for(provider), subject)


def server_at(provider: str, login_url: str) -> oauth.Server:
    """The endpoints of a checked login URL. Raises HostNotAllowed, Transient, and NotAllowedHere (503) where too
    many wait for a host's answer; a host that is known already costs nobody a wait."""
    session = session_for(provider)
    known = of(provider).known(login_url, session)
    if known is not None:
        return known
    with outbound.sign_ins.waiting(login_url):
        outbound.give_back_database()
        return of(provider).server(login_url, session)


def exchange(
    provider: str, server: oauth.Server, client: oauth.Client, *, code: Secret, verifier: Secret, redirect_uri: str
) -> TokenSet:
    """An authorization code for tokens, which may be good for nothing but to be ended (providers/protocol.py). Raises
    from providers.errors."""
    outbound.give_back_database()
    return of(provider).exchange(
        server, client, code=code, code_verifier=verifier, redirect_uri=redirect_uri, http=session_for(provider)
    )


def grant_from(tokens: TokenSet, server: oauth.Server, client_id: str, since: datetime, page_url: str = "") -> Grant:
    """A fresh token answer with the hosts that it is for, ready to be sealed. Asks nobody: with the tokens in hand, a
    database that is away must not be the end of them.

    `since`: the database's time before they were asked for. `page_url`: origin of the provider's own pages, for links;
    "" where nobody needs one."""
    return Grant(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        client_id=client_id,
        login_url=server.login_url,
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        api_url=tokens.api_url,
        page_url=page_url,
        identity=tokens.identity,
        scopes=tokens.scopes,
        expires_at=_end(since, tokens.lifetime),
        ends_at=_end(since, tokens.refresh_lifetime),
    )


def _end(since: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else since + timedelta(seconds=seconds)


def _server_of(grant: Grant) -> oauth.Server:
    """The endpoints that were sealed with the grant, not what a host announces today (C5, docs/vault.md 2)."""
    return oauth.Server(grant.login_url, grant.issuer, "", grant.token_endpoint, grant.revocation_endpoint)
