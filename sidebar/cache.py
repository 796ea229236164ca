"""Rendered cards in RAM (C57-C59): bytes only, bounded, per connection. Never on disk, never shared between people.

What has expired is unreachable at once and gone from memory within seconds: `sweeper.py` calls `sweep`."""

import hashlib
import itertools
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cachetools import TLRUCache
from django.conf import settings

from sidebar.sweeper import Sweeper

#: Seconds a card may live, whatever is configured (C57).
SHORTEST, LONGEST = 300.0, 600.0
#: Lifetimes differ by up to this share, so that what was loaded together does not expire together.
JITTER = 0.1
#: Seconds of expiry times swept under one hold of the lock. Cards that expire within it take far less than 5 ms.
SWEEP_STEP = 0.05
#: What an entry costs beside its card: key, two dicts, heap and index (measured; bench/ shows the figure).
ENTRY_BYTES = 420
_OWNER_SIZE = 8


@dataclass(frozen=True, slots=True)
class Counters:
    """What `/metrics` may show. `dropped`: thrown out because a grant, a right or a record changed."""

    entries: int
    bytes: int
    hits: int
    misses: int
    evictions: int
    expirations: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose cards these are. All are UUIDs as text; a drop by the first or the second drops the cards."""

    connection_id: str
    member_id: str
    organization_id: str


def lifetime(configured: float, draw: Callable[[], float] = random.random) -> float:
    """Seconds a card lives: from `configured` up to 10% longer, all of it within SHORTEST..LONGEST."""
    spread = JITTER * min(max(configured, SHORTEST), LONGEST)
    return min(max(configured, SHORTEST), LONGEST - spread) + spread * draw()


class _Cards(TLRUCache[bytes, bytes]):
    """cachetools' TLRUCache with a lifetime per store, and an index of keys by owner that is always in step."""

    def __init__(self, max_bytes: int, timer: Callable[[], float]) -> None:
        self.lifetime = LONGEST
        super().__init__(
            max_bytes, lambda _key, _card, now: now + self.lifetime, timer, lambda card: len(card) + ENTRY_BYTES
        )
        self.owners: dict[bytes, tuple[Owner, set[bytes]]] = {}
        self.evictions = self.expirations = 0

    def put(self, owner: Owner, key: bytes, card: bytes) -> None:
        self[key] = card
        self.owners.setdefault(key[:_OWNER_SIZE], (owner, set()))[1].add(key)

    def expire(self, time: float | None = None) -> list[tuple[bytes, bytes]]:
        gone = list(super().expire(time))
        for key, _ in gone:
            self._unindex(key)
        self.expirations += len(gone)
        return gone

    def popitem(self) -> tuple[bytes, bytes]:
        key, card = super().popitem()
        self._unindex(key)
        self.evictions += 1
        return key, card

    def drop_owner(self, owner_key: bytes) -> int:
        if owner_key not in self.owners:
            return 0
        _, keys = self.owners.pop(owner_key)
        for key in keys:
            with suppress(KeyError):  # raised for an expired one, which is removed all the same
                del self[key]
        return len(keys)

    def clear(self) -> None:
        super().clear()
        self.owners.clear()

    def _unindex(self, key: bytes) -> None:
        _, keys = self.owners[key[:_OWNER_SIZE]]
        keys.discard(key)
        if not keys:
            del self.owners[key[:_OWNER_SIZE]]


