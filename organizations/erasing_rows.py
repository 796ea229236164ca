"""This room's part in destroying an organization: members, their sessions and tokens, settings, audit log, itself."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from oauth2_provider.models import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from organizations import locks
from organizations.models import AuditEntry, AuditHead, Domain, Invitation, Member, Organization, PolicyValue
from organizations.registries import Eraser, erasers

#: Rows deleted in one transaction, where each takes others with it.
BATCH = 500


def _members(organization_id: UUID) -> QuerySet[Member]:
    return Member.objects.filter(organization_id=organization_id)


def _tokens(organization_id: UUID) -> list[QuerySet[Model]]:
    """What our OAuth server has issued, those first that others are built on."""
    models = (
        get_refresh_token_model(),
        get_access_token_model(),
        get_grant_model(),
        get_id_token_model(),
        get_device_grant_model(),
    )
    return [model.objects.filter(user__organization_id=organization_id) for model in models]


def _sessions(organization_id: UUID) -> list[str]:
    """Keys of browser sessions; whose they are is inside, so every one is opened."""
    ids = {str(pk) for pk in _members(organization_id).values_list("pk", flat=True)}
    rows: Iterator[Session] = Session.objects.iterator(chunk_size=2_000) if ids else iter(())
    return [row.session_key for row in rows if row.get_decoded().get("_auth_user_id") in ids]


def count(organization_id: UUID) -> Mapping[str, int]:
    """No query for what cannot be there once its organization is gone."""
    return {
        "organization": Organization.objects.filter(pk=organization_id).count(),
        "members": _members(organization_id).count(),
        "browser sessions": len(_sessions(organization_id)),
        "add-in tokens": sum(rows.count() for rows in _tokens(organization_id)),
        "invitations": Invitation.objects.filter(organization_id=organization_id).count(),
        "domains": Domain.objects.filter(organization_id=organization_id).count(),
        "settings": PolicyValue.objects.filter(organization_id=organization_id).count(),
        "audit entries": AuditEntry.objects.filter(organization_id=organization_id).count(),
    }


def erase(organization_id: UUID) -> None:
    """Members go before the organization, so that a big one needs no big transaction. The audit log goes with the
    last row: until then what happens to the organization is recorded."""
    Session.objects.filter(session_key__in=_sessions(organization_id)).delete()
    for rows in _tokens(organization_id):
        rows.delete()
    for model in (Invitation, Domain, PolicyValue):
        model.objects.filter(organization_id=organization_id).delete()
    while batch := list(_members(organization_id).values_list("pk", flat=True)[:BATCH]):
        Member.objects.filter(pk__in=batch).delete()
    _erase_the_organization(organization_id)


def _erase_the_organization(organization_id: UUID) -> None:
    """Under the lock of its audit log, so that no entry can follow (organizations/audit.py refuses to begin a new
    chain). Where a request has just committed a row of it, the caller comes round again."""
    try:
        with transaction.atomic():
            locks.one_at_a_time("audit", organization_id)
            AuditEntry.objects.filter(organization_id=organization_id).delete()
            AuditHead.objects.filter(organization_id=organization_id).delete()
            Organization.objects.filter(pk=organization_id).delete()
    except IntegrityError:
        return


def names(organization_id: UUID) -> Iterator[UUID]:
    yield from _members(organization_id).values_list("pk", flat=True)


erasers.register("organizations")(Eraser(count, erase, names))
