"""Salesforce calls per 1,000 opened mails over a working day, with the product's own cache under a simulated clock.

The day (fixed seed): 200 users, four sittings of 10 mails in 5 minutes each; each user has 300 correspondents, Zipf
exponent 1.0; a sitting shows a list of 25 messages; 80% of new mails are opened from the list in view; 35% of all
opens open a mail again. A look-up or a prefetch whose people are all cached makes no call, any other makes one."""

import random
from dataclasses import dataclass, field
from itertools import accumulate

from bench.results import Results
from sidebar.cache import CardCache, Owner, lifetime

SEED = 20261121
USERS, SITTINGS, OPENS, SITTING_SECONDS = 200, 4, 10, 300.0
CORRESPONDENTS, LISTED, FROM_LIST, REOPENED = 300, 25, 0.80, 0.35
TTL = 300.0
TARGET = 300.0
#: (processes, prefetch, hashed on the caller)
VARIANTS = ((1, True, False), (4, False, False), (4, True, False), (4, False, True), (4, True, True))
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, CORRESPONDENTS + 1)))


@dataclass
class Process:
    """One web process: its cache, and how often it asked Salesforce."""

    day: "Day"
    calls: int = 0
    cache: CardCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = CardCache(timer=lambda: self.day.now, sweep_every=None)

    def ask(self, user: int, addresses: list[str]) -> None:
        owner = Owner(f"connection-{user}", f"member-{user}", "organization")
        keys = self.cache.keys(owner.connection_id, addresses)
        missing = [key for key in keys if key not in self.cache.get_many(keys)]
        if missing:
            self.calls += 1
            cards = dict.fromkeys(missing, b"card")
            seconds = lifetime(TTL, self.day.random.random)
            self.cache.store(owner, cards, seconds=seconds, generation=self.cache.generation(owner))


@dataclass
class Day:
    processes: int
    prefetch: bool
    hashed: bool
    now: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(SEED)
        self.servers = [Process(self) for _ in range(self.processes)]

    def calls_per_thousand(self) -> float:
        events = sorted(event for user in range(USERS) for event in self.events_of(user))
        opens = 0
        for at, user, is_open, addresses in events:
            self.now = at
            self.server_for(user).ask(user, addresses)
            opens += is_open
        return sum(server.calls for server in self.servers) * 1000 / opens

    def server_for(self, user: int) -> Process:
        return self.servers[user % self.processes] if self.hashed else self.random.choice(self.servers)

    def events_of(self, user: int) -> list[tuple[float, int, int, list[str]]]:
        """(time, user, is an open, addresses) of one user's day."""
        chance = random.Random(f"{SEED}-{user}")
        events: list[tuple[float, int, int, list[str]]] = []
        opened: list[str] = []
        for sitting in range(SITTINGS):
            start = sitting * 2 * 3600 + chance.uniform(0, 3600)
            listed = [self.correspondent(chance) for _ in range(LISTED)]
            if self.prefetch:
                events.append((start, user, 0, sorted(set(listed))))
            for at in sorted(chance.uniform(0, SITTING_SECONDS) for _ in range(OPENS)):
                mail = self.next_mail(chance, listed, opened)
                opened.append(mail)
                events.append((start + at, user, 1, [mail]))
        return events

    def next_mail(self, chance: random.Random, listed: list[str], opened: list[str]) -> str:
        if opened and chance.random() < REOPENED:
            return chance.choice(opened[-2 * OPENS :])
        return chance.choice(listed) if chance.random() < FROM_LIST else self.correspondent(chance)

    def correspondent(self, chance: random.Random) -> str:
        return f"person{chance.choices(range(CORRESPONDENTS), cum_weights=_WEIGHTS)[0]}@example.com"


def measure(results: Results) -> None:
    baseline = Day(1, prefetch=False, hashed=False).calls_per_thousand()
    results.add("calls per 1,000 opens, 1 process, no prefetch", baseline, "calls")
    for processes, prefetch, hashed in VARIANTS:
        rate = Day(processes, prefetch, hashed).calls_per_thousand()
        how = ", prefetch" * prefetch + ", hashed on the caller" * hashed
        name = f"calls per 1,000 opens, {processes} process{'es' * (processes > 1)}{how}"
        target = f"<= {TARGET:.0f}" if prefetch and hashed else ""
        results.add(name, rate, "calls", "1 process, no prefetch", rate / baseline, target)
