"""What a person says of his conversations: nobody else's, and heeded by the next look (F8, F9)."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from organizations.models import Member
from sync import conversations, jobs
from sync.conclusions import Conclusion, conclude
from sync.conversations import Said
from sync.models import Conversation, Decision, Job
from sync.reasons import Rule, Verdict, verdict
from tests.sync.conftest import Office, Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

THREAD = "thread-1"
C1, C2 = "003000000000001AAA", "003000000000002AAA"


def told(post: Post, said: Verdict, *, thread: str = THREAD, asked_ids: tuple[str, ...] = ()) -> Decision:
    """A message of this mailbox and what became of it."""
    post.pull()
    post.box.arrive(1)
    post.pull()
    post.wait()
    (task,) = jobs.claim(post.mailbox.pk)
    conclude([(task, Conclusion(said, thread_id=thread, asked_ids=asked_ids))])
    return Decision.objects.get(mailbox=post.mailbox, message_id=task.message_id)


def state_of(row: Decision) -> str:
    return Job.objects.get(mailbox=row.mailbox, message_id=row.message_id).state


def call(member: Member, path: str, **body: Any) -> tuple[int, Any]:
    client = APIClient()
    client.force_authenticate(user=member)  # type: ignore[arg-type]  # django-stubs wants its own base class
    answer = client.post(f"/api/v1/sync/{path}/", body, format="json")
    return answer.status_code, answer.json()


def private(member: Member, wanted: bool, *, provider: str = "google", thread: str = THREAD) -> tuple[int, Any]:
    return call(member, "conversations/private", provider=provider, thread_id=thread, is_private=wanted)


def test_kept_private_and_no_longer(office: Office) -> None:
    alice = office.alice
    stayed_out = told(alice, verdict(Rule.KEPT_PRIVATE))
    saved, elsewhere = told(alice, verdict(Rule.MATCHED)), told(alice, verdict(Rule.KEPT_PRIVATE), thread="thread-2")
    assert private(alice.member, True) == (200, {"is_looked_at_again": False})
    assert private(alice.member, True)[0] == 200
    assert conversations.said_of(alice.mailbox.pk, [THREAD, "thread-2"]) == {THREAD: Said(is_private=True)}
    assert conversations.is_private(alice.mailbox.pk, THREAD)
    assert {state_of(each) for each in (stayed_out, saved, elsewhere)} == {"done"}
    assert private(alice.member, False) == (200, {"is_looked_at_again": True})
    assert not Conversation.objects.exists()
    assert [state_of(each) for each in (stayed_out, saved, elsewhere)] == ["due", "done", "done"]


def test_it_is_nobody_elses(office: Office) -> None:
    """Each in his own mailbox: a colleague's stays as it is, and a stranger has none to speak of."""
    private(office.bob.member, True)
    assert not conversations.is_private(office.alice.mailbox.pk, THREAD)
    assert conversations.is_private(office.bob.mailbox.pk, THREAD)
    private(office.alice.member, False)
    assert conversations.is_private(office.bob.mailbox.pk, THREAD)
    assert private(office.alice.member, True, provider="microsoft")[0] == 404


@pytest.mark.parametrize("thread", ["", "a b", "x" * 513, "é", "a\nb"])
def test_ids_that_are_none(office: Office, thread: str) -> None:
    assert private(office.alice.member, True, thread=thread)[0] == 400


def test_who_is_meant(office: Office) -> None:
    alice = office.alice
    asked = told(alice, verdict(Rule.SEVERAL_PEOPLE), asked_ids=(C1, C2))
    again, other = told(alice, verdict(Rule.SEVERAL_PEOPLE), asked_ids=(C1, C2)), told(alice, verdict(Rule.DRAFT))
    assert call(alice.member, "decisions/choose", decision_id=str(asked.pk), person_id=C1) == (
        200,
        {"is_looked_at_again": True},
    )
    assert [state_of(each) for each in (asked, again, other)] == ["due", "due", "done"]
    assert conversations.said_of(alice.mailbox.pk, [THREAD]) == {THREAD: Said(person_ids=frozenset({C1}))}
    call(alice.member, "decisions/choose", decision_id=str(asked.pk), person_id=C2)
    assert conversations.said_of(alice.mailbox.pk, [THREAD])[THREAD].person_ids == {C2}
    private(alice.member, True)
    private(alice.member, False)
    assert conversations.said_of(alice.mailbox.pk, [THREAD])[THREAD].person_ids == {C2}


def test_only_who_was_asked_about_can_be_meant(office: Office) -> None:
    alice, bob, charlie = office.alice, office.bob, office.charlie
    asked = told(alice, verdict(Rule.SEVERAL_PEOPLE), asked_ids=(C1, C2))
    settled = told(alice, verdict(Rule.MATCHED))
    tries: list[tuple[Member, Decision, str]] = [
        (alice.member, asked, "003000000000009AAA"),
        (alice.member, settled, C1),
        (bob.member, asked, C1),
        (charlie.member, asked, C1),
    ]
    for member, row, person_id in tries:
        assert call(member, "decisions/choose", decision_id=str(row.pk), person_id=person_id)[0] == 404
    assert not Conversation.objects.exists()
