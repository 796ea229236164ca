"""What the hot process knows of organizations: who is switched off, which targets are withdrawn, the day's public key.

Published in Valkey by tracking.publishing; each commit says when it has changed. Kept when Valkey is away."""

import asyncio
import hashlib

from tracking.hot.boxes import BatchBox, Closing, NotOurs
from tracking.hot.stream import Standing, Stream, StreamDown
from tracking.hot.tokens import Opened


class Standings:
    def __init__(self, stream: Stream, box: BatchBox) -> None:
        self._stream, self._box = stream, box
        self._known = Standing(b"", frozenset(), frozenset(), b"")
        self._reading: asyncio.Task[None] | None = None
        self.day: Closing | None = None

    def is_off(self, organization: bytes, kind: int) -> bool:
        known = self._known.switched_off
        return bool(known) and switched_off(organization, kind) in known

    def is_withdrawn(self, opened: Opened) -> bool:
        withdrawn = self._known.withdrawn
        return bool(withdrawn) and mark_of(opened.organization, opened.target) in withdrawn

    def heard(self, version: bytes) -> None:
        """A commit came back with this version; b"" where Valkey was emptied: then keep what we know."""
        is_new = version not in (b"", self._known.version)
        if is_new and (self._reading is None or self._reading.done()):
            self._reading = asyncio.get_running_loop().create_task(self.read())

    async def read(self) -> None:
        try:
            told = await self._stream.standing()
        except StreamDown:
            return
        if not told.version:
            return
        if told.day != self._known.day:
            self.day = self._closing(told.day) or self.day
        self._known = told

    def _closing(self, published: bytes) -> Closing | None:
        try:
            name, public = self._box.open_day(published)
        except NotOurs:
            return None
        return Closing(name, public)


def switched_off(organization: bytes, kind: int) -> bytes:
    """What stands in the set of organizations that have opens (or clicks) not recorded."""
    return organization + bytes([kind])


def mark_of(organization: bytes, target: str) -> bytes:
    """What stands in the set of withdrawn targets: no address, and none to be guessed from another organization's."""
    return hashlib.blake2b(target.encode(), key=organization, digest_size=16).digest()
