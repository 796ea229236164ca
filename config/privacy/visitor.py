"""A visit to a product that is thrown away: its people, its simulated providers' desks, its programs.

Remembers what was confirmed, which is what makes a search that finds nothing worth anything."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config.privacy.browser import Person, Reply, SignedIn, Web
from config.privacy.throw_away import Stage
from organizations.privacy.canaries import Canaries
from organizations.privacy.visits import JourneyFailed

_POLL = 0.1


class Visitor:
    """organizations.privacy.visits.Visit. `confirmed`: a sentence for each thing that was seen to arrive."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._facts = stage, stage.facts
        self.canaries, self.confirmed = Canaries(), list[str]()
        self._people: dict[str, SignedIn] = {}
        self._web = Web(self._facts["ca"], follows=False)

    def canary(self, what: str) -> str:
        return self.canaries.new(what)

    def add_in(self, who: str = "alice") -> SignedIn:
        if who not in self._people:
            org = next(org for org in self._facts["orgs"] if any(user["key"] == who for user in org["users"]))
            user = next(user for user in org["users"] if user["key"] == who)
            self._people[who] = SignedIn(Person(self._facts["public_url"], self._facts["ca"], org, user))
        return self._people[who]

    def connect(self, provider: str, who: str = "alice") -> None:
        self.add_in(who).person.connect(provider, who)

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        return self._web.send("GET", url, headers=headers)

    def desk(self, provider: str, path: str, body: object = None) -> Any:
        host = self._facts["orgs"][0] if provider == "salesforce" else self._facts[provider]
        sent = None if body is None else json.dumps(body).encode()
        answer = self._web.send("GET" if sent is None else "POST", f"{host['api_url']}/_sim/{path}", sent)
        if answer.status >= 300:
            raise JourneyFailed(f"the desk of the simulated {provider} said {answer.status}")
        return answer.json

    @contextmanager
    def paused(self, program: str) -> Iterator[None]:
        group = self._stage.pids()[program]
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def expect(self, what: str, condition: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise JourneyFailed(f"was not seen within {seconds:.0f} s: {what}")
            time.sleep(_POLL)
        self.confirmed.append(what)

    def log(self, program: str) -> bytes:
        return (Path(self._facts["log"]) / f"{program}.log").read_bytes()
