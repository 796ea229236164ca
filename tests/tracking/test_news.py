"""News: what people did, likely, with one's own messages lately; told once, to who wants it, and to nobody else."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from organizations import policy
from organizations.models import Member
from tests.organizations import people
from tests.organizations.people import Api
from tracking.classify import BURST
from tracking.models import Content, Copy, TrackedMessage

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
SETTLED = BURST + timedelta(seconds=1)


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    people.add_in()
    return people.everybody()


def something_came(member: Member, who: str, before: timedelta = SETTLED, **counts: Any) -> Copy:
    row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    row.sent_at = timezone.now() - timedelta(days=1)
    Content([who], []).put(row)
    row.save()
    at = timezone.now() - before
    return Copy.objects.create(message=row, number=0, news_at=at, last_at=at, hits=1, **counts)


def ask(api: Api, after: str = "", etag: str = "") -> Any:
    headers = {"If-None-Match": etag} if etag else {}
    return api.client.get("/api/v1/tracking/news/", {"after": after} if after else {}, headers=headers)


def test_what_a_person_did_is_told_once(everybody: Any) -> None:
    alice, *_ = everybody
    opened = something_came(alice, "jane@x.example", opens=1)
    something_came(alice, "joe@x.example", opens=2, clicks=1)
    api = people.api(alice)
    first = ask(api)
    told = {item["who"]: item["signal"] for item in first.json()["items"]}
    assert told == {"jane@x.example": "opened", "joe@x.example": "clicked"}
    assert str(opened.message_id) in {item["id"] for item in first.json()["items"]}
    again = ask(api, first.json()["until"], first["ETag"])
    assert (again.status_code, again.json()["items"]) == (200, [])


def test_where_there_is_nothing_new_the_answer_is_304(everybody: Any) -> None:
    alice, *_ = everybody
    api = people.api(alice)
    first = ask(api)
    after = first.json()["until"]
    same = ask(api, after, first["ETag"])
    assert (same.status_code, same.content) == (304, b"")
    Copy.objects.update(news_at=None)
    something_came(alice, "jane@x.example", before=BURST, opens=1)
    fresh = ask(api, after, first["ETag"])
    assert [item["who"] for item in fresh.json()["items"]] == ["jane@x.example"]


def test_what_may_still_turn_out_to_be_a_machine_waits(everybody: Any) -> None:
    """Several links within BURST are nobody's fingers."""
    alice, *_ = everybody
    something_came(alice, "jane@x.example", before=timedelta(0), clicks=1)
    assert ask(people.api(alice)).json()["items"] == []


def test_what_a_machine_did_is_no_news(everybody: Any) -> None:
    """Counters hold only what a person did, likely; `news_at` alone stays where a verdict was changed afterwards."""
    alice, *_ = everybody
    something_came(alice, "jane@x.example")
    assert ask(people.api(alice)).json()["items"] == []


def test_who_wants_no_news_gets_none(everybody: Any) -> None:
    alice, *_ = everybody
    something_came(alice, "jane@x.example", opens=1)
    policy.set_member_value(alice, "track.notify", "none")
    assert ask(people.api(alice)).json()["items"] == []
    policy.set_member_value(alice, "track.notify", "in_app")
    assert len(ask(people.api(alice)).json()["items"]) == 1


def test_nobody_hears_of_anothers_messages(everybody: Any) -> None:
    alice, bob, charlie = everybody
    something_came(alice, "jane@x.example", opens=1)
    for other in (bob, charlie):
        assert ask(people.api(other)).json()["items"] == []
