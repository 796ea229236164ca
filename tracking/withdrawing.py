"""Ends links that are out already: where one leads is withdrawn for an organization, by its administrator or by the
operator. From the next standing on (publishing.py: seconds) whoever follows it gets a page that says so."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction

from organizations import audit
from organizations.models import Member, Organization
from providers.errors import Transient
from tracking.hot.standing import mark_of
from tracking.hot.tokens import Keyring, Kind, read_keys
from tracking.models import WithdrawnTarget
from tracking.prepare import ours
from tracking.targets import target_of
from vault.entrusted import Entrusted
from vault.errors import VaultError


class NotALink(ValueError):
    """No link of ours leads there; the message is a plain sentence."""


@dataclass(frozen=True, slots=True)
class Meant:
    """`organization_id`: whose link it is, where a link of ours was given, which says so itself."""

    target: str
    organization_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A withdrawn target of a living organization. `address`: "" where its seal does not open."""

    row: WithdrawnTarget
    address: str


def _owner(row: WithdrawnTarget) -> UUID:
    if row.organization_id is None:
        raise ValueError("What outlives its organization has no address any more.")
    return row.organization_id


_ADDRESS = Entrusted(WithdrawnTarget, "sealed", _owner)


def meant(text: str) -> Meant:
    """By where a link leads, or by the link itself, as it stands in a message. Raises NotALink."""
    keyring = Keyring(read_keys(settings.TRACKING_KEY)) if settings.TRACKING_KEY else None
    links = ours(keyring).links if keyring else ""
    if keyring and text.strip().startswith(links):
        opened = keyring.open(Kind.CLICK, text.strip().removeprefix(links))
        if opened is None:
            raise NotALink("This link was not made here, or not copied whole.")
        return Meant(opened.target, UUID(bytes=opened.organization))
    target = target_of(text)
    if not target:
        raise NotALink("No tracked link leads there. Give the whole address, beginning with https:// or http://.")
    return Meant(target)


def withdraw(actor: Member | str, organization_id: UUID, target: str) -> bool:
    """Whether it was not withdrawn before. The organization may be gone: its links are not."""
    row = WithdrawnTarget(pk=_mark(organization_id, target))
    row.organization = Organization.objects.filter(pk=organization_id).first()
    if row.organization:
        with suppress(VaultError, Transient):  # a link that does harm does not wait until a key service is back
            _ADDRESS.put(row, target.encode())
    with transaction.atomic():
        facts = {"organization": row.organization, "sealed": row.sealed}
        _, is_new = WithdrawnTarget.objects.get_or_create(pk=row.pk, defaults=facts)
        if is_new:
            _record(actor, row, "target.withdrawn")
    return is_new


def restore(actor: Member | str, organization_id: UUID, target: str) -> bool:
    """Its links lead there again. Whether it was withdrawn."""
    row = WithdrawnTarget.objects.filter(pk=_mark(organization_id, target)).first()
    return row is not None and restore_row(actor, row)


def restore_row(actor: Member | str, row: WithdrawnTarget) -> bool:
    with transaction.atomic():
        is_gone = bool(WithdrawnTarget.objects.filter(pk=row.pk).delete()[0])
        if is_gone:
            _record(actor, row, "target.restored")
    return is_gone


def of(organization_id: UUID) -> list[Shown]:
    """The newest first."""
    rows = WithdrawnTarget.objects.filter(organization_id=organization_id).order_by("-created_at", "pk")
    return [Shown(row, _address(row)) for row in rows]


def _address(row: WithdrawnTarget) -> str:
    try:
        return _ADDRESS.get(row).decode() if row.sealed else ""
    except (VaultError, Transient):
        return ""


def _mark(organization_id: UUID, target: str) -> UUID:
    return UUID(bytes=mark_of(organization_id.bytes, target))


def _record(actor: Member | str, row: WithdrawnTarget, action: str) -> None:
    """By its mark: an address could never be erased from the log."""
    audit.record(row.organization_id or audit.INSTALLATION, actor, action, row.pk)
