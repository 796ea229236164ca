"""Being told of mail: from the provider's own push through our webhooks to a decision, by the whole product. No
message here waits for a poll: the next one is minutes away."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.journeys.people import Salesforce
from tests.journeys.test_email_sync import PEOPLE, Mailbox, activities, until
from tests.running import Stack

_STREAM = "SELECT m.id, m.poll_at - now() > interval '1 minute' AS is_quiet FROM sync_syncedmailbox m"
_WHOSE = " JOIN vault_connection c ON c.id = m.connection_id WHERE c.provider = %s AND m.is_on"
#: A notice that the queue has lost is made up for by the sweep.
PATIENCE = 45


class Told(Mailbox):
    """A mailbox whose provider tells us what has changed."""

    def row(self) -> dict[str, Any]:
        (row,) = self.rows(_STREAM + _WHOSE, self.accounts.name)
        return row

    def subscriptions(self) -> list[str]:
        found = self.rows("SELECT provider_id FROM sync_subscription WHERE mailbox_id = %s", self.row()["id"])
        return [each["provider_id"] for each in found]

    def desk(self, path: str, **body: Any) -> Any:
        answer = self.accounts.session.post(f"{self.accounts.url}/_sim/{path}", json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def sent(self) -> list[dict[str, Any]]:
        return list(self.desk("push")["sent"])

    def told_of(self, message_id: str) -> dict[str, Any]:
        """What was decided, though nobody looks at this mailbox by himself so soon."""
        found = dict(until(lambda: self.decision(message_id), PATIENCE))
        assert self.row()["is_quiet"]
        return found


@pytest.fixture(scope="module")
def mailboxes(stack: Stack) -> Iterator[dict[str, Told]]:
    made = {provider: Told(stack, provider) for provider in PEOPLE}
    first = made["google"]
    for each in made.values():
        each.begin()
    first.enqueue("follow_settings")
    until(lambda: len(first.rows("SELECT 1 FROM sync_syncedmailbox WHERE is_on")) >= len(made))
    for each in made.values():
        each.enqueue("look_after_subscription", str(each.row()["id"]))
        until(each.subscriptions)
    until(lambda: all(each.is_followed() and each.row()["is_quiet"] for each in made.values()))
    yield made
    for each in made.values():
        each.end()


@pytest.fixture(params=PEOPLE)
def mailbox(request: pytest.FixtureRequest, mailboxes: dict[str, Told]) -> Told:
    return mailboxes[request.param]


@pytest.fixture
def graph(mailboxes: dict[str, Told]) -> Told:
    return mailboxes["microsoft"]


def test_a_mail_is_told_of_and_saved(mailbox: Told, acme: Salesforce) -> None:
    """However often each notice comes."""
    name = mailbox.accounts.name
    mailbox.desk("push", copies=5)
    message_id = mailbox.deliver(f"told-{name}", subject=f"Told by {name}")
    assert mailbox.told_of(message_id)["rule"] == "matched"
    mailbox.desk("push", copies=1)
    assert len(activities(acme, f"Told by {name}")) == 1
    until(lambda: len(mailbox.sent()) >= 5)
    assert {each["status"] for each in mailbox.sent()} <= {202, 204}


def test_pushes_of_somebody_else_are_refused_and_come_again_until_they_are_googles(mailboxes: dict[str, Told]) -> None:
    """BI-C1: signed by Google for another service account, as anybody can have it done."""
    gmail = mailboxes["google"]
    account = gmail.desk("push")["account"]
    gmail.desk("push", account="somebody@else.iam.gserviceaccount.example", sent=[], first_wait=1.0)
    message_id = gmail.deliver("others-push", subject="Of another account")
    until(lambda: {each["status"] for each in gmail.sent()} == {401})
    assert gmail.decision(message_id) is None
    gmail.desk("push", account=account, first_wait=0.1)
    assert gmail.told_of(message_id)["rule"] == "matched"


def test_what_graph_could_not_tell_of_it_says_it_missed(graph: Told) -> None:
    graph.desk("push", lost=1)
    message_id = graph.deliver("missed", subject="Missed")
    time.sleep(2)
    assert graph.decision(message_id) is None
    assert graph.desk(f"mail/{graph.user}/lifecycle", event="missed")["told"] == 1
    assert graph.told_of(message_id)["rule"] == "matched"


def test_a_subscription_that_graph_removed_is_made_anew(graph: Told) -> None:
    before = graph.subscriptions()
    assert graph.desk(f"mail/{graph.user}/lifecycle", event="subscriptionRemoved")["told"] == 1
    until(lambda: graph.subscriptions() and graph.subscriptions() != before, PATIENCE)
    message_id = graph.deliver("anew", subject="After it was made anew")
    assert graph.told_of(message_id)["rule"] == "matched"


def test_a_subscription_that_must_be_authorised_again_is_renewed_once(graph: Told) -> None:
    """BI-C7: within ten minutes, however often it is said, by Graph or by somebody who knows the secret."""
    (kept,) = graph.subscriptions()
    graph.rows("UPDATE sync_subscription SET checked_at = NULL")
    renewed = _counting(graph, "PATCH")
    for _ in range(5):
        assert graph.desk(f"mail/{graph.user}/lifecycle", event="reauthorizationRequired")["told"] == 1
    until(renewed, PATIENCE)
    time.sleep(2)
    assert (renewed(), graph.subscriptions()) == (1, [kept])


def _counting(mailbox: Told, method: str) -> Callable[[], int]:
    """Calls about subscriptions from now on."""

    def calls() -> int:
        found = mailbox.accounts.session.get(f"{mailbox.accounts.url}/_sim/calls", timeout=30).json()["calls"]
        return sum(each["method"] == method and "/subscriptions" in each["path"] for each in found)

    before = calls()
    return lambda: calls() - before
