"""How mailboxes are doing and saving earlier mail, over HTTP: one's own, everybody's for administrators to see."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from organizations import policy
from organizations.models import Member
from sync.models import Listing, Tally
from tests.sync.conftest import Office, Post
from tests.sync.test_api import client_of
from vault import clock

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def shown(member: Member, **query: Any) -> list[dict[str, Any]]:
    answer = client_of(member).get("/api/v1/sync/mailboxes/", query)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["mailboxes"])


def asked(post: Post, what: str, member: Member | None = None, **body: Any) -> tuple[int, Any]:
    path = f"/api/v1/sync/{what}/"
    answer = client_of(member or post.member).post(path, {"mailbox_id": str(post.mailbox.pk), **body}, format="json")
    return answer.status_code, answer.json()


def ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def test_a_mailbox_says_how_it_is_and_what_was_told_of_it(office: Office) -> None:
    office.alice.run()
    office.alice.box.arrive(2)
    office.alice.run()
    Tally.objects.update(listed=9, missed=3)
    (mine,) = shown(office.alice.member)
    assert (mine["id"], mine["provider"], mine["tone"]) == (str(office.alice.mailbox.pk), "google", "warn")
    assert (mine["words"], mine["waiting"], mine["backfill"]) == ("Missed some", 0, None)
    assert "counting found 3 more" in mine["sentence"]
    assert mine["days"] == [{"day": clock.now().date().isoformat(), "told": 2, "listed": 9, "missed": 3}]


def test_administrators_see_everybodys_in_pages_and_others_their_own(office: Office) -> None:
    alice, bob = office.alice.member, office.bob.member
    assert {each["member_id"] for each in shown(alice, whose="everybody")} == {str(alice.pk), str(bob.pk)}
    one: dict[str, Any] = {"whose": "everybody", "limit": 1}
    first = client_of(alice).get("/api/v1/sync/mailboxes/", one).json()
    (second,) = shown(alice, whose="everybody", limit=1, after=first["next_after"])
    assert {first["mailboxes"][0]["id"], second["id"]} == {str(office.alice.mailbox.pk), str(office.bob.mailbox.pk)}
    assert client_of(bob).get("/api/v1/sync/mailboxes/", {"whose": "everybody"}).status_code == 403
    assert [each["member_id"] for each in shown(bob)] == [str(bob.pk)]
    strange = {"after": str(office.charlie.mailbox.pk)}
    assert client_of(alice).get("/api/v1/sync/mailboxes/", strange).status_code == 404


def test_earlier_mail_is_saved_and_may_be_stopped(office: Office) -> None:
    alice = office.alice
    alice.run()
    ids = alice.box.keep(3, at=datetime.now(UTC) - timedelta(days=2))
    status, body = asked(alice, "backfill", since=ago(5))
    assert (status, body["backfill"]["is_listed"]) == (200, False)
    assert asked(alice, "backfill", since=ago(9))[0] == 409
    alice.run()
    assert set(alice.decisions()) == set(ids)
    (mine,) = shown(alice.member)
    assert (mine["backfill"]["share"], mine["backfill"]["found"], mine["backfill"]["left"]) == (1.0, 3, 0)
    assert asked(alice, "backfill", since=ago(9))[0] == 200
    status, body = asked(alice, "backfill/stop")
    assert (status, body["backfill"]["is_cancelled"]) == (200, True)
    assert asked(alice, "backfill/stop")[0] == 200


def test_what_cannot_be_asked_for(office: Office) -> None:
    alice = office.alice
    moment = f"{ago(3)}T18:00:00Z"  # a day has no evening: earlier mail of it would be saved, too
    for since in (ago(-1), ago(3 * 366), "0001-01-01", "9999-12-31", "yesterday", moment):
        assert asked(alice, "backfill", since=since)[0] == 400, since
    for stranger in (office.bob.member, office.charlie.member):
        assert asked(alice, "backfill", stranger, since=ago(3))[0] == 404
        assert asked(alice, "backfill/stop", stranger)[0] == 404
    status, _ = asked(alice, "backfill", since=ago(3), mailbox_id=str(uuid4()))
    assert status == 404
    policy.set_organization_value(str(alice.member.pk), alice.member.organization_id, "sync.backfill", False)
    assert asked(alice, "backfill", since=ago(3))[0] == 409
    assert not Listing.objects.filter(kind="backfill").exists()
