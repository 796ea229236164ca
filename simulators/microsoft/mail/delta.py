"""Delta of one folder's messages: rounds, pages, and tokens that are forgotten. Knows no HTTP.

Sources: learn.microsoft.com/graph/delta-query-messages, /graph/delta-query-overview (replays, `@removed`), and
microsoft-graph-docs-contrib issue 72: with immutable ids, what left a folder and came back within one round is told as
removed only."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from simulators.microsoft.mail.box import Box, Entry
from simulators.microsoft.mail.failures import bad, not_found, resync, sync_state_lost
from simulators.microsoft.mail.query import Options

#: Applying `$filter` in a delta query returns only up to 5,000 messages.
_MOST_FILTERED = 5000
_TOLD_KEPT = 20


@dataclass(frozen=True)
class Item:
    """A message that is there (immutable id), or the name of one that is not."""

    name: str
    is_removed: bool = False


@dataclass(frozen=True)
class Place:
    """What a token stands for. `chain`: all that followed from one first request. `items`: of a round that is being
    read, from `position` on; `upto`: the length of the journal when it began."""

    owner: str
    folder: str
    chain: str
    generation: int
    upto: int
    options: Options
    change: str = ""
    items: tuple[Item, ...] | None = None
    position: int = 0


@dataclass
class Page:
    items: list[Item]
    token: str
    is_last: bool
    options: Options


@dataclass
class Deltas:
    """`kept`: how many of a chain's latest tokens are remembered (the real cache has no fixed size, often three).
    `repeats`: by owner, how many pages to come tell everything twice, and what was told before. `ends_with`: how an
    expired token is refused."""

    kept: int = 50
    ends_with: str = "lost"
    places: dict[str, Place] = field(default_factory=dict)
    chains: dict[str, list[str]] = field(default_factory=dict)
    expired: dict[str, Place] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    told: dict[tuple[str, str], list[Item]] = field(default_factory=dict)

    def first(self, box: Box, folder: str, options: Options, change: str) -> Place:
        """The round that tells all that is there."""
        found = [message for message in box.in_folder(folder) if options.passes(message)]
        limited = found[:_MOST_FILTERED] if options.clauses else found
        items = tuple(Item(message.id) for message in options.sorted(limited))
        start = Place(box.owner, folder, secrets.token_hex(8), 0, len(box.journals[folder]), options, change)
        return replace(start, items=() if change in ("updated", "deleted") else items)

    def of_token(self, box: Box, folder: str, token: str, url: str) -> Place:
        """Raises Refusal 410 where it is forgotten, 400 where it never was."""
        if token in self.expired:
            raise resync(url) if self.ends_with == "resync" else self._lost(self.expired[token])
        place = self.places.get(token)
        if place is None:
            raise bad("Badly formed token.", "SyncStateInvalid")
        if place.owner != box.owner or place.folder != folder:
            raise not_found()
        return place

    def page(self, box: Box, place: Place, size: int, is_immutable: bool) -> Page:
        upto, items = place.upto, place.items
        if items is None:
            upto = len(box.journals[place.folder])
            entries = box.journals[place.folder][place.upto :]
            items = tuple(_collapsed(box, place, entries, is_immutable))
        told = list(items[place.position : place.position + size])
        rest = place.position + size
        is_last = rest >= len(items)
        following = replace(
            place,
            generation=place.generation + 1,
            upto=upto,
            items=None if is_last else items,
            position=0 if is_last else rest,
        )
        return Page(self._repeated(place, told), self._keep(following), is_last, place.options)

    def expire(self, owner: str) -> int:
        """Every token of this person given out so far."""
        old = {token: place for token, place in self.places.items() if place.owner == owner}
        for token, place in old.items():
            self.expired[token] = place
            del self.places[token]
            self.chains.pop(place.chain, None)
        return len(old)

    def _keep(self, place: Place) -> str:
        token = secrets.token_urlsafe(150)
        self.places[token] = place
        chain = self.chains.setdefault(place.chain, [])
        chain.append(token)
        while len(chain) > self.kept:
            old = chain.pop(0)
            self.expired[old] = self.places.pop(old)
        return token

    def _lost(self, place: Place) -> Exception:
        living = [self.places[token].generation for token in self.chains.get(place.chain, ())]
        return sync_state_lost(place.generation, living)

    def _repeated(self, place: Place, told: list[Item]) -> list[Item]:
        before = self.told.setdefault((place.owner, place.folder), [])
        shown = told
        if told and self.repeats.get(place.owner, 0) > 0:
            self.repeats[place.owner] -= 1
            shown = [*told, *before, *told]
        before[:] = (before + told)[-_TOLD_KEPT:]
        return shown


def _collapsed(box: Box, place: Place, entries: Iterable[Entry], is_immutable: bool) -> Iterable[Item]:
    """One item for each message: what became of it since."""
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.id, []).append(entry)
    for id_, happened in by_id.items():
        for item in _items(box, place.folder, id_, happened, is_immutable):
            if place.change in ("", _kind(item, happened)) and _fits(box, place, item):
                yield item


def _items(box: Box, folder: str, id_: str, happened: list[Entry], is_immutable: bool) -> Iterable[Item]:
    message = box.messages.get(id_)
    is_here = message is not None and message.folder == folder
    was_here = happened[0].what != "in"
    left = next((entry for entry in happened if entry.what == "out"), None)
    if was_here and left is not None:
        yield Item(id_ if is_immutable else left.name, is_removed=True)
        if is_immutable:
            return
    if is_here:
        yield Item(id_)


def _kind(item: Item, happened: list[Entry]) -> str:
    if item.is_removed:
        return "deleted"
    return "created" if any(entry.what == "in" for entry in happened) else "updated"


def _fits(box: Box, place: Place, item: Item) -> bool:
    message = box.messages.get(item.name)
    return item.is_removed or (message is not None and place.options.passes(message))
