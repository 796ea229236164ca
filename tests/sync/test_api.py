"""What became of each message, over HTTP: one's own, everybody's for administrators, nothing for strangers."""

from collections import deque
from typing import Any

import pytest
from rest_framework.test import APIClient

from organizations.models import Member
from providers.errors import Rejected
from sync.models import Decision, Job
from tests.sync.conftest import Office, Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def client_of(member: Member) -> APIClient:
    client = APIClient()
    client.force_authenticate(user=member)  # type: ignore[arg-type]  # django-stubs wants its own base class
    return client


def listed(member: Member, **query: Any) -> list[dict[str, Any]]:
    answer = client_of(member).get("/api/v1/sync/decisions/", query)
    assert answer.status_code == 200, answer.content
    return list(answer.json()["decisions"])


def ids_of(post: Post) -> set[str]:
    return {str(each) for each in Decision.objects.filter(mailbox=post.mailbox).values_list("pk", flat=True)}


@pytest.fixture
def decided(office: Office) -> Office:
    """Two of Alice's are saved, one waits for its person; Bob and Charlie have one each."""
    for post, matching in ((office.alice, 2), (office.bob, 1), (office.charlie, 1)):
        post.pull()
        post.box.arrive(matching)
        post.run()
    office.alice.box.arrive(1, matches=False)
    office.alice.run()
    return office


def test_each_message_has_its_reason(decided: Office) -> None:
    found = listed(decided.alice.member)
    assert [each["rule"] for each in found] == ["nobody_found", "matched", "matched"]
    first = found[0]
    assert (first["outcome"], first["provider"], first["is_dead"]) == ("unmatched", "google", False)
    assert first["sentence"] == "Nobody in Salesforce has one of its addresses."
    assert found[1]["activity_id"].startswith("02s")
    assert "Canary" not in str(found)


def test_why_one_who_could_be_meant_is_likelier_is_told_to_whom_is_asked(decided: Office) -> None:
    """Reasons of an older release are passed over. "You" in it is no administrator."""
    first, second, third = (f"00300000000000{number}AAA" for number in (1, 2, 3))
    why = {first: ["yours", "same_account"], second: ["richest"], third: ["richest", "same_account"]}
    asked = {"outcome": "parked", "rule": "several_people", "asked_ids": [first, third, second], "asked_why": why}
    Decision.objects.filter(mailbox=decided.bob.mailbox).update(**asked)
    (own,) = listed(decided.bob.member)
    same_account = "Somebody else in this email belongs to the same account."
    assert own["asked_why"] == {first: ["You own this record.", same_account], third: [same_account]}
    (bobs,) = [each for each in listed(decided.alice.member, whose="everybody") if each["id"] == own["id"]]
    assert (bobs["asked_ids"], bobs["asked_why"]) == ([first, third, second], {})


def test_it_comes_in_pages(decided: Office) -> None:
    client, seen, before = client_of(decided.alice.member), list[str](), None
    for _ in range(3):
        query = {"limit": 1, **({"before": before} if before else {})}
        body = client.get("/api/v1/sync/decisions/", query).json()
        seen += [each["id"] for each in body["decisions"]]
        before = body["next_before"]
    assert before is None
    assert set(seen) == ids_of(decided.alice)


def test_one_may_ask_for_some(decided: Office) -> None:
    (waiting,) = listed(decided.alice.member, outcome="unmatched")
    assert waiting["rule"] == "nobody_found"
    (same,) = listed(decided.alice.member, message_id=waiting["message_id"])
    assert same == waiting


def test_administrators_see_their_organizations_and_nobody_a_strangers(decided: Office) -> None:
    assert {each["id"] for each in listed(decided.bob.member)} == ids_of(decided.bob)
    everybody = {each["id"] for each in listed(decided.alice.member, whose="everybody")}
    assert everybody == ids_of(decided.alice) | ids_of(decided.bob)
    assert client_of(decided.bob.member).get("/api/v1/sync/decisions/", {"whose": "everybody"}).status_code == 403
    theirs = next(iter(ids_of(decided.alice)))
    answer = client_of(decided.charlie.member).get("/api/v1/sync/decisions/", {"before": theirs})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "query", [{"outcome": "lost"}, {"before": "x"}, {"limit": 0}, {"whose": "all"}, {"message_id": "a b"}, {"x": "1"}]
)
def test_what_is_no_question_is_refused(decided: Office, query: dict[str, str]) -> None:
    assert client_of(decided.alice.member).get("/api/v1/sync/decisions/", query).status_code == 400


def test_what_waits_is_looked_at_again(decided: Office) -> None:
    (waiting,) = listed(decided.alice.member, outcome="unmatched")
    for mail in decided.alice.box.mails.values():
        mail.matches = True
    client = client_of(decided.alice.member)
    answer = client.post("/api/v1/sync/decisions/retry/", {"ids": [waiting["id"]]}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"count": 1})
    decided.alice.run()
    assert {each["rule"] for each in listed(decided.alice.member)} == {"matched"}


def test_dead_letters_can_be_left_alone(decided: Office) -> None:
    (dead,) = decided.alice.box.arrive(1)
    decided.alice.desk.errors[dead] = deque([Rejected("no", provider="salesforce")])
    decided.alice.run()
    (letter,) = listed(decided.alice.member, outcome="failed")
    assert (letter["rule"], letter["is_dead"]) == ("refused", True)
    client = client_of(decided.alice.member)
    answer = client.post("/api/v1/sync/decisions/ignore/", {"ids": [letter["id"]]}, format="json")
    assert answer.json() == {"count": 1}
    (left,) = listed(decided.alice.member, message_id=dead)
    assert (left["rule"], left["is_dead"]) == ("left_alone", False)


def test_a_strangers_ids_are_worth_nothing(decided: Office) -> None:
    before = list(Job.objects.order_by("pk").values_list("pk", "state"))
    for stranger in (decided.bob.member, decided.charlie.member):
        for what in ("retry", "ignore"):
            sent = {"ids": sorted(ids_of(decided.alice))}
            answer = client_of(stranger).post(f"/api/v1/sync/decisions/{what}/", sent, format="json")
            assert answer.json() == {"count": 0}
    assert list(Job.objects.order_by("pk").values_list("pk", "state")) == before
