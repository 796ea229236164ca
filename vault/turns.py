"""Whose turn it is: chooses grants to renew ahead of need and to prove, each by one process, a batch at a time.

Chooses only; the work is a task per grant, so that one person's trouble keeps nobody else waiting."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from vault import states, suspicion
from vault.models import Connection, State

#: Chosen in one run at most; the others have their turn in the next, a quarter of a minute later.
MOST, BATCH = 2_000, 200
#: A chosen grant is not chosen again for this long: its task may be waiting in the queue, or have been lost with it.
_CLAIM = timedelta(minutes=2)
#: A proof is renewed this long after the last one, so that it is never older than a day.
PROVE_EVERY = timedelta(hours=23)


def in_use() -> QuerySet[Connection]:
    """Nobody works in the name of a person whom an administrator has switched off."""
    return Connection.objects.filter(state__in=states.USABLE, member__is_active=True)


def _not_asked_to_wait() -> Q:
    return Q(retry_at__isnull=True) | Q(retry_at__lte=Now())


def to_renew() -> Iterator[tuple[UUID, int]]:
    """Connections, with the generation to renew, whose announced life is three quarters over (docs/vault.md 5)."""
    due = suspicion.may_renew_ahead(in_use()).filter(_not_asked_to_wait(), renew_at__lte=Now())
    free = due.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))
    return _choose(free.order_by("renew_at"), lambda rows: rows.update(renew_at=Now() + _CLAIM))


def to_prove() -> Iterator[UUID]:
    """Connections that nobody has proven to work for a day, that an incident has put down to be asked, or whose
    renewal lost its holder: those also where the question had been put off before (I10)."""
    is_old = Q(last_success_at__isnull=True) | Q(last_success_at__lt=Now() - PROVE_EVERY)
    unclaimed = Q(probe_at__isnull=True) | Q(probe_at__gt=Now() + _CLAIM)
    lost = Q(state=State.REFRESHING, lease_until__lt=Now()) & unclaimed
    due = Q(probe_at__lte=Now()) | (Q(probe_at__isnull=True) & is_old) | lost
    chosen = _choose(in_use().filter(due, _not_asked_to_wait()), lambda rows: rows.update(probe_at=Now() + _CLAIM))
    return (pk for pk, _ in chosen)


def _choose(due: QuerySet[Connection], claim: Callable[[QuerySet[Connection]], int]) -> Iterator[tuple[UUID, int]]:
    """Claim batch by batch; processes that choose at once take different ones."""
    for _ in range(MOST // BATCH):
        with transaction.atomic():
            rows = list(due.select_for_update(of=("self",), skip_locked=True).values_list("pk", "generation")[:BATCH])
            claim(Connection.objects.filter(pk__in=[pk for pk, _ in rows]))
        yield from rows
        if len(rows) < BATCH:
            return
