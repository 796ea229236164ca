"""The vault's part in destroying an organization: nothing usable from the first commit on, grants ended at their
providers, rows deleted, data keys shredded (C37, docs/vault.md 7)."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

from django.db import connections
from django.db.models import Count
from django.db.models.functions import Now

from organizations.models import AuditEntry, Organization
from organizations.registries import CannotGoOn, Eraser, Needed, Withdrawn, erasers, needs, revokers
from providers.errors import ProviderError, Transient
from vault import answers, dialects, keys, renewal, revocation, settling
from vault.errors import KekUnusable, VaultError
from vault.models import (
    Attempt,
    ClientGeneration,
    ClientRegistration,
    Connection,
    Credential,
    DataKey,
    DiscardedGrant,
    State,
)
from vault.routers import KEY_STORE

log = logging.getLogger("sidebar.vault")

#: Revocations at once; `revocation.finish` has places for so many (vault/outbound.py).
THREADS = 6
BATCH = 500
_MEND = (
    "{} Without it the organization's grants cannot be ended at their providers. Mend it and run the command again, or "
    "add --keys-are-lost where it is lost for good."
)
_PAUSE = 1.0
#: Of grants that were wiped here and not ended there (dialects.may_revoke). Tells nobody who has the other one.
_SHARED = (
    "{label} ends all access of an account to an app together, and another connection uses the same account. What we "
    "held of this one is deleted; its person may remove the app in his {label} account, which ends both."
)


def names(organization_id: UUID) -> Iterator[UUID]:
    yield from Connection.objects.filter(organization_id=organization_id).values_list("pk", flat=True)


def count(organization_id: UUID) -> Mapping[str, int]:
    """Connections, their live grants by provider, client registrations and data keys."""
    rows = Connection.objects.filter(organization_id=organization_id)
    return {
        "connections": rows.count(),
        **{f"grants at {provider}": number for provider, number in sorted(_grants(organization_id).items())},
        "client registrations": ClientRegistration.objects.filter(organization_id=organization_id).count(),
        "data keys": DataKey.objects.using(KEY_STORE).filter(organization_id=organization_id).count(),
    }


def _grants(organization_id: UUID) -> Counter[str]:
    """Grants that a provider still honours as far as we know: sealed ones, and those that wait for their end."""
    found: Counter[str] = Counter()
    for model in (Credential, DiscardedGrant):
        rows = model.objects.filter(connection__organization_id=organization_id).values_list("connection__provider")
        found.update(dict(rows.annotate(number=Count("pk")).order_by()))
    return found


@revokers.register("vault")
def withdraw(organization_id: UUID, patience: float) -> Iterator[Withdrawn]:
    """End every grant of the organization. Returns once each is confirmed, or none was for `patience` seconds."""
    Connection.objects.filter(organization_id=organization_id).exclude(state=State.SHREDDED).update(
        state=State.REVOKING
    )  # one commit: whatever asks for a token or wants to renew one from now on is refused
    _put_down(organization_id, patience)
    _settle_what_is_under_way(organization_id)
    _revoke(organization_id, patience)
    if _grants(organization_id):
        _require_keys(organization_id)  # waiting for nothing else: then they are not given up
    yield from _outcome(organization_id)


def _put_down(organization_id: UUID, patience: float) -> None:
    """Every grant from its credential to the list of those to be revoked, each in a commit of its own.

    A key service that is away is waited for, `patience` seconds in all; what it alone opens is given up then, and told
    as unconfirmed. One that refuses us stops us: that can be mended. Raises CannotGoOn."""
    rows = Credential.objects.filter(connection__organization_id=organization_id)
    until, is_over = time.monotonic() + patience, False
    for connection_id in rows.values_list("connection_id", flat=True):
        while not is_over and not _was_put_down(connection_id):
            is_over = time.monotonic() > until
            time.sleep(min(_PAUSE, patience))
        if is_over:
            _give_up(connection_id)


def _was_put_down(connection_id: UUID) -> bool:
    """False where the key service is away."""
    try:
        revocation.put_down(connection_id, "operator")
    except KekUnusable as error:
        raise CannotGoOn(_MEND.format(error)) from None
    except Transient:
        return False
    return True


def _give_up(connection_id: UUID) -> None:
    log.error("the grant of connection %s is wiped unopened; its provider does not hear of it", connection_id)
    revocation.put_down(connection_id, "operator", unopened=True)


def _settle_what_is_under_way(organization_id: UUID) -> None:
    """A renewal that was sent before we began may still bring tokens; they are revoked as well. A holder that was
    killed keeps us waiting no longer than its lease would have lasted."""
    mine = Attempt.objects.filter(connection__organization_id=organization_id, ended_at__isnull=True)
    kept = mine.filter(sealed_answer__isnull=False)
    until = time.monotonic() + renewal.LEASE.total_seconds()
    while True:
        # asked first: an answer that comes while we settle others is met in the next round
        is_awaited = mine.filter(sealed_answer__isnull=True, started_at__gt=Now() - renewal.LEASE).exists()
        answers.import_spool()
        for attempt_id in kept.values_list("pk", flat=True):
            _settle(attempt_id)
        if not (is_awaited or kept.exists()) or time.monotonic() > until:
            return
        time.sleep(_PAUSE)


def _settle(attempt_id: UUID) -> None:
    try:
        settling.settle(attempt_id)
    except (ProviderError, VaultError) as error:
        log.warning("a late answer could not be settled: %s", type(error).__name__)


def _revoke(organization_id: UUID, patience: float) -> None:
    pending = DiscardedGrant.objects.filter(connection__organization_id=organization_id).order_by("created_at")
    until = time.monotonic() + patience
    with ThreadPoolExecutor(THREADS, thread_name_prefix="revocation") as pool:
        while waiting := list(pending.values_list("pk", flat=True)):
            if any(pool.map(_revoke_one, waiting)):
                until = time.monotonic() + patience
            elif time.monotonic() > until:
                return
            else:
                time.sleep(min(_PAUSE, patience))


def _revoke_one(discarded_id: UUID) -> bool:
    try:
        return revocation.at_once(discarded_id)
    finally:
        connections.close_all()


def _outcome(organization_id: UUID) -> Iterator[Withdrawn]:
    """From what is on record, so that it is the same after any number of kills."""
    told: Counter[tuple[str, str]] = Counter()
    since = Organization.objects.values_list("ending_since", flat=True).get(pk=organization_id)
    entries = AuditEntry.objects.filter(organization_id=organization_id, at__gte=since)
    ended = entries.filter(action=revocation.REVOKED) | entries.filter(result=revocation.UNREADABLE)
    for provider, result in ended.values_list("facts__provider", "result"):
        told[provider, result] += 1
    waiting = _grants(organization_id)
    for provider in sorted({provider for provider, _ in told} | set(waiting)):
        yield _at(provider, told, waiting[provider])


def _at(provider: str, told: Counter[tuple[str, str]], waiting: int) -> Withdrawn:
    confirmed, shared = told[provider, revocation.CONFIRMED], told[provider, revocation.STILL_USED]
    not_offered = told[provider, revocation.NOT_OFFERED] + shared
    unreadable = sum(number for (name, _), number in told.items() if name == provider) - confirmed - not_offered
    advice = dialects.of(provider).ending_advice if not_offered or waiting or unreadable else ""
    if shared:
        advice = f"{advice} {_SHARED.format(label=dialects.label(provider))}".strip()
    return Withdrawn(provider, "grants", confirmed, waiting + unreadable, not_offered, advice)


def erase(organization_id: UUID) -> None:
    """Grants that came in meanwhile are ended first; then rows, then keys. What no provider confirmed until now
    cannot be ended any more: nobody can open it."""
    late = Credential.objects.filter(connection__organization_id=organization_id)
    for connection_id in late.values_list("connection_id", flat=True):
        _end_late(connection_id)
    while batch := list(names(organization_id))[:BATCH]:
        Connection.objects.filter(pk__in=batch).delete()
    for model in (ClientRegistration, ClientGeneration):
        model.objects.filter(organization_id=organization_id).delete()
    keys.shred(organization_id)


def _end_late(connection_id: UUID) -> None:
    try:
        for discarded_id in revocation.put_down(connection_id, "operator") or ():
            revocation.finish(discarded_id)
    except KekUnusable as error:
        raise CannotGoOn(_MEND.format(error)) from None
    except Transient:
        _give_up(connection_id)


def _require_keys(organization_id: UUID) -> None:
    """Raises CannotGoOn where a key that the organization's grants are sealed under does not open. That can be mended
    (a token that has expired, a file that was left out); a grant that is given up lives on at its provider."""
    for row in _data_keys(organization_id):
        try:
            keys.opened(row)
        except KekUnusable as error:
            raise CannotGoOn(_MEND.format(error)) from None
        except Transient:
            return  # away, and waited for


def _give_up_keys(organization_id: UUID) -> None:
    """Delete the keys that nothing of ours opens: what they sealed is unreadable then, and told as unconfirmed."""
    for row in _data_keys(organization_id):
        with suppress(Transient):
            try:
                keys.opened(row)
            except KekUnusable:
                log.error("the data key %s is given up unopened", row.pk)
                row.delete(using=KEY_STORE)
    keys.forget(organization_id)


def _data_keys(organization_id: UUID) -> list[DataKey]:
    return list(DataKey.objects.using(KEY_STORE).filter(organization_id=organization_id))


needs.register("vault")(Needed(_require_keys, _give_up_keys))
erasers.register("vault")(Eraser(count, erase, names))
