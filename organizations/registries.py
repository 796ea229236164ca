"""What rooms above fill in `ready()`, so that commands crossing all rooms need no import upwards."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

F = TypeVar("F", bound=Callable[..., object])


class Registry(Generic[F]):
    """Named functions in the order of their registration. A name taken twice is a mistake and raises ValueError."""

    def __init__(self) -> None:
        self._functions: dict[str, F] = {}

    def register(self, name: str) -> Callable[[F], F]:
        def keep(function: F) -> F:
            if self._functions.setdefault(name, function) is not function:
                raise ValueError(f"{name} is registered already")
            return function

        return keep

    def __iter__(self) -> Iterator[tuple[str, F]]:
        return iter(list(self._functions.items()))

    def __len__(self) -> int:
        return len(self._functions)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `manage.py doctor`: plain words, and what to do where it is not ok. Never a secret or an address."""

    level: Level
    message: str
    advice: str = ""


#: () -> findings. May take seconds; must not raise for a fault that it is there to find.
doctor_checks: Registry[Callable[[], Iterable[Finding]]] = Registry()
#: (organization id) -> number of things erased. Runs outside a transaction; may be called again after a crash.
erasers: Registry[Callable[[UUID], int]] = Registry()
#: (canary text) -> the places where it was found, described without repeating it.
privacy_probes: Registry[Callable[[str], Iterable[str]]] = Registry()
