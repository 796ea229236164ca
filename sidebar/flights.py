"""One Salesforce call per card at a time: who asks for a card that is already being fetched waits for that call.

A failure is shared by all who wait and kept by nobody. A finished flight is referenced by nobody but its waiters,
so that no card lingers here after its time (C59)."""

import copy
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from providers.base import Priority
from providers.errors import Transient
from sidebar.bulkhead import Bulkhead, Room, crowded

#: Seconds a look-up waits for another one's call.
PATIENCE = 15.0
#: Seconds in which a flight still takes passengers although all places are taken: a burst of equal look-ups against
#: a healthy Salesforce is over by then, and a hanging one holds the spare threads no longer.
GRACE = 8.0
#: The same on a process' last threads, on which everybody's warm cards depend.
HASTE = 3.0

#: A card's key and the generation of its connection.
Seat = tuple[bytes, int]
Cards = Mapping[bytes, bytes]
Load = Callable[[list[bytes]], Cards]
Peek = Callable[[bytes], bytes | None]


class Flight:
    """One call under way for some cards. `cards` and `error` are set once, before `landed`."""

    __slots__ = ("cards", "departed", "error", "landed", "priority")

    def __init__(self, priority: Priority) -> None:
        self.priority = priority
        self.departed = time.monotonic()
        self.landed = threading.Event()
        self.cards: Cards = {}
        self.error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Trip:
    """One caller's wish. `load` asks Salesforce and must have stored its cards where `peek` sees them when it returns.

    `generation` is the connection's at the start: a look-up after a write never joins a flight from before it."""

    load: Load
    peek: Peek
    organization_id: str
    generation: int
    priority: Priority = Priority.INTERACTIVE


class Flights:
    """All flights of this process. `patience`, `grace` and `haste` in seconds."""

    def __init__(
        self, bulkhead: Bulkhead, *, patience: float = PATIENCE, grace: float = GRACE, haste: float = HASTE
    ) -> None:
        self._bulkhead = bulkhead
        self._patience = patience
        #: How old a flight may get for whom it carries.
        self._oldest = {Room.PLACE: math.inf, Room.SPARE: grace, Room.LAST: min(grace, haste)}
        self.reset()

    def reset(self) -> None:
        """After a fork the parent's flights never land here."""
        self._lock = threading.Lock()
        self._aloft: dict[Seat, Flight] = {}

    def __len__(self) -> int:
        return len(self._aloft)

    def fetch(self, keys: Sequence[bytes], trip: Trip) -> dict[bytes, bytes]:
        """The cards for `keys`: one call of `load` for those not on their way yet, the rest from others' calls.

        A prefetch does not wait for others' calls and leaves those keys out. Raises what `load` raised, here or in
        the flight joined; Transient when patience ends or no place is left."""
        deadline = time.monotonic() + self._patience
        is_prefetch = trip.priority is Priority.PREFETCH
        found: dict[bytes, bytes] = {}
        with self._bulkhead.place(trip.organization_id, prefetch=is_prefetch) as room:
            wanted = list(keys)
            while wanted:
                own, joined = self._board(wanted, trip, found, room)
                if own:
                    found.update(self._fly(own, trip))
                wanted = []
                for flight, seated in () if is_prefetch else joined:
                    latest = min(deadline, flight.departed + self._oldest[room])
                    if self._arrives(flight, latest, trip):
                        found.update({key: flight.cards[key] for key in seated})
                    else:
                        wanted += seated
        return found

    def _board(
        self, keys: list[bytes], trip: Trip, found: dict[bytes, bytes], room: Room
    ) -> tuple["Own | None", list[tuple[Flight, list[bytes]]]]:
        """Under one lock, so that of equal look-ups at once exactly one departs; a flight that has just landed is
        seen by `peek`, since it stores before it leaves `_aloft`."""
        joined: dict[Flight, list[bytes]] = {}
        missing: list[bytes] = []
        with self._lock:
            for key in keys:
                if (card := trip.peek(key)) is not None:
                    found[key] = card
                elif flight := self._aloft.get((key, trip.generation)):
                    joined.setdefault(flight, []).append(key)
                else:
                    missing.append(key)
            if any(self._is_late(flight, room) for flight in joined) or (missing and room is not Room.PLACE):
                raise crowded()
            own = Own(Flight(trip.priority), missing) if missing else None
            if own:
                self._aloft.update({(key, trip.generation): own.flight for key in missing})
        return own, list(joined.items())

    def _is_late(self, flight: Flight, room: Room) -> bool:
        return time.monotonic() - flight.departed >= self._oldest[room]

    def _fly(self, own: "Own", trip: Trip) -> Cards:
        flight = own.flight
        try:
            flight.cards = trip.load(own.keys)
        except Exception as error:
            flight.error = _twin(error)
            raise
        finally:
            with self._lock:
                for key in own.keys:
                    self._aloft.pop((key, trip.generation), None)
            flight.landed.set()
        return flight.cards

    def _arrives(self, flight: Flight, latest: float, trip: Trip) -> bool:
        """Wait for another's flight. False: it failed as a prefetch, which says nothing to a person who clicked."""
        if not flight.landed.wait(max(0.0, latest - time.monotonic())):
            raise Transient("Salesforce takes too long to answer.", retry_after=5.0)
        if flight.cards:
            return True
        if flight.priority is Priority.PREFETCH and trip.priority is not Priority.PREFETCH:
            return False
        raise _twin(flight.error or Transient("The look-up was broken off."))


@dataclass(frozen=True, slots=True)
class Own:
    """The flight that a caller leads, and the keys it flies for."""

    flight: Flight
    keys: list[bytes]


def _twin(error: Exception) -> Exception:
    """The same failure without its traceback: each thread raises its own, and none keeps another's frames alive."""
    try:
        return copy.copy(error)
    except Exception:  # noqa: BLE001  an exception class may refuse to be copied in any way
        return Transient("The look-up failed.")
