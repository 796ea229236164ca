"""Deaths of a worker, in this process: before any of its statements to the database. As after kill -9 nothing of it
runs any more: no hold is let go, no lease ended, no failure noted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from sync import holds
from tests.sync.boxes import Killed


class Reaper:
    """Kills at the `after`-th statement from now on; counts them."""

    def __init__(self, after: int) -> None:
        self.left, self.seen, self.is_dead = after, 0, False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.seen += 1
        if self.is_dead or self.seen > self.left:
            self.is_dead = True
            raise Killed
        return execute(sql, params, many, context)


@contextmanager
def reaping(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[Reaper]:
    """Killed raised within is the end of it; everything else escapes."""
    reaper = Reaper(after)
    let_go = holds.let_go
    with monkeypatch.context() as patched, connection.execute_wrapper(reaper):
        patched.setattr(holds, "let_go", lambda *each: None if reaper.is_dead else let_go(*each))
        try:
            yield reaper
        except Killed:
            reaper.is_dead = True
