"""Notices that the database was restored from a backup, and holds its grants suspect (docs/vault.md 6, V20).

A restored refresh token may have been used up since the backup; presenting it could end the person's connection. So
such a grant lives on its access token, is never renewed ahead of need, and has one try when that token is refused."""

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.db import DatabaseError, connections, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from organizations import audit, epochs
from providers.registry import ADAPTERS
from vault import clock, incidents, spool
from vault.answers import RESTORED, UNKNOWN
from vault.models import Attempt, Connection, Credential, DatabaseMark, Incident, KeyStoreMark, Mark, State
from vault.routers import KEY_STORE
from vault.states import USABLE

log = logging.getLogger("sidebar.vault")

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD = "Our database was restored from a backup. You may have to connect again."


def doubts() -> Exists:
    """Whether the refresh token of a connection (the outer query) may have been used up without our knowing. Also
    where an attempt has no answer yet: whoever began it may be dead, and nobody has closed it so far."""
    mine = Attempt.objects.filter(connection=OuterRef("pk"), generation=OuterRef("generation"))
    unheard = Q(ended_at__isnull=True, sealed_answer__isnull=True)
    return Exists(mine.filter(Q(outcome__in=(UNKNOWN, RESTORED)) | unheard))


def may_renew_ahead(rows: QuerySet[Connection]) -> QuerySet[Connection]:
    """Those that may be renewed before their access token is refused: not where a re-use would end a grant (V3)."""
    return rows.exclude(doubts(), provider__in=_strict())


def _strict() -> list[str]:
    """Providers that end a grant whose used-up refresh token comes again."""
    return [name for name, adapter in ADAPTERS.items() if not adapter.oauth.sends_unknown_again]


def look() -> bool:
    """Compare the marks, and let them rise. True when the database turned out to be restored: its grants are suspect.

    Call at process start and every minute: what was restored within a minute of its backup is not noticed."""
    elsewhere = [_in_key_store(), _on_this_host()]  # read first: the database's own is never behind them but restored
    with transaction.atomic():
        mark, _ = DatabaseMark.objects.select_for_update().get_or_create(pk=1)
        restored = any(_is_ahead(other, mark) for other in elsewhere)
        if restored:
            suspect_all()
            mark.epoch = next((other.epoch for other in elsewhere if other), mark.epoch)
        mark.counter = max(mark.counter, *(other.counter for other in elsewhere if other), 0) + 1
        mark.moved_at = clock.now()
        mark.save()
    _remember(mark)
    return restored


def is_behind() -> bool:
    """Whether the key store remembers more than the database; two small queries. False where it does not answer."""
    try:
        other = _in_key_store()
    except DatabaseError:
        connections[KEY_STORE].close()
        return False
    mark = DatabaseMark.objects.filter(pk=1).first()
    return other is not None and mark is not None and _is_ahead(other, mark)


def _is_ahead(other: Mark | None, mark: Mark) -> bool:
    """A key store of another installation is as bad as one that is further on; a stray file is not."""
    if other is None or other.epoch != mark.epoch:
        return isinstance(other, KeyStoreMark)
    return other.counter > mark.counter


def _in_key_store() -> KeyStoreMark | None:
    return KeyStoreMark.objects.using(KEY_STORE).filter(pk=1).first()


def _remember(mark: Mark) -> None:
    """After the commit, so that neither copy is ever ahead of a database that was not restored."""
    kept, _ = KeyStoreMark.objects.using(KEY_STORE).get_or_create(
        pk=1, defaults={"epoch": mark.epoch, "counter": mark.counter}
    )
    mine = KeyStoreMark.objects.using(KEY_STORE).filter(pk=1)
    if kept.epoch != mark.epoch:
        mine.update(epoch=mark.epoch, counter=mark.counter)
    else:
        mine.filter(counter__lt=mark.counter).update(counter=mark.counter)
    with suppress(OSError):  # a host without a folder that lasts: the key store remembers
        _write(f"{mark.epoch} {mark.counter}")


def _file() -> Path:
    return spool.folder() / "database-mark"


def _on_this_host() -> DatabaseMark | None:
    """What this host remembers: for when both databases were restored together."""
    try:
        epoch, counter = _file().read_text().split()
        return DatabaseMark(epoch=UUID(epoch), counter=int(counter))
    except (OSError, ValueError):
        return None


def _write(text: str) -> None:
    spool.make_folder()
    unfinished = _file().with_suffix(f".{os.getpid()}")
    unfinished.write_text(text)
    unfinished.rename(_file())


def _restored() -> Exists:
    """Whether a connection (the outer query) is suspect since a restore, and no renewal or sign-in has settled it."""
    mine = Attempt.objects.filter(connection=OuterRef("pk"), generation=OuterRef("generation"), outcome=RESTORED)
    return Exists(mine)


def suspect_all() -> int:
    """Hold every grant suspect whose provider punishes re-use; returns how many were not yet. In the caller's
    transaction."""
    rows = list(
        Connection.objects.select_for_update()
        .filter(~_restored(), state__in=USABLE, provider__in=_strict())
        .order_by("pk")
        .values_list("pk", "organization_id", "generation")
    )
    grants = dict(Credential.objects.values_list("connection_id", "grant_id"))
    Attempt.objects.bulk_create(
        Attempt(
            connection_id=pk,
            grant_id=grants[pk],
            generation=generation,
            started_at=Now(),
            ended_at=Now(),
            outcome=RESTORED,
        )
        for pk, _, generation in rows
        if pk in grants
    )
    Connection.objects.filter(pk__in=[pk for pk, _, _ in rows]).update(
        state=State.SUSPECT, reason=_TOLD, lease_by="", lease_until=None, retry_at=None, probe_at=Now()
    )
    for organization_id in {organization_id for _, organization_id, _ in rows}:
        count = sum(1 for row in rows if row[1] == organization_id)
        incidents.record(incidents.RESTORED, organization_id)
        audit.record(organization_id, "task:restore", "connections.suspected", count=count)
    if rows:
        epochs.bump("connection", "*")
        log.warning("the database was restored from a backup: %s grants are suspect", len(rows))
    return len(rows)


def perhaps_ended() -> QuerySet[Connection]:
    """Grants from before the last restore whose provider ends no single grant, with their members: one that somebody
    here ended after the backup was made is live again, and nobody there knows that it was over (I7)."""
    last = Incident.objects.filter(kind=incidents.RESTORED).aggregate(at=Max("at"))["at"]
    unasked = [name for name, adapter in ADAPTERS.items() if not adapter.oauth.revokes]
    found = Connection.objects.filter(provider__in=unasked, state__in=USABLE, connected_at__lt=last or _NEVER)
    return found.select_related("member", "organization").order_by("organization__name", "member__name")


def concerned() -> QuerySet[Connection]:
    """Grants that a restore touched and no renewal or sign-in has settled yet, with their members."""
    found = Connection.objects.filter(_restored(), state__in=(*USABLE, State.NEEDS_RECONNECT))
    return found.select_related("member", "organization").order_by("organization__name", "member__name")
