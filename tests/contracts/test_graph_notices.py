"""Graph's notices: the handshake, what a notice says, retries, lifecycle, whose subscriptions they are."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.errors import NotFound, Rejected
from providers.mail import Mailbox
from tests.contracts.graph_standing import SCOPE, Graph
from tests.contracts.mailbox_standing import Post, Tokens, letter
from tests.contracts.receiving import Receiver
from tests.simulators.mail_providers import MailProvider

SECRET = "a-secret-of-ours"


class TestNotices(Graph):
    def subscribed(self, mailbox: Mailbox, receiver: Receiver) -> str:
        (one,) = mailbox.subscribe(["any"], receiver.url, SECRET)
        return one.id

    def test_both_addresses_shake_hands(self, mailbox: Mailbox, receiver: Receiver) -> None:
        (one,) = mailbox.subscribe(["any", "other"], receiver.url, SECRET)
        assert receiver.handshakes == 2
        assert one.expires_at - datetime.now(UTC) > timedelta(hours=69)
        assert len(mailbox.subscribe([], receiver.url, SECRET)) == 1, "it is the mailbox's, whatever is read of it"

    @pytest.mark.parametrize("answer", ["", "another", "Validation%3A"])
    def test_an_address_that_does_not_shake_hands_gets_nothing(
        self, mailbox: Mailbox, receiver: Receiver, post: Post, answer: str
    ) -> None:
        receiver.token = answer
        with pytest.raises(Rejected):
            mailbox.subscribe(["any"], receiver.url, SECRET)
        receiver.token = None
        post.deliver(letter())
        assert receiver.wait_for(1, 0.2) == []

    @pytest.mark.parametrize(
        "address", ["http://hooks.example/", "ftp://localhost/", "nonsense", "http://localhost:1/x"]
    )
    def test_an_address_that_cannot_be_asked(self, mailbox: Mailbox, address: str) -> None:
        with pytest.raises(Rejected):
            mailbox.subscribe(["any"], address, SECRET)

    def test_a_long_secret_is_refused(self, mailbox: Mailbox, receiver: Receiver) -> None:
        with pytest.raises(Rejected):
            mailbox.subscribe(["any"], receiver.url, "x" * 129)

    def test_a_notice_names_subscription_secret_and_message(
        self, mailbox: Mailbox, receiver: Receiver, post: Post
    ) -> None:
        subscription = self.subscribed(mailbox, receiver)
        (one,) = post.deliver(letter())
        (notice,) = receiver.wait_for(1)
        assert (notice["subscriptionId"], notice["clientState"], notice["changeType"]) == (
            subscription,
            SECRET,
            "created",
        )
        assert notice["resourceData"]["id"] == one, "immutable, as asked for"
        post.say("touch", id=one)
        assert len(receiver.wait_for(2, 0.2)) == 1, "only what is new"

    def test_a_notice_comes_again_until_it_is_taken(self, mailbox: Mailbox, receiver: Receiver, post: Post) -> None:
        self.subscribed(mailbox, receiver)
        post.simulated.sim("push", {"first_wait": 0.02})
        receiver.answers = [500, 503]
        post.deliver(letter())
        assert len(receiver.wait_for(3)) == 3
        assert self.statuses(post, 3) == [500, 503, 202]

    def statuses(self, post: Post, number: int) -> list[int]:
        """What the simulator has noted of its own calls."""
        for _ in range(100):
            sent = post.simulated.sim("push", {})["sent"]
            if len(sent) >= number:
                break
        return [each["status"] for each in sent]

    def test_notices_come_twice_or_never(self, mailbox: Mailbox, receiver: Receiver, post: Post) -> None:
        self.subscribed(mailbox, receiver)
        post.simulated.sim("push", {"copies": 2, "lost": 1})
        post.deliver(letter("lost"))
        post.deliver(letter("told"))
        assert len(receiver.wait_for(2)) == 2
        assert len({notice["resourceData"]["id"] for notice in receiver.got}) == 1

    def test_after_four_hours_it_is_missed(self, mailbox: Mailbox, receiver: Receiver, post: Post) -> None:
        self.subscribed(mailbox, receiver)
        post.simulated.sim("push", {"first_wait": 2.0})
        receiver.answers = [500]
        post.deliver(letter())
        receiver.wait_for(1)
        post.simulated.sim("clock", {"advance": 4 * 3600 + 1})
        missed = receiver.wait_for(2, 30)[-1]
        assert (missed.get("lifecycleEvent"), missed["clientState"]) == ("missed", SECRET)

    @pytest.mark.parametrize("event", ["reauthorizationRequired", "missed"])
    def test_lifecycle_events_leave_it_to_be_renewed(
        self, mailbox: Mailbox, receiver: Receiver, post: Post, event: str
    ) -> None:
        subscription = self.subscribed(mailbox, receiver)
        post.say("lifecycle", event=event)
        (notice,) = receiver.wait_for(1)
        assert (notice["lifecycleEvent"], notice["subscriptionId"]) == (event, subscription)
        assert mailbox.renew(subscription).id == subscription

    def test_a_removed_subscription_is_not_found(self, mailbox: Mailbox, receiver: Receiver, post: Post) -> None:
        subscription = self.subscribed(mailbox, receiver)
        post.say("lifecycle", event="subscriptionRemoved")
        receiver.wait_for(1)
        with pytest.raises(NotFound):
            mailbox.renew(subscription)
        mailbox.unsubscribe(subscription)
        post.deliver(letter())
        assert len(receiver.wait_for(2, 0.2)) == 1

    def test_it_ends_at_its_end(self, mailbox: Mailbox, receiver: Receiver, post: Post) -> None:
        subscription = self.subscribed(mailbox, receiver)
        post.simulated.sim("clock", {"advance": 4231 * 60})
        post.simulated.sim("tokens/expire", {})
        with pytest.raises(NotFound):
            mailbox.renew(subscription)

    def test_nobody_renews_or_ends_another_ones(
        self, mailbox: Mailbox, receiver: Receiver, running: MailProvider
    ) -> None:
        subscription = self.subscribed(mailbox, receiver)
        charlie = self.mailbox_of(running, Tokens(running, "charlie", SCOPE))
        with pytest.raises(NotFound):
            charlie.renew(subscription)
        charlie.unsubscribe(subscription)
        assert mailbox.renew(subscription).id == subscription
