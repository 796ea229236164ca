"""Load on the whole product with a ledger: what was answered, when, and how fast. Each token is asked for once, so that
a hit is known by its copy. Only this machine is asked."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.journeys.people import AddIn, sign_in_anew
from tests.running import Stack
from tracking.hot.tokens import Keyring, Kind, read_keys

RECIPIENTS = 500  # copies of one message
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One pixel: its path, and the copy that it stands for."""

    path: str
    copy_id: str


@dataclass(frozen=True, slots=True)
class Hit:
    """What became of one ticket. `at`: when the answer was there, in seconds of the monotonic clock."""

    copy_id: str
    at: float
    seconds: float
    is_answered: bool


def switched_on(stack: Stack) -> AddIn:
    """An administrator whose organization tracks opens and clicks."""
    alice = sign_in_anew(stack, "acme", "alice")
    values = {"track.opens": True, "track.clicks": True}
    assert alice.call("PATCH", "policy/?level=organization", json={"values": values}).status_code == 200
    return alice


def tickets(stack: Stack, sender: AddIn, number: int) -> list[Ticket]:
    """Through the API, as an add-in gets them; the messages are sent."""
    keyring = Keyring(read_keys(_setting(stack, "TRACKING_KEY")))
    found: list[Ticket] = []
    while len(found) < number:
        people = [f"somebody-{len(found) + each}@customer.example" for each in range(RECIPIENTS)]
        body = {"recipients": people, "links": [], "singly": True}
        told = sender.call("POST", "tracking/messages/", json=body).json()
        sender.call("POST", f"tracking/messages/{told['id']}/sent/", json={})
        found += [_ticket(keyring, each["pixel"]) for each in told["copies"]]
    return found[:number]


def _ticket(keyring: Keyring, pixel: str) -> Ticket:
    path = urlsplit(pixel).path
    opened = keyring.open(Kind.OPEN, path.removeprefix("/t/o/").removesuffix(".gif"))
    assert opened is not None
    return Ticket(path, opened.copy_id.hex())


def _setting(stack: Stack, name: str) -> str:
    environment = stack.facts["environment"]
    return str(environment.get(name) or Path(environment[f"{name}_FILE"]).read_text().strip())


class Load:
    """Asks for each ticket once, `threads` at a time, at `rate` a second in all, until `stop`."""

    def __init__(self, stack: Stack, tickets: list[Ticket], *, threads: int = 16, rate: float) -> None:
        self.ledger: list[Hit] = []
        self._netloc = urlsplit(stack.facts["tracking_url"]).netloc
        self._tickets, self._begun, self._lock = tickets, 0, threading.Lock()
        self._pause = threads / rate
        self._may_ask, self._is_stopped = threading.Event(), False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        self._may_ask.set()
        for each in self._threads:
            each.start()

    def hold(self) -> None:
        """Until `go_on`; nothing is under way when it returns."""
        self._may_ask.clear()
        await_true(lambda: len(self.ledger) == self._begun, 10)

    def go_on(self) -> None:
        self._may_ask.set()

    def await_answers(self, number: int, seconds: float) -> None:
        """So many more, or all that there are."""
        before = len(self.ledger)
        await_true(lambda: self.is_over() or sum(hit.is_answered for hit in self.ledger[before:]) >= number, seconds)

    def stop(self) -> list[Hit]:
        """The ledger, once whatever is under way is answered."""
        self._is_stopped = True
        self._may_ask.set()
        for each in self._threads:
            each.join(30)
        return self.ledger

    def is_over(self) -> bool:
        return not any(each.is_alive() for each in self._threads)

    def _work(self) -> None:
        connection = http.client.HTTPConnection(self._netloc, timeout=5)
        while (number := self._begin()) is not None:
            ticket, began = self._tickets[number], time.monotonic()
            try:
                connection.request("GET", ticket.path, headers={"User-Agent": CHROME})
                is_answered = connection.getresponse().read()[:6] == b"GIF89a"
            except (OSError, http.client.HTTPException):
                is_answered = False
                connection.close()  # and opened again by the next request
            at = time.monotonic()
            self.ledger.append(Hit(ticket.copy_id, at, at - began, is_answered))
            time.sleep(self._pause * random.random() * 2)
        connection.close()

    def _begin(self) -> int | None:
        while True:
            self._may_ask.wait()
            with self._lock:
                if self._is_stopped or self._begun >= len(self._tickets):
                    return None
                if self._may_ask.is_set():
                    self._begun += 1
                    return self._begun - 1


def percentile(hits: Iterable[Hit], share: float) -> float:
    """Milliseconds, of those that were answered."""
    ordered = sorted(hit.seconds for hit in hits if hit.is_answered)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1_000


def await_true(look: Callable[[], bool], seconds: float) -> float:
    """Returns how long it took. Raises AssertionError."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began
