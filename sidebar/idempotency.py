"""Idempotency-Key: an action sent twice is carried out once. Keeps keyed digests and Salesforce ids, never a value."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db import DatabaseError
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import APIException

from organizations.models import Member
from providers.errors import ProviderError, Transient
from sidebar.models import IdempotencyKey
from sidebar.refusals import KeyInUse, KeyRequired, KeyReused, OutcomeUnknown
from vault.errors import VaultError

logger = logging.getLogger(__name__)

#: How long a repeat gets the first answer.
KEPT_FOR = timedelta(hours=24)
#: No write of a record takes longer: a key still in progress after this belonged to a process that died.
LONGEST_WRITE = timedelta(seconds=60)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_UNKNOWN = 409

Ids = dict[str, str]


def once(
    member: Member,
    route: str,
    key: str | None,
    payload: Mapping[str, Any],
    write: Callable[[], Ids],
    *,
    longest: timedelta = LONGEST_WRITE,
) -> Ids:
    """Run `write`, unless this member's `key` has been used on this `route`: then answer as the first time.

    `write` returns Salesforce ids, all that is kept, and takes no longer than `longest`. Raises KeyRequired, KeyInUse,
    KeyReused, OutcomeUnknown, and what `write` raises: the key is free again when surely nothing was written, else it
    stays and repeats are refused."""
    digest = _digest(checked(key).encode())
    mine = IdempotencyKey(member=member, route=route, key_digest=digest, payload_digest=_digest(_canonical(payload)))
    earlier = _claim(mine)
    if earlier is not None:
        return _replay(earlier, mine, longest)
    try:
        ids = write()
    except Exception as error:
        _end_badly(mine, error)
        raise
    _settle(mine, 200, ids)
    return ids


def checked(key: str | None) -> str:
    """Raises KeyRequired."""
    if key is None or not _KEY.fullmatch(key):
        raise KeyRequired
    return key


def purge() -> int:
    """Forget the keys that are older than 24 hours; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _digest(text: bytes) -> bytes:
    return salted_hmac("sidebar.idempotency", text, algorithm="sha256").digest()


def _canonical(payload: Mapping[str, Any]) -> bytes:
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS, default=str)


def _claim(mine: IdempotencyKey) -> IdempotencyKey | None:
    """None: the key is ours now. Else the row of the earlier action. The unique constraint decides races."""
    for _ in range(3):
        IdempotencyKey.objects.bulk_create([mine], ignore_conflicts=True)
        same = IdempotencyKey.objects.filter(member=mine.member, route=mine.route, key_digest=mine.key_digest)
        row = same.first()
        if row is not None and row.pk == mine.pk:
            return None
        if row is not None and row.created_at > timezone.now() - KEPT_FOR:
            return row
        same.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()
    raise KeyInUse


def _replay(earlier: IdempotencyKey, mine: IdempotencyKey, longest: timedelta) -> Ids:
    if bytes(earlier.payload_digest) != mine.payload_digest:
        raise KeyReused
    if earlier.status == _UNKNOWN:
        raise OutcomeUnknown
    if earlier.status is None:
        raise KeyInUse if earlier.created_at > timezone.now() - longest else OutcomeUnknown
    return dict(earlier.answer)


def nothing_written(error: Exception) -> bool:
    """Whether Salesforce surely wrote nothing: it refused, or was never asked."""
    if isinstance(error, Transient):
        return not error.outcome_unknown
    return isinstance(error, ProviderError | VaultError | APIException)


def _end_badly(mine: IdempotencyKey, error: Exception) -> None:
    """Free the key when surely nothing was written. Raises OutcomeUnknown when Salesforce left it open."""
    if nothing_written(error):
        _quietly(lambda: IdempotencyKey.objects.filter(pk=mine.pk).delete())
        return
    _settle(mine, _UNKNOWN, {})
    if isinstance(error, Transient):
        raise OutcomeUnknown from None


def _settle(mine: IdempotencyKey, status: int, ids: Ids) -> None:
    _quietly(lambda: IdempotencyKey.objects.filter(pk=mine.pk).update(status=status, answer=ids))


def _quietly(statement: Callable[[], object]) -> None:
    """What happened in Salesforce has happened; our database failing now must not hide it. The row then ends as
    unknown after its longest time."""
    try:
        statement()
    except DatabaseError as error:
        logger.error("an idempotency key could not be settled: %s", type(error).__name__)
