"""What the sidebar shows of one opened message: its own person's, and nobody else's."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from organizations.models import Member
from sync import conversations
from sync.models import SyncedMailbox
from tests.sync.conftest import Office, Post
from tests.sync.test_api import client_of

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def asked(member: Member, message_id: str, **query: Any) -> dict[str, Any]:
    given = {"provider": "google", "message_id": message_id, **query}
    answer = client_of(member).get("/api/v1/sync/why/", given)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_where_it_stands_and_why(alice: Post) -> None:
    alice.pull()
    (message_id,) = alice.box.arrive(1)
    assert asked(alice.member, message_id)["standing"] == "unseen"
    alice.pull()
    waiting = asked(alice.member, message_id)
    assert (waiting["standing"], waiting["decision"], waiting["is_followed"]) == ("waiting", None, True)
    alice.run()
    decided = asked(alice.member, message_id)
    assert (decided["standing"], decided["decision"]["rule"]) == ("decided", "matched")
    assert decided["decision"]["sentence"] == "Saved with the people of this email that are in Salesforce."


def test_whether_its_conversation_is_kept_private(alice: Post) -> None:
    alice.pull()
    (message_id,) = alice.box.arrive(1)
    alice.run()
    thread = f"t-{message_id}"
    assert asked(alice.member, message_id, thread_id=thread)["is_private"] is False
    conversations.keep_private(alice.member, "google", thread, True)
    assert asked(alice.member, message_id, thread_id=thread)["is_private"] is True
    assert asked(alice.member, "another", thread_id=thread)["is_private"] is True
    assert asked(alice.member, "another", thread_id="t-another")["is_private"] is False


def test_of_others_mail_nothing_is_known(office: Office) -> None:
    """Bob is a colleague, Charlie a stranger."""
    office.alice.pull()
    (message_id,) = office.alice.box.arrive(1)
    office.alice.run()
    conversations.keep_private(office.alice.member, "google", f"t-{message_id}", True)
    for other in (office.bob, office.charlie):
        found = asked(other.member, message_id)
        assert (found["standing"], found["decision"], found["is_private"]) == ("unseen", None, False)
    elsewhere = asked(office.alice.member, message_id, provider="microsoft")
    assert (elsewhere["is_followed"], elsewhere["decision"], elsewhere["is_private"]) == (False, None, False)


@pytest.mark.parametrize(
    "query", [{}, {"provider": "google"}, {"provider": "x", "message_id": "1"}, {"message_id": " "}]
)
def test_what_names_no_message_is_refused(alice: Post, query: dict[str, str]) -> None:
    assert client_of(alice.member).get("/api/v1/sync/why/", query).status_code == 400


def test_what_is_in_the_way_is_said_in_words(alice: Post) -> None:
    alice.pull()
    (message_id,) = alice.box.arrive(1)
    alice.pull()
    assert asked(alice.member, message_id)["hindrance"] == ""
    rows = SyncedMailbox.objects.filter(pk=alice.mailbox.pk)
    waits = {"parked_until": Now() + timedelta(minutes=15), "parked_for": "needs_reconnect"}
    rows.update(**waits, parked_at_provider="salesforce")
    for each, standing in ((message_id, "waiting"), ("not-told-of-yet", "unseen")):
        found = asked(alice.member, each)
        assert (found["standing"], found["hindrance"]) == (standing, "It waits until you connect Salesforce again.")
    rows.update(parked_until=None)
    alice.run()
    rows.update(**waits)
    assert asked(alice.member, message_id)["hindrance"] == ""
