"""Destroys an organization (C37): stopped first, withdrawn at the providers, erased in every room, shown in a
certificate. Each step may be killed and runs again; what it needs to know by then is in the Destruction row."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations import audit, certificate, epochs, erasing_queue, locks, named
from organizations.models import Destruction, Member, Organization
from organizations.registries import Withdrawn, erasers, needs, revokers, unsubscribers

#: Every process has heard of an epoch after this many seconds, or trusts nothing that it holds.
HEARD_BY_ALL = epochs.BLIND_AFTER + 2.0
#: How often what comes in late (a request that was under way) is erased as well.
_ROUNDS = 5

STATEMENT = (
    "The data keys of this organization were deleted from the key store. What was sealed under them, also in backups "
    "of the database, is unreadable at the latest 7 days after finished_at, when the key store's own backups expire. "
    "Backups of the database hold what was not sealed (profiles, settings, audit log) until they expire themselves. "
    "Records in Salesforce, mail and calendars are the customer's own and were not touched."
)


class NoSuchOrganization(LookupError):
    """Neither an organization of this id, nor one whose destruction has begun."""


class StillThere(RuntimeError):
    """Something came back faster than it could be erased; run again. The message counts, and names nothing."""


def inventory(organization_id: UUID) -> dict[str, dict[str, int]]:
    """What there is of an organization: room -> kind -> count. Changes nothing."""
    return {room: dict(eraser.count(organization_id)) for room, eraser in erasers}


def find(text: str) -> UUID:
    """The id of the organization that an operator named, by our id or its Salesforce org id (15 or 18 characters).

    One whose destruction has begun goes first: since then another may have been founded by the same Salesforce id.
    Raises NoSuchOrganization."""
    for model, key in ((Destruction, "organization_id"), (Organization, "id")):
        found = model.objects.filter(**named.lookup(text, key)).values_list(key, flat=True).first()
        if found is not None:
            return UUID(str(found))
    raise NoSuchOrganization("There is no organization with this id.")


def destroy(
    organization_id: UUID, patience: float, tell: Callable[[str], None], *, keys_are_lost: bool = False
) -> dict[str, Any]:
    """Do all of it, or what a killed run has left; returns the signed certificate, not yet written anywhere.

    `patience`: seconds to wait for a provider that confirms nothing. `keys_are_lost`: what they alone open is given up.
    Raises NoSuchOrganization, StillThere, CannotGoOn (before anything is begun, where that is known by then)."""
    if not keys_are_lost:
        for _, needed in needs:
            needed.require(organization_id)
    begin(organization_id)
    if keys_are_lost:
        for _, needed in needs:
            needed.give_up(organization_id)
    for step in STEPS:
        tell(step.__doc__ or "")
        step(Destruction.objects.get(pk=organization_id), patience)
    return document(Destruction.objects.get(pk=organization_id))


def begin(organization_id: UUID) -> None:
    """From this commit on nobody signs in, no add-in gets in, and nothing works for the organization."""
    with transaction.atomic():
        row = Organization.objects.filter(pk=organization_id).first()
        if row is None:
            _require_begun(organization_id)
            return
        locks.one_at_a_time("join", row.salesforce_org_id)  # a sign-in comes before, or not at all
        is_first = Organization.objects.filter(pk=row.pk, ending_since=None).update(ending_since=Now())
        Member.objects.filter(organization=row).update(is_active=False)
        if is_first:  # after the members: everywhere a person's rows are locked before the audit log
            audit.record(row.pk, "operator", "organization.ending")
        epochs.bump("organization", row.pk)
        Destruction.objects.get_or_create(
            organization_id=row.pk,
            defaults={"salesforce_org_id": row.salesforce_org_id, "begun_at": Now()},
        )


def has_begun(organization_id: UUID) -> bool:
    return Destruction.objects.filter(pk=organization_id).exists()


def _require_begun(organization_id: UUID) -> None:
    if not has_begun(organization_id):
        raise NoSuchOrganization("There is no organization with this id.")


def take_stock(row: Destruction, _patience: float) -> None:
    """Counting what there is"""
    if row.found is None:
        _learn_names(row)
        row.found = inventory(row.pk)
        row.save(update_fields=["found"])


def _learn_names(row: Destruction) -> None:
    """By which queues and epochs know it; once more before each erasing, for what was made since."""
    names = {str(row.pk), *row.names, *(str(name) for _, eraser in erasers for name in eraser.names(row.pk))}
    row.names = sorted(names)
    row.save(update_fields=["names"])


def withdraw(row: Destruction, patience: float) -> None:
    """Ending subscriptions and grants at the providers"""
    if row.withdrawn is None:
        row.withdrawn = [asdict(each) for each in _withdrawn(row.pk, patience)]
        row.save(update_fields=["withdrawn"])


def _withdrawn(organization_id: UUID, patience: float) -> Iterable[Withdrawn]:
    for registry in (unsubscribers, revokers):
        for _, part in registry:
            yield from part(organization_id, patience)


def empty_queues(row: Destruction, _patience: float) -> None:
    """Taking its tasks out of the queue"""
    erasing_queue.purge(row.names)


def erase(row: Destruction, _patience: float) -> None:
    """Erasing every room, and its keys"""
    for _ in range(_ROUNDS):
        _learn_names(row)
        for _, eraser in reversed(list(erasers)):
            eraser.erase(row.pk)
        if not left(row.pk):
            return
    raise StillThere(f"{left(row.pk)} things are still there; run the command again.")


def left(organization_id: UUID) -> int:
    return sum(sum(kinds.values()) for kinds in inventory(organization_id).values())


def let_everybody_hear(row: Destruction, patience: float) -> None:
    """Waiting until every process has dropped what it held"""
    epochs.bump("organization", row.pk)
    time.sleep(HEARD_BY_ALL)
    erase(row, patience)  # what a process made of something that it still held
    erasing_queue.purge(row.names)
    epochs.forget(row.names)


def finish(row: Destruction, _patience: float) -> None:
    """Writing the certificate"""
    Destruction.objects.filter(pk=row.pk, finished_at=None).update(finished_at=Now())


STEPS: tuple[Callable[[Destruction, float], None], ...] = (
    take_stock,
    withdraw,
    empty_queues,
    erase,
    let_everybody_hear,
    finish,
)


def document(row: Destruction) -> dict[str, Any]:
    """The signed certificate of a finished destruction: the same bytes each time it is asked for."""
    return certificate.sign(
        {
            "type": "certificate of destruction",
            "version": 1,
            "organization_id": str(row.pk),
            "salesforce_org_id": row.salesforce_org_id,
            "begun_at": _text(row.begun_at),
            "finished_at": _text(row.finished_at),
            "found": row.found,
            "left": inventory(row.pk),
            "withdrawn": row.withdrawn,
            "statement": STATEMENT,
        }
    )


def _text(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def forget(organization_id: UUID) -> None:
    """The certificate is safe: nothing of ours names the organization any more."""
    Destruction.objects.filter(pk=organization_id).delete()
