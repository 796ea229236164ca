"""The one door for products: an authorised client for a member's connection, never a token."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings

from organizations.models import Member
from organizations.ramcache import RamCache
from providers.activities import Activities, Capabilities
from providers.base import Crm, Priority
from providers.mail import Mailbox
from providers.registry import ADAPTERS
from vault import access, consent, dialects, leases, salesforce, states
from vault.errors import ConnectRequired, TokenTampered
from vault.leases import Lease
from vault.models import SALESFORCE, Connection
from vault.tokens import ConnectionTokens
from vault.watched import Watched, WatchedActivities, WatchedMailbox, note_refusal


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """Names a live grant without holding any of it. `can_renew` is false where the person granted no refresh_token:
    background work is off then (C10)."""

    id: UUID
    organization_id: UUID
    member_id: UUID
    provider: str
    scopes: tuple[str, ...]

    @property
    def can_renew(self) -> bool:
        """Google and Microsoft are connected with lasting access or not at all (vault.mailboxes)."""
        return self.provider != SALESFORCE or "refresh_token" in self.scopes or "offline_access" in self.scopes


_refs: RamCache[tuple[UUID, str], ConnectionRef] = RamCache(maxsize=50_000, ttl=300)
_refs.forget_on("connection", lambda _, ref: ref.id)
_refs.forget_on("member", lambda _, ref: ref.member_id)
_refs.forget_on("organization", lambda _, ref: ref.organization_id)


def salesforce_connection_of(member: Member) -> ConnectionRef:
    """See `connection_of`."""
    return connection_of(member, SALESFORCE)


def connection_of(member: Member, provider: str, feature: str = "") -> ConnectionRef:
    """The member's live grant at a provider; no query when warm. `feature` ("email", "calendar"): what it is to be
    used for, where its scopes must cover that.

    Raises ConnectRequired when there is none, NeedsReconnect when only connecting again helps, PermissionMissing with
    the code `scope_missing` where a scope was not granted. None of these costs a call."""
    ref = _refs.get_or_load((member.pk, provider), lambda: _load_ref(member.pk, provider))
    if feature:
        consent.require(provider, ref.scopes, feature)
    return ref


def _load_ref(member_id: UUID, provider: str) -> ConnectionRef:
    rows = Connection.objects.filter(member_id=member_id, provider=provider, member__is_active=True)
    row = rows.order_by("-connected_at").first()
    if row is None:
        raise ConnectRequired(provider)
    states.require_usable(row)
    return ConnectionRef(row.id, row.organization_id, row.member_id, provider, tuple(row.scopes))


def crm_for(connection: ConnectionRef, purpose: str) -> Crm:
    """A CRM client that acts as this connection's person. `purpose` (`sidebar.lookup`) goes into the audit log.

    Raises NeedsReconnect, Transient, ConnectRequired, TokenTampered."""
    tokens = ConnectionTokens(connection.id, purpose)
    page_url = _lease_of(connection, tokens).page_url
    crm = salesforce.crm(tokens, access.Store(connection.id), connection.organization_id, page_url)
    return Watched(
        crm,
        on_success=lambda: leases.note_success(connection.id),
        on_refusal=lambda error: note_refusal(connection.id, tokens, error),
    )


def activities_for(
    connection: ConnectionRef, purpose: str, *, priority: Priority = Priority.BACKGROUND, prefers_task: bool = False
) -> Activities:
    """Files mails as this connection's person. `prefers_task`: as tasks although there is EmailMessage. `purpose`
    (`sync.write`) goes into the audit log.

    Raises NeedsReconnect, Transient, ConnectRequired, TokenTampered."""
    tokens = ConnectionTokens(connection.id, purpose)
    _lease_of(connection, tokens)
    store, organization = access.Store(connection.id), connection.organization_id
    return WatchedActivities(
        salesforce.activities(tokens, store, organization, priority=priority, prefers_task=prefers_task),
        on_success=lambda: leases.note_success(connection.id),
        on_refusal=lambda error: note_refusal(connection.id, tokens, error),
    )


def described_filing(connection_id: UUID) -> Capabilities | None:
    """How this connection's person may file mails, as far as that has been described. No call."""
    kept = access.load(connection_id)
    return salesforce.filing_of(kept) if kept else None


def mailbox_for(connection: ConnectionRef, purpose: str) -> Mailbox:
    """The mailbox of this connection's person, to read. `purpose` (`sync.pull`) goes into the audit log.

    Raises LookupError where the provider keeps no mail; NeedsReconnect, Transient, ConnectRequired, TokenTampered."""
    build = ADAPTERS[connection.provider].mailbox
    if build is None:
        raise LookupError(f"{connection.provider} keeps no mail")
    tokens = ConnectionTokens(connection.id, purpose)
    _lease_of(connection, tokens)
    base_url = {"google": settings.GOOGLE_GMAIL_URL, "microsoft": settings.MICROSOFT_GRAPH_URL}[connection.provider]
    return WatchedMailbox(
        build(tokens, dialects.session_for(connection.provider), base_url),
        on_success=lambda: leases.note_success(connection.id),
        on_refusal=lambda error: note_refusal(connection.id, tokens, error),
    )


def _lease_of(connection: ConnectionRef, tokens: ConnectionTokens) -> Lease:
    """A lease that is held already was compared with the row when it was opened, which may name another by now."""
    lease = tokens.lease()
    if lease.member_id != connection.member_id:
        raise TokenTampered("A connection names another member than its grant was given to.")
    return lease


def warm_up() -> None:
    """Pay for the providers' slow imports when a process starts, not in the first person's look-up."""
    for adapter in ADAPTERS.values():
        adapter.warm_up()


def reconnect_url(provider: str, next: str = "") -> str:  # noqa: A002  the query parameter's own name
    """The absolute address where the person connects (again); `next` is a same-site path to come back to."""
    query = f"?{urlencode({'next': next})}" if next else ""
    return f"{settings.PUBLIC_URL}/connect/{provider}/{query}"
