"""What a room's journey for `prove_privacy` has in hand: a whole product of its own, beside simulated providers.

A protocol only: the product is started and visited by config. Never one that somebody uses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class JourneyFailed(RuntimeError):
    """What was sent did not arrive, so that nothing is proved by its not being found; the message says what."""


class Answer(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> bytes: ...

    @property
    def json(self) -> Any: ...


class AddIn(Protocol):
    """A signed-in person's."""

    def call(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Below /api/v1/. `body`: bytes as they are, anything else as JSON."""
        ...


class Visit(Protocol):
    def canary(self, what: str) -> str:
        """A word to send; `what` it stands for is what a finding says ("the subject of a mail"). Small letters and
        digits, 54 of them."""
        ...

    def add_in(self, who: str = "alice") -> AddIn:
        """Alice administers the simulated Acme; signed in once."""
        ...

    def connect(self, provider: str, who: str = "alice") -> None:
        """His mailbox there; whatever is asked for is allowed."""
        ...

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """As anybody; redirects are not followed."""
        ...

    def desk(self, provider: str, path: str, body: object = None) -> Any:
        """`/_sim/` of a simulated provider: GET without a body, else POST (simulators/README.md)."""
        ...

    def paused(self, program: str) -> AbstractContextManager[None]:
        """One of "worker", "Valkey", "tracking", "web" stands still."""
        ...

    def expect(self, what: str, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Waits. Raises JourneyFailed; else the report says it."""
        ...

    def log(self, program: str) -> bytes:
        """All that it has logged."""
        ...


#: Sends canaries about, and yields the name of each moment at which everything shall be looked through.
Journey = Callable[[Visit], Iterator[str]]
