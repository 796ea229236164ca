"""A day with trouble at Graph: errors, throttling, answers cut short, forgotten tokens, replays. Nothing is lost."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.errors import CursorExpired, RateLimited, Transient
from providers.mail import Mailbox
from tests.contracts.graph_standing import Graph
from tests.contracts.mailbox_standing import Post, Reader, everything, letter, whole

TRIES = 12
FAULTS: list[dict[str, Any]] = [{"status": 503}, {"status": 500, "body": "<html>"}, {"cut_after": 40}, {"status": 504}]


class TestTrouble(Graph):
    @pytest.mark.parametrize("seed", [1, 2])
    def test_all_that_is_there_was_told(self, mailbox: Mailbox, post: Post, seed: int) -> None:
        """As the engine reads: a page and its cursor together, again after trouble, listed anew after a lost cursor."""
        dice, began = random.Random(seed), datetime.now(UTC)
        post.say("expire", kept=3)
        reader, known = Reader.of(mailbox, most=7), set(post.held())
        folder, told, mine = post.make_folder("Northwind"), set[str](), list[str]()
        reader.cursors[folder] = mailbox.cursor_now(folder)
        for turn in range(8):
            mine += post.deliver(*(letter(f"{turn}-{number}") for number in range(12)))
            for one in dice.sample(mine, 4):
                post.move(one, dice.choice(["inbox", folder, "archive"]))
            lost = mine.pop(dice.randrange(len(mine)))
            post.delete(lost)
            self.trouble(post, dice)
            if turn == 5:
                post.expire()
            for stream in reader.cursors:
                told |= self.read(mailbox, reader, stream, began)
        assert set(post.held()) - known == set(mine) <= told
        self.trouble(post, dice)
        assert self.patiently(lambda: mailbox.headings([mine[0]]))[mine[0]]
        assert self.patiently(lambda: whole(mailbox, mine[0]))

    def trouble(self, post: Post, dice: random.Random) -> None:
        for _ in range(4):
            fault = dice.choice(FAULTS)
            post.fault(**fault, skip=dice.randrange(12))
        post.throttle(1, times=dice.randrange(3))
        post.repeat(dice.randrange(3))

    def read(self, mailbox: Mailbox, reader: Reader, stream: str, began: datetime) -> set[str]:
        told: set[str] = set()
        has_more = True
        while has_more:
            try:
                page = self.patiently(lambda: mailbox.changes(stream, reader.cursors[stream], most=reader.most))
            except CursorExpired:
                reader.cursors[stream] = self.patiently(lambda: mailbox.cursor_now(stream))
                told |= set(self.patiently(lambda: everything(mailbox, began - timedelta(1), began + timedelta(1))))
                continue
            reader.cursors[stream], has_more = page.cursor, page.has_more
            told |= {change.message_id for change in page.changes if not change.is_gone}
        return told

    def patiently(self, ask: Callable[[], Any]) -> Any:
        for _ in range(TRIES):
            with suppress(Transient, RateLimited):
                return ask()
        raise AssertionError("the trouble does not end")
