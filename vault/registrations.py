"""Which OAuth client we are at a login host: the operator's app, or an organization's own. Secrets stay sealed."""

import logging
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce, Concat

from organizations import audit
from providers.base import Secret
from providers.oauth import Client
from providers.registry import ADAPTERS
from providers.salesforce import hosts
from vault import keys, sealing
from vault.cipher import Place
from vault.errors import AppUnusable, KeyGone, TokenTampered
from vault.models import SALESFORCE, ClientGeneration, ClientRegistration, Connection

log = logging.getLogger("sidebar.vault")

#: Where everybody signs in: these name no customer, and belong to none.
_EVERYBODYS = (hosts.PRODUCTION, hosts.SANDBOX)


def client_at(login_url: str, provider: str = SALESFORCE, organization_id: UUID | None = None) -> Client | None:
    """The client for connecting anew: the host's or the organization's own, else the operator's; None without one.

    Raises AppUnusable; KekUnusable and Transient as the key's provider does."""
    row = _current(_rows(provider, login_url, organization_id)).first()
    return _opened(row) if row else _default(provider)


def is_there(login_url: str, provider: str = SALESFORCE, organization_id: UUID | None = None) -> bool:
    """Whether `client_at` has a client to open. Opens none."""
    return _default(provider) is not None or _rows(provider, login_url, organization_id).exists()


def unusable() -> Iterator[ClientRegistration]:
    """What does not open any more. Raises KekUnusable and Transient as the key's provider does."""
    for row in _current(ClientRegistration.objects.order_by("provider", "login_url")):
        try:
            _opened(row)
        except AppUnusable:
            yield row


def _rows(provider: str, login_url: str, organization_id: UUID | None) -> QuerySet[ClientRegistration]:
    """What is registered for a host and, but for Salesforce, this organization; its own before everybody's."""
    rows = ClientRegistration.objects.filter(provider=provider, login_url=login_url)
    if provider == SALESFORCE:
        return rows
    mine = Q(organization=organization_id) if organization_id else Q(organization__isnull=True)
    return rows.filter(mine | Q(organization__isnull=True)).order_by(F("organization").asc(nulls_last=True))


def client_of(login_url: str, client_id: str, provider: str) -> Client | None:
    """The client that an existing grant was given to: a refresh under any other would be refused. Raises as
    `client_at`."""
    rows = _current(ClientRegistration.objects.filter(provider=provider, client_id=client_id))
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


def _current(rows: QuerySet[ClientRegistration]) -> QuerySet[ClientRegistration]:
    """Each with the newest generation of its slot (`slot_of`), read in one statement: else one that is being replaced
    at this moment would look like an old one put back."""
    whose = Concat(Value(" "), Coalesce(Cast("organization_id", CharField()), Value("None")))
    named = Concat("provider", Value(" "), "login_url", output_field=CharField())
    everywhere = rows.annotate(slot=Concat(named, Case(When(provider=SALESFORCE, then=Value("")), default=whose)))
    newest = ClientGeneration.objects.filter(slot=OuterRef("slot")).values("generation")
    return everywhere.annotate(newest=Subquery(newest))


def _opened(row: ClientRegistration) -> Client:
    """Of a row that `_current` has read. Raises AppUnusable, for an earlier row put back as well: which one is the
    newest stands in another table."""
    try:
        return Client(row.client_id, _secret_in(row))
    except (TokenTampered, KeyGone) as error:
        log.error("the stored app %s does not open: %s", row.pk, type(error).__name__)
        raise AppUnusable(ADAPTERS[row.provider].oauth.label) from None


def _secret_in(row: ClientRegistration) -> Secret | None:
    if getattr(row, "newest") != row.generation:  # noqa: B009  annotated
        raise TokenTampered("A client registration is of another generation than its login host.")
    if row.sealed_secret is None:
        return None
    return Secret(sealing.unseal(bytes(row.sealed_secret), _place(row)).decode())


def register(
    login_url: str,
    client_id: str,
    secret: Secret | None,
    organization_id: UUID | None,
    provider: str = SALESFORCE,
) -> None:
    """Set the client for a login host (already checked by the allow-list), replacing an earlier one.

    Where no organization is named it stays theirs whose it was, and goes with them (C37)."""
    row = ClientRegistration(provider=provider, login_url=login_url, client_id=client_id)
    row.organization_id = organization_id or _owner_of(provider, login_url)
    if secret:
        keys.primary_key(row.organization_id or keys.INSTANCE)  # before the transaction: a key service is asked by HTTP
    if not _replaced(row, secret, is_theirs=organization_id is not None):
        register(login_url, client_id, secret, None, provider)  # it was handed over meanwhile, which happens once


