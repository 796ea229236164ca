"""Taking mail back over HTTP: what is answered, to whom, and that it is counted before it is done."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from organizations.models import Member
from sync import tasks
from sync.models import Correction, CorrectionStep, Decision, LedgerEntry
from tests.sync.conftest import Office, Post
from tests.sync.test_api import client_of

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
PERSON, OTHER = "003000000000001AAA", "00Q000000000002AAA"


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Nobody carries anything out here; what was to wake a worker up."""
    calls: list[Any] = []
    monkeypatch.setattr(tasks, "wake", lambda task, ids: calls.extend((task, each) for each in ids))
    return calls


def saved(post: Post, thread: str = "t") -> Decision:
    whose, activity = {"organization": post.member.organization, "mailbox": post.mailbox}, uuid4().hex[:18]
    about = {"object_name": "Task", "rule": "matched", "written_at": Now(), "message_mark": b"1"}
    LedgerEntry.objects.create(**whose, key=uuid4().hex, salesforce_id=activity, **about)
    told = {"outcome": "synced", "rule": "matched", "activity_id": activity, "record_ids": [PERSON]}
    return Decision.objects.create(**whose, message_id=uuid4().hex, thread_id=thread, **told)


def post(member: Member, path: str, **body: Any) -> tuple[int, Any]:
    answer = client_of(member).post(f"/api/v1/sync/{path}/", body, format="json")
    return answer.status_code, answer.json()


def seen(member: Member, path: str) -> tuple[int, Any]:
    answer = client_of(member).get(f"/api/v1/sync/{path}/")
    return answer.status_code, answer.json()


def day(**more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    whole = {"since": (now - timedelta(days=1)).isoformat(), "until": (now + timedelta(days=1)).isoformat()}
    return {**whole, **more}


def test_an_email_is_taken_back_and_how_far_that_is_is_told(office: Office, woken: list[Any]) -> None:
    row = saved(office.alice)
    status, told = post(office.alice.member, f"decisions/{row.pk}/undo")
    assert (status, told["kind"], told["scope"], told["total"], told["left"]) == (202, "undo", "mail", 1, 1)
    assert [(task, str(each)) for task, each in woken] == [(tasks.correct, told["id"])]
    CorrectionStep.objects.update(result="changed")
    status, told = seen(office.alice.member, f"corrections/{told['id']}")
    assert (status, told["left"]) == (200, 0)
    assert told["lines"] == [
        {
            "result": "changed",
            "count": 1,
            "sentence": "Left in Salesforce, since somebody has changed them there: 1.",
        }
    ]
    assert seen(office.alice.member, "corrections") == (200, {"corrections": [told]})


def test_a_conversation_and_other_people(office: Office) -> None:
    row = saved(office.alice)
    member = office.alice.member
    thread = {"provider": "google", "thread_id": "t"}
    assert post(member, f"decisions/{row.pk}/relink", record_ids=[OTHER])[1]["kind"] == "relink"
    assert post(member, "conversations/relink", **thread, record_ids=[OTHER])[0] == 202
    assert Correction.objects.order_by("created_at").first().person_ids == [OTHER]  # type: ignore[union-attr]
    status, told = post(member, "conversations/undo", **thread)
    assert (status, told["scope"]) == (202, "thread")


def test_what_a_rule_has_saved_is_counted_before_it_is_taken_back(office: Office) -> None:
    for each in (office.alice, office.alice, office.bob):
        saved(each)
    path, alice, bob = "rules/matched/undo", office.alice.member, office.bob.member
    status, told = post(alice, path, **day())
    assert (status, told["count"], told["members"]) == (200, 3, 2)
    assert not Correction.objects.exists()
    status, told = post(alice, path, **day(expected=2))
    assert (status, told["count"]) == (409, 3)
    assert post(bob, path, **day(member_id=str(alice.pk)))[0] == 403
    assert post(bob, path, **day())[1]["count"] == 1
    status, told = post(alice, path, **day(expected=1, member_id=str(bob.pk)))
    assert (status, told["scope"], told["total"]) == (202, "rule", 1)
    assert post(alice, path, **day())[1]["count"] == 2
    assert post(office.charlie.member, path, **day())[1]["count"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"since": "x"},
        {"domain": "a b"},
        {"domain": "x@y.example"},
        {"expected": -1},
        {"member_id": 1},
        {"other": 1},
    ],
)
def test_a_span_that_is_none(office: Office, body: dict[str, Any]) -> None:
    assert post(office.alice.member, "rules/matched/undo", **day(**body))[0] == 400


def test_a_span_that_ends_before_it_begins_has_nothing(office: Office) -> None:
    saved(office.alice)
    body = {**day(), "until": "2020-01-01T00:00:00Z"}
    assert post(office.alice.member, "rules/matched/undo", **body)[1]["count"] == 0
    assert post(office.alice.member, "rules/matched/undo", **body, expected=0)[0] == 404


@pytest.mark.parametrize("ids", [[], ["x"], ["001000000000001AAA"], [PERSON] * 11, [PERSON[:15]], "003"])
def test_people_that_are_none(office: Office, ids: Any) -> None:
    row = saved(office.alice)
    assert post(office.alice.member, f"decisions/{row.pk}/relink", record_ids=ids)[0] == 400


def test_what_is_not_there_or_somebody_elses(office: Office) -> None:
    row = saved(office.alice)
    begun = post(office.alice.member, f"decisions/{row.pk}/undo")[1]["id"]
    for member in (office.bob.member, office.charlie.member):
        assert post(member, f"decisions/{row.pk}/undo")[0] == 404
        assert post(member, f"decisions/{row.pk}/relink", record_ids=[OTHER])[0] == 404
        assert post(member, "conversations/undo", provider="google", thread_id="t")[0] == 404
        assert seen(member, f"corrections/{begun}")[0] == 404
        assert seen(member, "corrections") == (200, {"corrections": []})
    assert post(office.alice.member, f"decisions/{uuid4()}/undo")[0] == 404
    assert post(office.alice.member, "rules/draft/undo", **day())[0] == 404
    assert client_of(office.alice.member).post(f"/api/v1/sync/decisions/{row.pk}/undo/").status_code == 202


def test_by_its_activity_and_back(office: Office, woken: list[Any]) -> None:
    row, alice = saved(office.alice), office.alice.member
    for member in (office.bob.member, office.charlie.member):
        assert post(member, f"activities/{row.activity_id}/undo")[0] == 404
    assert post(alice, "activities/x/undo")[0] == 404
    status, begun = post(alice, f"activities/{row.activity_id}/undo")
    assert (status, begun["total"]) == (202, 1)
    assert post(alice, f"corrections/{begun['id']}/put-back")[0] == 404
    CorrectionStep.objects.update(result="deleted", ended_at=Now())
    Correction.objects.update(ended_at=Now())
    assert post(office.bob.member, f"corrections/{begun['id']}/put-back")[0] == 404
    status, told = post(alice, f"corrections/{begun['id']}/put-back")
    assert (status, [line["result"] for line in told["lines"]]) == (200, ["put_back"])
    assert LedgerEntry.objects.get().undone_at is None
