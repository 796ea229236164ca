"""Which OAuth client we are at a login host: the operator's app, or an organization's own. Secrets stay sealed."""

from uuid import UUID

from django.conf import settings
from django.db import transaction

from organizations import audit
from organizations.models import Organization
from providers.base import Secret
from providers.oauth import Client
from vault import keys, sealing
from vault.cipher import Place
from vault.models import ClientRegistration

PROVIDER = "salesforce"


def client_at(login_url: str, provider: str = PROVIDER) -> Client | None:
    """The client for a new sign-in at this host; None when neither the host nor the operator has one."""
    row = ClientRegistration.objects.filter(provider=provider, login_url=login_url).first()
    return _opened(row) if row else _default(provider)


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
    return Place(owner, "vault_clientregistration", row.id, "sealed_secret", where)


def _opened(row: ClientRegistration) -> Client:
    if row.sealed_secret is None:
        return Client(row.client_id, None)
    return Client(row.client_id, Secret(sealing.unseal(bytes(row.sealed_secret), _place(row)).decode()))


def register(login_url: str, client_id: str, secret: Secret | None, organization_id: UUID | None) -> None:
    """Set the client for a login host (already checked by the allow-list), replacing an earlier one."""
    with transaction.atomic():
        ClientRegistration.objects.filter(provider=PROVIDER, login_url=login_url).delete()
        row = ClientRegistration(
            provider=PROVIDER, login_url=login_url, client_id=client_id, organization_id=organization_id
        )
        if secret:
            row.sealed_secret = sealing.seal(secret.reveal().encode(), _place(row))
        row.save()
        _record(organization_id, "client.registered", login_url)


def unregister(login_url: str) -> bool:
    with transaction.atomic():
        row = ClientRegistration.objects.filter(provider=PROVIDER, login_url=login_url).first()
        if row is None:
            return False
        _record(row.organization_id, "client.unregistered", login_url)
        row.delete()
    return True


def organization_named(salesforce_org_id: str) -> Organization | None:
    return Organization.objects.filter(salesforce_org_id=salesforce_org_id).first()


def _record(organization_id: UUID | None, action: str, login_url: str) -> None:
    """What the operator does for the whole installation belongs to no organization's chain."""
    if organization_id is not None:
        audit.record(organization_id, "operator", action, login_url)
