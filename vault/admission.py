"""Takes in who has just signed in at Salesforce: member, connection, sealed grant and what he may see, all or nothing.

Asks no provider; who it is and that he may use the API is known by now (connect.py)."""

from contextlib import suppress
from dataclasses import asdict, fields
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from organizations import audit, epochs, membership
from organizations.membership import Arrival
from organizations.models import Member, Organization
from providers.base import Identity
from providers.errors import Transient
from providers.salesforce.access import ObjectAccess
from vault import access, grants, keys, revocation, salesforce, states
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Connection

_ROUNDS = 3


class _NotOpenError(Exception):
    """The organization's key is not in RAM: a colleague has founded it this moment."""


def admit(grant: Grant, identity: Identity, seen: ObjectAccess) -> tuple[Member, list[UUID]]:
    """Returns the member and the grants to revoke. Raises NotWelcome, Transient, KekUnusable."""
    for _ in range(_ROUNDS):
        with suppress(_NotOpenError):
            return _store(grant, identity, seen, _open_keys(identity))
    raise Transient("Your organization is being set up this moment.")


def _open_keys(identity: Identity) -> UUID:
    """Before the transaction, since a key service is asked over HTTP: the organization's, and that of what the person
    has connected. Returns the id of an organization that is new, for which a key is made.

    One that is ending gets none any more, and who is not invited founds none: `join` will refuse them."""
    for connection_id in _known(identity).values_list("pk", flat=True):
        with suppress(TokenTampered, KeyGone):  # no reason not to connect anew
            grants.open_keys(connection_id)
    here, new_id = Organization.objects.filter(salesforce_org_id=identity.salesforce_org_id).first(), uuid4()
    if here is None and membership.may_found(identity.username):
        keys.make_for(new_id)
    if here is not None and here.ending_since is None:
        keys.primary_key(here.pk)
    return new_id


@transaction.atomic
def _store(grant: Grant, identity: Identity, seen: ObjectAccess, new_id: UUID) -> tuple[Member, list[UUID]]:
    membership.wait_for_turn(identity.salesforce_org_id)
    list(_known(identity).select_for_update(of=("self",)).values_list("pk"))  # before all other rows, as in a renewal
    member = membership.join(arrival_of(identity), new_id)
    if not keys.is_open(member.organization_id):
        raise _NotOpenError
    row = _locked_row(member, identity, grant)
    earlier = grants.load_if_any(row) if row.generation else None
    grants.store(row, grant)
    access.save(row.pk, seen)
    _record(row, grant, member, replaced=earlier is not None)
    return member, [revocation.discard(row, earlier)] if earlier and earlier.id != grant.id else []


def _known(identity: Identity) -> QuerySet[Connection]:
    return Connection.objects.filter(
        organization__salesforce_org_id=identity.salesforce_org_id,
        provider=salesforce.PROVIDER,
        subject=identity.salesforce_user_id,
    )


def _locked_row(member: Member, identity: Identity, grant: Grant) -> Connection:
    """The one row of this person's grant (V15), made or taken over. A re-login replaces, never adds (wire.md W4)."""
    Connection.objects.get_or_create(
        organization_id=member.organization_id,
        provider=salesforce.PROVIDER,
        subject=identity.salesforce_user_id,
        defaults={"member": member, "login_url": grant.login_url},
    )
    row = Connection.objects.select_for_update().get(
        organization_id=member.organization_id, provider=salesforce.PROVIDER, subject=identity.salesforce_user_id
    )
    row.member, row.login_url, row.scopes = member, grant.login_url, list(grant.scopes)
    row.client_id = grant.client_id
    row.save(update_fields=["member", "login_url", "scopes", "client_id"])
    states.mend(row)
    Connection.objects.filter(pk=row.pk).update(connected_at=Now())
    return row


def _record(row: Connection, grant: Grant, member: Member, *, replaced: bool) -> None:
    audit.record(
        row.organization_id,
        member,
        "connection.connected",
        row.pk,
        provider=row.provider,
        login_url=row.login_url,
        scopes=list(grant.scopes),
        fence=row.generation,
        token=grants.fingerprint(grant.access_token),
        replaced=replaced,
    )
    epochs.bump("connection", row.pk)


def arrival_of(identity: Identity) -> Arrival:
    """organizations knows nothing of providers, so the vault translates."""
    known = asdict(identity)
    return Arrival(**{field.name: known[field.name] for field in fields(Arrival)})
