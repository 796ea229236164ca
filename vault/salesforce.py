"""The vault's side of Salesforce: sessions, endpoints and clients, put together from settings. Holds no token."""

from collections.abc import Mapping
from functools import lru_cache
from uuid import UUID

from django.conf import settings

from providers import http, oauth
from providers.base import Access, Crm, Identity, Priority, Secret, TokenSet, TokenSource
from providers.errors import PermissionMissing, ProviderError
from providers.registry import ADAPTERS
from providers.salesforce import access, hosts, identity
from providers.salesforce.access import AccessStore, ObjectAccess
from providers.salesforce.budget import ApiBudget, Budgets
from providers.salesforce.transport import FixedToken, Wire
from vault import outbound, registrations
from vault.grants import Grant

PROVIDER = "salesforce"


@lru_cache(maxsize=4)
def _http_settings(origins: tuple[str, ...], ca_bundle: str, proxy: str) -> http.Settings:
    return http.Settings(frozenset(origins), hosts.SUFFIXES, ca_bundle, proxy)


def session() -> http.Session:
    """The process' pooled session; its allow-list is the operator's origins beside Salesforce's own domains."""
    chosen = _http_settings(origins(), settings.OUTBOUND_CA_BUNDLE, settings.OUTBOUND_PROXY)
    return http.session(chosen)


def origins() -> tuple[str, ...]:
    return tuple(settings.SALESFORCE_ORIGINS)


def login_url(text: str) -> str:
    """The checked login URL of what a person typed. Raises HostNotAllowed."""
    return hosts.login_url(text, origins())


def login_choices() -> Mapping[str, str]:
    """Login URL -> label, for the choice page: those the operator names, Salesforce's two doors, else his origins."""
    named: Mapping[str, str] = settings.SALESFORCE_LOGINS
    doors = {hosts.PRODUCTION: "Production", hosts.SANDBOX: "Sandbox"}
    if named:
        return {**named, **doors}
    return doors | {origin.rstrip("/"): origin.rstrip("/") for origin in origins() if origin.startswith("https://")}


def refresh(grant: Grant) -> oauth.RawAnswer:
    """Present the refresh token, once. Raises Transient, PermissionMissing (no client is configured)."""
    if grant.refresh_token is None:
        raise ValueError("this grant cannot be renewed")
    client = _client_of(grant)
    outbound.give_back_database()
    return oauth.refresh(_server_of(grant), client, grant.refresh_token, session())


def tokens_in(body: bytes) -> TokenSet:
    """What a kept answer says. Raises HostNotAllowed, Transient."""
    return oauth.parse_token_answer(oauth.RawAnswer(200, Secret(body.decode())), origins())


def error_in(answer: oauth.RawAnswer) -> ProviderError:
    """The failure that a refusing answer stands for."""
    try:
        oauth.parse_token_answer(answer, origins())
    except ProviderError as error:
        return error
    raise ValueError("the answer is no refusal")


def is_same_person(one: str, other: str) -> bool:
    """Whether two identity URLs name the same user of the same organization; hosts may differ, nonsense may not."""
    try:
        return oauth.identity_ids(one, origins()) == oauth.identity_ids(other, origins())
    except ProviderError:
        return False


def revoke(grant: Grant) -> None:
    """End a grant at Salesforce; revoking the refresh token ends its access tokens too. Raises Transient."""
    outbound.give_back_database()
    oauth.revoke(_server_of(grant), grant.refresh_token or grant.access_token, session())


def works(grant: Grant) -> bool:
    """Whether the access token of a grant is accepted just now; costs no API call. Raises Transient."""
    url = f"{hosts.api_url(grant.api_url, origins())}/services/oauth2/userinfo"
    outbound.give_back_database()
    return http.ask(session(), "GET", url, is_write=False, auth=http.Bearer(grant.access_token)).status_code == 200


def server_at(login_url: str) -> oauth.Server:
    """The endpoints below a checked login URL. Raises HostNotAllowed, Transient, and NotAllowedHere (503) where too
    many wait for a host's answer; a host that is known already costs nobody a wait."""
    known = oauth.known(login_url, session())
    if known is not None:
        return known
    with outbound.sign_ins.waiting(login_url):
        outbound.give_back_database()
        return oauth.discover(login_url, session())


def exchange(client: oauth.Client, server: oauth.Server, code: Secret, verifier: Secret, uri: str) -> TokenSet:
    """An authorization code for tokens. Raises from providers.errors."""
    outbound.give_back_database()
    return oauth.exchange(server, client, code=code, code_verifier=verifier, redirect_uri=uri, http=session())


def grant_from(tokens: TokenSet, server: oauth.Server, client_id: str) -> Grant:
    """A fresh token answer with the hosts that it is for, ready to be sealed."""
    return Grant(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        client_id=client_id,
        login_url=server.login_url,
        issuer=server.issuer,
        token_endpoint=server.token_endpoint,
        revocation_endpoint=server.revocation_endpoint,
        api_url=tokens.api_url,
        page_url=hosts.page_url(tokens.api_url, server.authorization_endpoint, origins()),
        identity=tokens.identity,
        scopes=tokens.scopes or oauth.SCOPES,  # RFC 6749 section 5.1: none named means as asked for
        expires_at=tokens.expires_at,
    )


def _server_of(grant: Grant) -> oauth.Server:
    """The endpoints that were sealed with the grant, not what a host announces today (C5, docs/vault.md 2)."""
    return oauth.Server(grant.login_url, grant.issuer, "", grant.token_endpoint, grant.revocation_endpoint)


def _client_of(grant: Grant) -> oauth.Client:
    client = registrations.client_of(grant.login_url, grant.client_id)
    if client is None:
        text = "The app that this connection was made with is no longer configured; an administrator must restore it."
        raise PermissionMissing(text, provider=PROVIDER)
    return client


def identify(grant: Grant) -> Identity:
    """Who a fresh grant belongs to, in Salesforce's own words (C11). Raises from providers.errors."""
    outbound.give_back_database()
    return identity.identify(
        _token_set(grant), session(), api_version=settings.SALESFORCE_API_VERSION, login_url=grant.login_url
    )


def object_access(grant: Grant) -> ObjectAccess:
    """What the person may see, in one call. Raises PermissionMissing where the API is not open to him."""
    tokens = FixedToken(Access(grant.access_token, grant.api_url))
    return access.fetch(Wire(tokens, session(), ApiBudget(), settings.SALESFORCE_API_VERSION, Priority.INTERACTIVE))


def _token_set(grant: Grant) -> TokenSet:
    return TokenSet(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        scopes=grant.scopes,
        api_url=grant.api_url,
        expires_at=grant.expires_at,
        identity=grant.identity,
    )


_budgets = Budgets()


def crm(tokens: TokenSource, store: AccessStore, organization_id: UUID, page_url: str) -> Crm:
    """A client over `tokens`; all clients of an organization count into one API budget of this process."""
    build = ADAPTERS[PROVIDER].crm
    if build is None:
        raise LookupError("Salesforce has no CRM adapter")
    budget = _budgets.of(str(organization_id))
    return build(tokens, store, budget, session(), settings.SALESFORCE_API_VERSION, page_url)


def current_access(tokens: TokenSource, organization_id: UUID) -> ObjectAccess:
    """What the person may see now; background work, so it is shed early. Raises from providers.errors."""
    budget = _budgets.of(str(organization_id))
    return access.fetch(Wire(tokens, session(), budget, settings.SALESFORCE_API_VERSION, Priority.BACKGROUND))
