"""What only Salesforce has: login hosts, records, identity. The rest is in dialects.py. Holds no token."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.conf import settings

from providers import http, oauth
from providers.activities import Activities, Capabilities
from providers.base import Access, Crm, Identity, Priority, TokenSet, TokenSource
from providers.registry import ADAPTERS
from providers.salesforce import access, filing, hosts, identity
from providers.salesforce.access import AccessStore, ObjectAccess
from providers.salesforce.budget import ApiBudget, Budgets
from providers.salesforce.oauth import identity_ids
from providers.salesforce.transport import FixedToken, Wire
from vault import dialects, outbound
from vault.grants import Grant
from vault.models import SALESFORCE

PROVIDER = SALESFORCE


def session() -> http.Session:
    """The process' pooled session; its allow-list is the operator's origins beside Salesforce's own domains."""
    return dialects.session_for(PROVIDER)


def origins() -> tuple[str, ...]:
    return dialects.origins(PROVIDER)


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


def grant_from(tokens: TokenSet, server: oauth.Server, client_id: str, since: datetime) -> Grant:
    """As dialects.grant_from; the grant knows where Salesforce's own pages are."""
    page_url = hosts.page_url(tokens.api_url, server.authorization_endpoint, origins())
    named = replace(
        tokens, scopes=tokens.scopes or dialects.of(PROVIDER).scopes_for(())
    )  # RFC 6749 section 5.1: none named means as asked
    return dialects.grant_from(named, server, client_id, since, page_url)


def identify(grant: Grant) -> Identity:
    """Who a fresh grant belongs to, in Salesforce's own words (C11). Raises from providers.errors."""
    outbound.give_back_database()
    return identity.identify(
        _token_set(grant), session(), api_version=settings.SALESFORCE_API_VERSION, login_url=grant.login_url
    )


def org_id_of(grant: Grant) -> str:
    """The organization that the grant's identity names, 18 characters. Raises Rejected where it names none."""
    return identity_ids(grant.identity, origins(), login_url=grant.login_url or None)[0]


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


def activities(
    tokens: TokenSource, store: AccessStore, organization_id: UUID, *, priority: Priority, prefers_task: bool
) -> Activities:
    """As `crm`, to file mails."""
    build = ADAPTERS[PROVIDER].activities
    if build is None:
        raise LookupError("Salesforce has no adapter that files mails")
    budget, version = _budgets.of(str(organization_id)), settings.SALESFORCE_API_VERSION
    return build(tokens, store, budget, session(), version, priority=priority, prefers_task=prefers_task)


def filing_of(kept: ObjectAccess) -> Capabilities | None:
    """None where the objects that filing touches were not described yet."""
    return None if filing.missing(kept) else filing.ways(kept).capabilities()


def current_access(tokens: TokenSource, organization_id: UUID) -> ObjectAccess:
    """What the person may see now; background work, so it is shed early. Raises from providers.errors."""
    budget = _budgets.of(str(organization_id))
    return access.fetch(Wire(tokens, session(), budget, settings.SALESFORCE_API_VERSION, Priority.BACKGROUND))
