"""What rooms above fill in `ready()`, so that commands crossing all rooms need no import upwards."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

from organizations.privacy.stores import Store
from organizations.privacy.visits import Journey

F = TypeVar("F", bound=Any)


class Registry(Generic[F]):
    """Named parts in the order of their registration. A name taken twice is a mistake and raises ValueError."""

    def __init__(self) -> None:
        self._parts: dict[str, F] = {}

    def register(self, name: str) -> Callable[[F], F]:
        def keep(part: F) -> F:
            if self._parts.setdefault(name, part) is not part:
                raise ValueError(f"{name} is registered already")
            return part

        return keep

    def __iter__(self) -> Iterator[tuple[str, F]]:
        return iter(list(self._parts.items()))

    def __len__(self) -> int:
        return len(self._parts)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `manage.py doctor`: plain words, and what to do where it is not ok. Never a secret or an address.
    `is_last`: whatever would be looked at after it needs what is missing."""

    level: Level
    message: str
    advice: str = ""
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of an organization's grants, or of its subscriptions, at one provider: how many it confirmed, how
    many it did not within our patience, and how many have no way to be withdrawn there (`advice` says by whom)."""

    provider: str
    what: str  # "grants", "subscriptions"
    confirmed: int = 0
    unconfirmed: int = 0
    not_offered: int = 0
    advice: str = ""


class CannotGoOn(RuntimeError):
    """Something stands in the way that an operator can mend; the message says what. What was done so far holds, and
    the same command goes on from there."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What a room needs before it can end anything of an organization at its providers."""

    #: Raises CannotGoOn where it is missing.
    require: Callable[[UUID], None]
    #: The operator says that it is lost for good: what needs it is given up, and `require` asks for it no more.
    give_up: Callable[[UUID], None]


@dataclass(frozen=True, slots=True)
class Eraser:
    """A room's part in destroying an organization. All run outside a transaction and may run again after a crash."""

    #: What there is, in words: kind -> count. All zero after `erase`.
    count: Callable[[UUID], Mapping[str, int]]
    erase: Callable[[UUID], None]
    #: The ids by which epochs and tasks of this room name what belongs to the organization.
    names: Callable[[UUID], Iterable[object]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the recipients of one tracked mail did with it, likely, all together. `last_at`: None where nobody did."""

    opens: int
    clicks: int
    last_at: datetime | None


#: (ids of tracked mails) -> what came of those that are here.
seen_counters: Registry[Callable[[Collection[UUID]], Mapping[UUID, Seen]]] = Registry()
#: (id of a connection) -> what is wrong with it, found out at the provider now; nothing where a room knows no such id.
connection_examiners: Registry[Callable[[UUID], Iterable[Finding]]] = Registry()
#: () -> a page of the manual that a room makes from the texts that its findings use (Markdown).
doctor_pages: Registry[Callable[[], str]] = Registry()
#: () -> findings. May take seconds; must not raise for a fault that it is there to find.
doctor_checks: Registry[Callable[[], Iterable[Finding]]] = Registry()
#: Asked before an organization's destruction is begun or taken up again.
needs: Registry[Needed] = Registry()
#: In the order of registration, lower rooms first; an organization is erased from the last to the first.
erasers: Registry[Eraser] = Registry()
#: (organization id, seconds to wait without progress) -> what providers confirmed. Subscriptions go while grants live.
unsubscribers: Registry[Callable[[UUID, float], Iterable[Withdrawn]]] = Registry()
#: The same for grants. From its first commit on none of them may be used for anything but its own end.
revokers: Registry[Callable[[UUID, float], Iterable[Withdrawn]]] = Registry()
#: () -> where this room keeps anything outside the databases and Valkey, for `prove_privacy` to look through.
privacy_probes: Registry[Callable[[], Iterable[Store]]] = Registry()
#: What `prove_privacy` does in this room with texts that must not stay.
privacy_journeys: Registry[Journey] = Registry()
#: () -> whether this process can do its work, for `/readyz`. From RAM: asked every few seconds, by anybody.
readiness: Registry[Callable[[], bool]] = Registry()
