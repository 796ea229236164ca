"""What a cached card costs in memory beside its JSON, and what ten times more entries cost a look-up."""

import gc
import time
import tracemalloc

from bench.results import Results
from sidebar.cache import CardCache, Owner

CARD_BYTES = 5_700  # the answer that docs/figures.md counts in
CARDS_PER_OWNER = 40


def filled(entries: int) -> CardCache:
    cache = CardCache(max_bytes=2**31, sweep_every=None)
    for first in range(0, entries, CARDS_PER_OWNER):
        owner = Owner(f"connection-{first}", f"member-{first}", "organization")
        keys = cache.keys(owner.connection_id, (f"person{n}@example.com" for n in range(CARDS_PER_OWNER)))
        cards = {key: bytes(CARD_BYTES) for key in keys}
        cache.store(owner, cards, seconds=300, generation=cache.generation(owner))
    return cache


def bytes_per_card(entries: int) -> float:
    gc.collect()
    tracemalloc.start()
    cache = filled(entries)
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert cache.counters().entries == entries
    return used / entries


def microseconds_per_lookup(cache: CardCache, entries: int, rounds: int = 20_000) -> float:
    names = [f"connection-{first}" for first in range(0, entries, CARDS_PER_OWNER)]
    start = time.perf_counter()
    for turn in range(rounds):
        cache.get_many(cache.keys(names[turn % len(names)], ("person1@example.com",)))
    return (time.perf_counter() - start) / rounds * 1e6


def measure(results: Results) -> None:
    used = bytes_per_card(10_000)
    results.add("memory per cached card", used, "bytes", f"its JSON ({CARD_BYTES} bytes)", used / CARD_BYTES, "<= 1.1")
    few, many = filled(4_000), filled(40_000)
    base = min(microseconds_per_lookup(few, 4_000) for _ in range(5))
    more = min(microseconds_per_lookup(many, 40_000) for _ in range(5))
    results.add("cache look-up with 4,000 entries", base, "us")
    results.add("cache look-up with 40,000 entries", more, "us", "4,000 entries", more / base)
