"""Which OAuth client we are at a login host: the operator's app, or an organization's own. Secrets stay sealed."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from organizations import audit
from providers.base import Secret
from providers.oauth import Client
from providers.salesforce import hosts
from vault import keys, sealing
from vault.cipher import Place
from vault.errors import TokenTampered
from vault.models import SALESFORCE, ClientGeneration, ClientRegistration, Connection


def client_at(login_url: str, provider: str = SALESFORCE, organization_id: UUID | None = None) -> Client | None:
    """The client for connecting anew: the host's or the organization's own, else the operator's; None without one."""
    row = _rows(provider, login_url, organization_id).first()
    return _opened(row) if row else _default(provider)


def _rows(provider: str, login_url: str, organization_id: UUID | None) -> QuerySet[ClientRegistration]:
    """What is registered for a host and, but for Salesforce, this organization; its own before everybody's."""
    rows = ClientRegistration.objects.filter(provider=provider, login_url=login_url)
    if provider == SALESFORCE:
        return rows
    mine = Q(organization=organization_id) if organization_id else Q(organization__isnull=True)
    return rows.filter(mine | Q(organization__isnull=True)).order_by(F("organization").asc(nulls_last=True))


def client_of(login_url: str, client_id: str, provider: str) -> Client | None:
    """The client that an existing grant was given to: a refresh under any other would be refused."""
    rows = ClientRegistration.objects.filter(provider=provider, client_id=client_id)
    row = rows.filter(login_url=login_url).first() or rows.first()
    default = _default(provider)
    if row is None:
        return default if default and default.client_id == client_id else None
    return _opened(row)


def _default(provider: str) -> Client | None:
    client_id = getattr(settings, f"{provider.upper()}_CLIENT_ID")
    secret = getattr(settings, f"{provider.upper()}_CLIENT_SECRET")
    return Client(client_id, Secret(secret) if secret else None) if client_id else None


@sealing.column(ClientRegistration, "sealed_secret")
def _place(row: ClientRegistration) -> Place:
    """The login URL and client id are part of the place: a secret cannot be pointed at another host by SQL."""
    where = f"{row.provider} {row.login_url} {row.client_id}"
    owner = row.organization_id or keys.INSTANCE
    return Place(owner, "vault_clientregistration", row.id, "sealed_secret", where, row.generation)


def _opened(row: ClientRegistration) -> Client:
    """Raises TokenTampered, for an earlier row put back as well: which one is the newest stands in another table."""
    slot = slot_of(row.provider, row.login_url, row.organization_id)
    if not ClientGeneration.objects.filter(slot=slot, generation=row.generation).exists():
        raise TokenTampered("A client registration is of another generation than its login host.")
    if row.sealed_secret is None:
        return Client(row.client_id, None)
    return Client(row.client_id, Secret(sealing.unseal(bytes(row.sealed_secret), _place(row)).decode()))


def register(
    login_url: str,
    client_id: str,
    secret: Secret | None,
    organization_id: UUID | None,
    provider: str = SALESFORCE,
) -> None:
    """Set the client for a login host (already checked by the allow-list), replacing an earlier one."""
    if secret:
        keys.primary_key(organization_id or keys.INSTANCE)  # before the transaction: a key service is asked over HTTP
    with transaction.atomic():
        _registered(provider, login_url, organization_id).delete()
        row = ClientRegistration(
            provider=provider, login_url=login_url, client_id=client_id, organization_id=organization_id
        )
        row.generation = _next_generation(provider, login_url, organization_id)
        if secret:
            row.sealed_secret = sealing.seal(secret.reveal().encode(), _place(row))
        row.save()
        _record(organization_id, "client.registered", login_url)


def hand_over(login_url: str, organization_id: UUID) -> bool:
    """What was set for a customer's login host before anybody had signed in there becomes that customer's, sealed anew
    under its key, and goes with it (C37). Not at login and test.salesforce.com, where everybody signs in.

    True where there was something. Raises VaultError, Transient; call outside transactions."""
    unclaimed = ClientRegistration.objects.filter(provider=SALESFORCE, login_url=login_url, organization=None)
    row = unclaimed.first() if login_url not in (hosts.PRODUCTION, hosts.SANDBOX) else None
    if row is None or _is_shared(login_url, organization_id):
        return False
    _opened(row)  # before the transaction: a key service is asked over HTTP
    keys.primary_key(organization_id)
    with transaction.atomic():
        row = unclaimed.select_for_update().first()
        if row is not None:
            register(login_url, row.client_id, _opened(row).client_secret, organization_id)
    return row is not None


def _is_shared(login_url: str, organization_id: UUID) -> bool:
    """An operator's own origin may be the door of several organizations."""
    there = Connection.objects.filter(provider=SALESFORCE, login_url=login_url)
    return there.exclude(organization=organization_id).exists()


def unregister(login_url: str, provider: str = SALESFORCE, organization_id: UUID | None = None) -> bool:
    with transaction.atomic():
        row = _registered(provider, login_url, organization_id).first()
        if row is None:
            return False
        _record(row.organization_id, "client.unregistered", login_url)
        _next_generation(provider, login_url, row.organization_id)
        row.delete()
    return True


def _registered(provider: str, login_url: str, organization_id: UUID | None) -> QuerySet[ClientRegistration]:
    """Exactly the one that `register` writes."""
    rows = ClientRegistration.objects.filter(provider=provider, login_url=login_url)
    return rows if provider == SALESFORCE else rows.filter(organization=organization_id)


def slot_of(provider: str, login_url: str, organization_id: UUID | None) -> str:
    """Names what can have one registration: as `_registered` finds it."""
    return " ".join((provider, login_url, *((str(organization_id),) if provider != SALESFORCE else ())))


def _next_generation(provider: str, login_url: str, organization_id: UUID | None) -> int:
    """In the caller's transaction; whoever sets the same client at once waits."""
    slot = slot_of(provider, login_url, organization_id)
    row, _ = ClientGeneration.objects.select_for_update().get_or_create(slot=slot)
    row.generation += 1
    row.organization_id = organization_id
    row.save()
    return row.generation


def _record(organization_id: UUID | None, action: str, login_url: str) -> None:
    """What the operator does for everybody belongs to no organization's chain."""
    audit.record(organization_id or audit.INSTALLATION, "operator", action, login_url)
