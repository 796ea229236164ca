"""Starts the process that answers pixels and clicks: `python -m config.hot`. Reads the environment; no Django.

One event loop per worker under granian (RSGI); put more of them behind the same address to use more cores."""

import asyncio
import gc
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from config import env
from config.hardening import harden
from tracking.hot.app import App
from tracking.hot.boxes import BatchBox
from tracking.hot.commits import Commits
from tracking.hot.hits import packed
from tracking.hot.spool import Spool
from tracking.hot.standing import Standings
from tracking.hot.stream import Stream
from tracking.hot.tokens import Keyring, read_keys

_SPOOL = str(Path(env.read("LOCAL_DIR", str(Path(__file__).resolve().parent.parent / ".local"))) / "tracking-spool")
_SPOOL_BYTES = 256 * 1024 * 1024


class Process:
    """The RSGI target: builds its parts on the event loop of its worker."""

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        harden()
        keys = read_keys(env.read("TRACKING_KEY"))
        box = BatchBox(keys)
        stream = Stream(env.read("REDIS_URL"))
        folder, bound = (
            Path(env.read("TRACKING_SPOOL_DIR", _SPOOL)),
            env.read_number("TRACKING_SPOOL_BYTES", _SPOOL_BYTES),
        )
        standings = Standings(stream, box)
        commits = Commits(stream, Spool(folder, bound), lambda hits: packed(hits, box, standings.day), standings.heard)
        self._app = App(Keyring(keys), commits, standings)
        self._running = loop.create_task(commits.run())
        loop.run_until_complete(standings.read())
        gc.collect()
        gc.freeze()  # what start-up made stays; walking it again and again doubled how late the last in a hundred is

    def __rsgi__(self, scope: Any, protocol: Any) -> Coroutine[Any, Any, None]:
        return self._app(scope, protocol)


process = Process()
