"""The webhook door: whether a push is its provider's own, and whose mailbox it speaks of. Only hints come this way."""

import hashlib
import time
from threading import Lock
from uuid import UUID

from django.conf import settings

from organizations.ramcache import RamCache
from providers.errors import Transient
from providers.google import push
from providers.http import ask
from vault import clock, dialects
from vault.models import Connection
from vault.states import USABLE

#: Seconds for which Google's keys are taken as they are, and at most while no newer ones can be had.
_KEPT, _LONGEST = 3_600.0, 86_400.0
#: Seconds between two fetches that unknown keys bring about, or the first of which has failed.
_PAUSE = 60.0
_lock = Lock()
_keys: tuple[float, push.KeySetById] = (0.0, {})
_failed_at = float("-inf")
#: A digest of the address -> connections of that account.
_whose: RamCache[bytes, tuple[UUID, ...]] = RamCache(maxsize=10_000, ttl=60)


def is_googles(token: str) -> bool:
    """A push that carries this bearer token. Raises Transient where Google's keys cannot be had."""
    issuers = (*push.ISSUERS, settings.GOOGLE_OAUTH_URL)
    now = clock.now().timestamp()
    expected = push.Expected(settings.GOOGLE_PUBSUB_AUDIENCE, settings.GOOGLE_PUBSUB_ACCOUNT, issuers)
    try:
        return push.is_genuine(token, _known(_KEPT), expected, now)
    except push.UnknownKey:
        pass
    try:
        return push.is_genuine(token, _known(_PAUSE), expected, now)
    except push.UnknownKey:
        return False


def _known(longest: float) -> push.KeySetById:
    """Google's keys, fetched `longest` seconds ago at most; older ones while Google does not answer, or somebody else
    is asking. Raises Transient where there are none."""
    _, keys = _keys
    if _lock.acquire(blocking=not keys):
        try:
            keys = _renewed(longest)
        finally:
            _lock.release()
    return keys


def _renewed(longest: float) -> push.KeySetById:
    """Asks no more than once in `_PAUSE` while it fails: anybody may send us what has us look for a key."""
    global _keys, _failed_at
    now, (at, keys) = time.monotonic(), _keys
    if keys and now - at <= longest:
        return keys
    if now - _failed_at > _PAUSE:
        try:
            _keys = (now, _fetched())
            return _keys[1]
        except Transient:
            _failed_at = time.monotonic()
    return keys if keys and now - at <= _LONGEST else _none()


def _fetched() -> push.KeySetById:
    response = ask(dialects.session_for("google"), "GET", settings.GOOGLE_JWKS_URL, is_write=False)
    try:
        return push.keys_of(response.json()) if response.ok else _none()
    except (ValueError, KeyError, AttributeError):
        return _none()


def _none() -> push.KeySetById:
    raise Transient("Google's keys could not be read.", provider="google")


def connections_of(provider: str, address: str) -> tuple[UUID, ...]:
    """Live grants of the account that names itself so. Good for a hint, and for no decision: the name of an account
    may change hands."""
    digest = hashlib.sha256(f"{provider} {address.lower()}".encode()).digest()
    rows = Connection.objects.filter(provider=provider, account__iexact=address, state__in=USABLE)
    return _whose.get_or_load(digest, lambda: tuple(rows.values_list("pk", flat=True)))


def forget() -> None:
    global _keys, _failed_at
    _keys, _failed_at = (0.0, {}), float("-inf")
    _whose.clear()
