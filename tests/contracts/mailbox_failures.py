"""The suite for mailboxes: what goes wrong, notices, a busy day. See tests/contracts/mailbox.py."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from providers.errors import (
    FreshTokenRefused,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Transient,
)
from providers.mail import Mailbox
from tests.contracts.mailbox_standing import CANARY, Post, Reader, Standing, Tokens, letter, there, whole
from tests.simulators.mail_providers import MailProvider


class Failures(Standing):
    """What goes wrong at the provider; notices; a busy day."""

    def everyone(self, mailbox: Mailbox, message_id: str) -> list[Any]:
        """Each way of asking, as functions."""
        now = datetime.now(UTC)
        stream = mailbox.streams([folder.id for folder in mailbox.folders()])[0]
        cursor = mailbox.cursor_now(stream)
        return [
            mailbox.folders,
            lambda: mailbox.cursor_now(stream),
            lambda: mailbox.changes(stream, cursor),
            lambda: mailbox.listed(now - timedelta(days=1), now),
            lambda: mailbox.headings([message_id]),
            lambda: whole(mailbox, message_id),
            lambda: mailbox.subscribe([stream], self.address, "secret"),
        ]

    def test_throttling_carries_the_providers_own_time(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter())
        for ask in self.everyone(mailbox, one):
            post.throttle(37)
            with pytest.raises(RateLimited) as caught:
                ask()
            assert 33 <= caught.value.retry_after <= 40
            ask()

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_trouble_at_the_provider_passes(self, mailbox: Mailbox, post: Post, status: int) -> None:
        (one,) = post.deliver(letter())
        for ask in self.everyone(mailbox, one):
            post.fault(status=status, body="<html>Error</html>")
            with pytest.raises(Transient):
                ask()

    @pytest.mark.parametrize("body", ["<html>Sign in to the hotel</html>", [], {}, {"value": 7}, None, "nul"])
    def test_nonsense_is_no_answer(self, mailbox: Mailbox, post: Post, body: Any) -> None:
        """An answer of 200 that is none must never read as "no changes", "no folders" or an empty message."""
        (one,) = post.deliver(letter())
        changes, headings, message = self.everyone(mailbox, one)[2], *self.everyone(mailbox, one)[4:6]
        for ask in (changes, headings, message):
            post.fault(status=200, body=body)
            with pytest.raises(Transient):
                ask()

    def test_a_token_that_ran_out_is_renewed_once(self, mailbox: Mailbox, post: Post, tokens: Tokens) -> None:
        (one,) = post.deliver(letter())
        for number, ask in enumerate(self.everyone(mailbox, one), 1):
            self.end_access(post.simulated)
            ask()
            assert tokens.renewals == number

    def end_access(self, running: MailProvider) -> None:
        running.sim("tokens/expire", {})

    def test_a_grant_that_ended_is_no_verdict_of_the_api(self, mailbox: Mailbox, post: Post) -> None:
        """Only the token endpoint says that a grant is gone."""
        (one,) = post.deliver(letter())
        asks = self.everyone(mailbox, one)
        post.simulated.sim("users/alice", {"withdraw": True})
        self.end_access(post.simulated)
        for ask in asks:
            with pytest.raises(FreshTokenRefused):
                ask()

    def test_a_grant_without_mail(self, running: MailProvider) -> None:
        mailbox = self.mailbox_of(running, Tokens(running, "alice", self.too_little))
        with pytest.raises(PermissionMissing):
            mailbox.folders()
        with pytest.raises(PermissionMissing):
            mailbox.headings(["18c2f00000000001"])
        with pytest.raises(PermissionMissing):
            whole(mailbox, "18c2f00000000001")

    def test_no_failure_tells_content(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter(subject=CANARY))
        for fault in ({"status": 500, "body": {"error": CANARY}}, {"status": 400, "body": {"error": CANARY}}):
            for ask in self.everyone(mailbox, one):
                post.fault(**fault)
                with pytest.raises(ProviderError) as caught:
                    ask()
                assert CANARY not in f"{caught.value!s} {caught.value!r} {caught.value.__dict__}"

    def test_nobody_reads_another_ones_mail(self, mailbox: Mailbox, post: Post, running: MailProvider) -> None:
        (one,) = post.deliver(letter())
        charlie = self.mailbox_of(running, Tokens(running, "charlie", self.scope))
        assert charlie.headings([one]) == {one: None}
        with pytest.raises(NotFound):
            whole(charlie, one)
        assert mailbox.headings([one])[one] is not None

    @pytest.mark.parametrize("seed", range(3))
    def test_trouble_loses_nothing(self, mailbox: Mailbox, post: Post, seed: int) -> None:
        """Refusals, answers cut short and pages that come again, and always on from the last cursor that was told."""
        chance = random.Random(seed)
        reader, new, told = Reader.of(mailbox, most=2), set[str](), set[str]()
        for _ in range(6):
            new |= set(post.deliver(*(letter(str(chance.random())) for _ in range(3))))
            self._trouble(post, chance)
            for stream in reader.cursors:
                told |= self._persistently(reader, stream)
        assert new <= told

    def _trouble(self, post: Post, chance: random.Random) -> None:
        skip = chance.randrange(3)
        post.repeat(chance.randrange(2))
        faults: tuple[dict[str, Any], ...]
        faults = ({"status": 503}, {"status": 429}, {"cut_after": 40}, {"status": 200, "body": "<html>"})
        post.fault(**chance.choice(faults), skip=skip)

    def _persistently(self, reader: Reader, stream: str) -> set[str]:
        told: set[str] = set()
        for _ in range(20):
            try:
                told.update(change.message_id for change in reader.of_stream(stream))
            except (RateLimited, Transient):
                continue
            return told
        raise AssertionError("trouble without end")

    # -- notices -------------------------------------------------------------------------------------------------------

    def test_subscriptions_have_an_end_and_are_renewed(self, mailbox: Mailbox) -> None:
        stream = mailbox.streams([folder.id for folder in mailbox.folders()])[0]
        first = mailbox.subscribe([stream], self.address, "secret")
        assert first
        for each in first:
            assert timedelta(minutes=40) < each.expires_at - datetime.now(UTC) < timedelta(days=8)
            again = mailbox.renew(each.id)
            assert again.id == each.id
            assert again.expires_at >= each.expires_at - timedelta(seconds=2)

    def test_an_end_may_be_asked_for_twice(self, mailbox: Mailbox) -> None:
        stream = mailbox.streams([folder.id for folder in mailbox.folders()])[0]
        (one, *_) = mailbox.subscribe([stream], self.address, "secret")
        mailbox.unsubscribe(one.id)
        mailbox.unsubscribe(one.id)

    # -- a day in a mailbox --------------------------------------------------------------------------------------------

    def test_a_busy_day_loses_nothing(self, mailbox: Mailbox, post: Post) -> None:
        """Deliveries, moves, deletions, replays and pages of three; at the end what was told is what there is."""
        folder = post.make_folder("Northwind")
        reader, known = Reader.of(mailbox, most=3), set(post.held())
        told: set[str] = set()
        for turn in range(4):
            ids = post.deliver(*(letter(f"{turn}-{number}") for number in range(5)))
            post.repeat(turn % 2)
            told |= there(reader.new())
            post.move(ids[0], folder)
            post.delete(ids[1])
            told |= there(reader.new())
        left = set(post.held()) - known
        assert left <= told
        surely_gone = {key for key, heading in self._headings(mailbox, told).items() if heading is None}
        assert told - surely_gone - known == left

    def _headings(self, mailbox: Mailbox, ids: set[str]) -> dict[str, Any]:
        edges = [*range(0, len(ids), 20), len(ids)]
        ordered = sorted(ids)
        return {k: h for start, end in pairwise(edges) for k, h in mailbox.headings(ordered[start:end]).items()}