class CardCache:
    """All cards of this process. `timer` and `sweep_every` (seconds; None: no sweeper) are for tests."""

    def __init__(
        self,
        max_bytes: int = 64 * 1024 * 1024,
        *,
        timer: Callable[[], float] = time.monotonic,
        sweep_every: float | None = 5.0,
    ) -> None:
        self.max_bytes = max_bytes
        self._timer = timer
        self._secret = secrets.token_bytes(32)
        self._sweeper = Sweeper(self.sweep, sweep_every) if sweep_every else None
        self._cards = _Cards(max_bytes, timer)
        self.reset()

    def reset(self) -> None:
        """Start empty, as a forked child must: it has no sweeper to remove its parent's cards."""
        self._lock = threading.Lock()
        self._cards.clear()
        self._tick = itertools.count(1)
        self._generations: dict[str, int] = {}
        self._floor = 0
        self._swept_until = self._timer()
        self._hits = self._misses = self._dropped = 0

    def keys(self, connection_id: str, addresses: Iterable[str]) -> list[bytes]:
        """The keys of a connection's cards: keyed digests, so that no address outlives the card that holds it."""
        owner_key = _owner_key(connection_id)
        empty = hashlib.blake2b(digest_size=16, key=self._secret, salt=owner_key)
        keys = []
        for address in addresses:
            digest = empty.copy()
            digest.update(address.encode("utf-8", "surrogatepass"))
            keys.append(owner_key + digest.digest())
        return keys

    def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The cards there are, by key."""
        found: dict[bytes, bytes] = {}
        with self._lock:
            for key in keys:
                try:
                    found[key] = self._cards[key]
                except KeyError:
                    continue
            self._hits += len(found)
            self._misses += len(keys) - len(found)
        return found

    def peek(self, key: bytes) -> bytes | None:
        """One card or None, without counting."""
        with self._lock:
            try:
                return self._cards[key]
            except KeyError:
                return None

    def generation(self, owner: Owner) -> int:
        """Grows with every drop of this owner's. Take it before asking Salesforce and hand it to `store`."""
        dropped = (self._generations.get(key, 0) for key in (owner.connection_id, owner.member_id))
        return max(self._floor, *dropped)

    def store(self, owner: Owner, cards: Mapping[bytes, bytes], *, seconds: float, generation: int) -> bool:
        """Keep `cards`, unless the connection's cards were dropped since `generation` was taken (False then)."""
        with self._lock:
            if self.generation(owner) != generation:
                return False
            self._cards.lifetime = min(seconds, LONGEST)
            for key, card in cards.items():
                if len(card) + ENTRY_BYTES <= self.max_bytes:
                    self._cards.put(owner, key, card)
        if self._sweeper:
            self._sweeper.ensure_running()
        return True

    def drop_connection(self, connection_id: str) -> int:
        """Forget one connection's cards, also those still on their way; "*" means everybody's. Returns how many."""
        if connection_id == "*":
            return self._drop_all()
        with self._lock:
            self._generations[connection_id] = next(self._tick)
            return self._drop(_owner_key(connection_id))

    def drop_member(self, member_id: str) -> int:
        """The same for all connections of a member. A scan over connections: for rare events."""
        if member_id == "*":
            return self._drop_all()
        with self._lock:
            self._generations[member_id] = next(self._tick)
            gone = [key for key, (owner, _) in self._cards.owners.items() if owner.member_id == member_id]
            return sum(self._drop(owner_key) for owner_key in gone)

    def sweep(self) -> None:
        """Remove from memory what has expired, in slices, so that no look-up waits for more than one slice."""
        now = self._timer()
        while self._swept_until < now:
            self._swept_until = min(now, self._swept_until + SWEEP_STEP)
            with self._lock:
                self._cards.expire(self._swept_until)

    def counters(self) -> Counters:
        with self._lock:
            cards = self._cards
            return Counters(
                entries=len(cards),
                bytes=int(cards.currsize),
                hits=self._hits,
                misses=self._misses,
                evictions=cards.evictions,
                expirations=cards.expirations,
                dropped=self._dropped,
            )

    def close(self) -> None:
        """Stop the sweeper and forget everything (tests, and a process that ends in good order)."""
        if self._sweeper:
            self._sweeper.stop()
        self.reset()

    def _drop(self, owner_key: bytes) -> int:
        gone = self._cards.drop_owner(owner_key)
        self._dropped += gone
        return gone

    def _drop_all(self) -> int:
        with self._lock:
            self._floor = next(self._tick)
            gone = len(self._cards)
            self._cards.clear()
            self._generations.clear()
            self._dropped += gone
            return gone


def _owner_key(connection_id: str) -> bytes:
    return hashlib.blake2b(connection_id.encode(), digest_size=_OWNER_SIZE).digest()


cards = CardCache(settings.CARD_CACHE_BYTES)
os.register_at_fork(after_in_child=cards.reset)