def _replaced(row: ClientRegistration, secret: Secret | None, *, is_theirs: bool) -> bool:
    """False, and nothing is done, where the login host has become another's since `row` was made for its owner."""
    with transaction.atomic():
        slot = _locked_slot(row.provider, row.login_url, row.organization_id)
        if slot.organization_id != row.organization_id and not is_theirs:
            return False
        _registered(row.provider, row.login_url, row.organization_id).delete()
        row.generation = _next_generation(slot, row.organization_id)
        if secret:
            row.sealed_secret = sealing.seal(secret.reveal().encode(), _place(row))
        row.save()
        _record(row.organization_id, "client.registered", row.login_url)
    return True


def hand_over(login_url: str, organization_id: UUID) -> bool:
    """What was set for a customer's login host before anybody had signed in there becomes that customer's, sealed anew
    under its key, and goes with it (C37); where it was removed again, so does what remembers it. Not at login and
    test.salesforce.com, where everybody signs in, nor at an origin of the operator's, which several may share: there
    he says himself whose it is.

    True where there was something. Raises VaultError, Transient; call outside transactions."""
    slot = ClientGeneration.objects.filter(slot=slot_of(SALESFORCE, login_url, None), organization=None)
    is_theirs = hosts.is_one_orgs(login_url, settings.SALESFORCE_ORIGINS)
    if not is_theirs or not slot.exists() or _is_shared(login_url, organization_id):
        return False
    row = _current(_registered(SALESFORCE, login_url, None)).first()
    client = _opened(row) if row else None  # before the transaction: a key service is asked over HTTP
    keys.primary_key(organization_id)
    with transaction.atomic():
        if not slot.select_for_update().exists() or _registered(SALESFORCE, login_url, None).first() != row:
            return False  # somebody has been at it meanwhile; the next sign-in looks again
        if client is not None:
            register(login_url, client.client_id, client.client_secret, organization_id)
        slot.update(organization=organization_id)
    return True


def _is_shared(login_url: str, organization_id: UUID) -> bool:
    """Somebody of another organization has signed in there, whatever the address says."""
    there = Connection.objects.filter(provider=SALESFORCE, login_url=login_url)
    return there.exclude(organization=organization_id).exists()


def unregister(login_url: str, provider: str = SALESFORCE, organization_id: UUID | None = None) -> bool:
    with transaction.atomic():
        slots = ClientGeneration.objects.filter(slot=slot_of(provider, login_url, organization_id))
        slot = slots.select_for_update().first()
        row = _registered(provider, login_url, organization_id).first()
        if slot is None or row is None:
            return False
        _next_generation(slot, row.organization_id)
        row.delete()
        _record(row.organization_id, "client.unregistered", login_url)
    return True


def _registered(provider: str, login_url: str, organization_id: UUID | None) -> QuerySet[ClientRegistration]:
    """Exactly the one that `register` writes."""
    rows = ClientRegistration.objects.filter(provider=provider, login_url=login_url)
    return rows if provider == SALESFORCE else rows.filter(organization=organization_id)


def slot_of(provider: str, login_url: str, organization_id: UUID | None) -> str:
    """Names what can have one registration: as `_registered` finds it."""
    return " ".join((provider, login_url, *((str(organization_id),) if provider != SALESFORCE else ())))


def _owner_of(provider: str, login_url: str) -> UUID | None:
    """Whose a login host is; remembered also while nothing is registered for it."""
    slots = ClientGeneration.objects.filter(slot=slot_of(provider, login_url, None))
    return slots.values_list("organization_id", flat=True).first()


def _locked_slot(provider: str, login_url: str, organization_id: UUID | None) -> ClientGeneration:
    """In the caller's transaction, before anything else is locked; whoever sets the same client at once waits."""
    name = slot_of(provider, login_url, organization_id)
    return ClientGeneration.objects.select_for_update().get_or_create(slot=name)[0]


def _next_generation(slot: ClientGeneration, organization_id: UUID | None) -> int:
    slot.generation += 1
    slot.organization_id = organization_id
    slot.save()
    return slot.generation


def _record(organization_id: UUID | None, action: str, login_url: str) -> None:
    """What the operator does for everybody belongs to no organization's chain. It outlives every customer, and a
    customer's login host names him, so a fingerprint stands there instead (C37)."""
    if organization_id or login_url in _EVERYBODYS:
        audit.record(organization_id or audit.INSTALLATION, "operator", action, login_url)
    else:
        audit.record(audit.INSTALLATION, "operator", action, audit.fingerprint(login_url))
