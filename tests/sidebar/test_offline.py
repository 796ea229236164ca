"""What a person did offline, carried out when he is back: once, in order, conflicts told, no failure another's."""

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from providers.base import Snapshot
from providers.errors import Detail, NeedsReconnect, RateLimited, Rejected, Transient
from sidebar import offline, saving
from sidebar.bulkhead import bulkhead
from sidebar.comparing import is_same
from sidebar.models import IdempotencyKey
from sync.asked import Saved
from sync.reasons import Rule, verdict
from tests.sidebar.conftest import Everybody
from vault.errors import ConnectRequired

JANE, JOE = "003000000000001AAA", "003000000000007AAA"
WHEN = "2026-11-22T10:00:00+01:00"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
_keys = count(1)


def create(**changes: Any) -> dict[str, Any]:
    values = {"LastName": "Doe"}
    return {"action": "create", "key": f"c{next(_keys)}", "at": WHEN, "object": "Contact", "values": values, **changes}


def update(**changes: Any) -> dict[str, Any]:
    about = {"action": "update", "key": f"u{next(_keys)}", "at": WHEN, "object": "Contact", "values": {"Title": "CEO"}}
    return {**about, **({} if "id_of" in changes else {"id": JANE}), **changes}


def replay(everybody: Everybody, *actions: dict[str, Any], **about: Any) -> list[dict[str, Any]]:
    answer = everybody.post("replay/", {"actions": list(actions), **about})
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    assert [each["key"] for each in results] == [each["key"] for each in actions]
    return results


def states(results: list[dict[str, Any]]) -> list[str]:
    return [each["state"] for each in results]


@pytest.fixture
def crm(everybody: Everybody) -> Any:
    return everybody.crms["alice"]


def test_a_batch_sent_twice_writes_once(everybody: Everybody, crm: Any) -> None:
    batch = [create(), update(), create()]
    first, second = replay(everybody, *batch), replay(everybody, *batch)
    assert states(first) == ["done"] * 3
    assert second == first
    assert [call[0] for call in crm.writes] == ["create", "update", "create"]
    assert first[0]["url"].endswith(first[0]["id"])


def test_what_was_sent_while_online_is_not_written_again(everybody: Everybody, crm: Any) -> None:
    """The answer was lost, and the action queued with its key."""
    path = "/api/v1/sidebar/records/Contact/"
    values = {"values": {"LastName": "Doe"}}
    headers = {"Idempotency-Key": "lost"}
    everybody.client().post(path, values, content_type="application/json", headers=headers)
    assert states(replay(everybody, create(key="lost"))) == ["done"]
    assert len(crm.writes) == 1


def test_one_that_fails_ends_no_other(everybody: Everybody, crm: Any) -> None:
    words = (Detail("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ("LastName",)),)
    bad, needs_bad, other = create(), create(), create()
    needs_bad["after"] = [bad["key"]]
    refusing(crm, Rejected("No.", details=words), 1)
    results = replay(everybody, bad, needs_bad, other)
    assert states(results) == ["refused", "skipped", "done"]
    assert results[0]["problem"]["errors"] == [
        {"code": d.code, "message": d.message, "fields": ["LastName"]} for d in words
    ]
    assert states(replay(everybody, bad, needs_bad, other)) == ["done"] * 3
    assert len(crm.writes) == 4


def refusing(crm: Any, error: Exception, times: int) -> None:
    """The next so many writes fail."""
    left = iter(range(times))

    def before() -> None:
        if crm.calls[-1][0] in ("create", "update") and next(left, None) is not None:
            raise error

    crm.before = before


def test_an_earlier_record_is_named_by_its_key(everybody: Everybody, crm: Any) -> None:
    person = create()
    task = create(object="Task", values={"Subject": "Call"}, links={"WhoId": person["key"]})
    change = update(id_of=person["key"])
    assert states(replay(everybody, person, task, change)) == ["done"] * 3
    made = crm.writes
    assert made[1][2] == {"Subject": "Call", "WhoId": "003000000000002AAA"}
    assert made[2][:3] == ("update", "Contact", "003000000000002AAA")


def test_what_names_nothing_is_skipped(everybody: Everybody, crm: Any) -> None:
    results = replay(everybody, update(id_of="nothing"), create(after=["later"]), create(key="later"))
    assert states(results) == ["skipped", "skipped", "done"]
    assert len(crm.writes) == 1


CHANGED = Snapshot({"Title": "CFO"}, NOON, "005000000000009AAA")


@pytest.mark.parametrize(
    ("there", "changes", "is_conflict"),
    [
        (CHANGED, {}, True),  # after 10:00+01:00
        (CHANGED, {"at": "2026-11-22T13:00:00+01:00"}, False),  # the very moment
        (CHANGED, {"at": "2026-11-22T07:00:00-06:00"}, False),  # 13:00 UTC
        (CHANGED, {"was": {"Title": "CFO"}}, False),
        (CHANGED, {"was": {"Title": "CTO"}}, True),
        (CHANGED, {"was": {"Title": "CTO"}, "at": "2026-11-23T00:00:00Z"}, True),
        (Snapshot({"Title": "CEO"}, NOON), {}, False),  # what he wants is there already
        (Snapshot({}, NOON), {}, False),  # a field that he may not see
        (Snapshot({"Title": "CFO"}), {}, False),  # an object that does not tell when it changed
    ],
)
def test_who_was_faster_is_told_with_both_values(
    everybody: Everybody, crm: Any, there: Snapshot, changes: dict[str, Any], *, is_conflict: bool
) -> None:
    crm.there[JANE] = there
    (result,) = replay(everybody, update(**changes))
    assert result["state"] == ("conflict" if is_conflict else "done")
    expected = [{"field": "Title", "yours": "CEO", "theirs": "CFO"}] if is_conflict else []
    assert result["conflicts"] == expected
    assert len(crm.writes) == (not is_conflict)


def test_whoever_has_seen_theirs_may_insist_with_the_same_key(everybody: Everybody, crm: Any) -> None:
    crm.there[JANE] = CHANGED
    mine = update()
    assert states(replay(everybody, mine, create())) == ["conflict", "done"]
    assert states(replay(everybody, {**mine, "was": {"Title": "CFO"}})) == ["done"]


def test_a_clock_that_is_ahead_hides_no_conflict(everybody: Everybody, crm: Any) -> None:
    """The device thinks it is tomorrow; what it did an hour ago was before somebody's change of now."""
    now = datetime.now(UTC)
    crm.there[JANE] = Snapshot({"Title": "CFO"}, now - timedelta(minutes=1))
    tomorrow = now + timedelta(days=1)
    mine = update(at=(tomorrow - timedelta(hours=1)).isoformat())
    assert states(replay(everybody, mine)) == ["done"]
    mine["key"] += "-"
    assert states(replay(everybody, mine, sent_at=tomorrow.isoformat())) == ["conflict"]


def test_ones_own_change_of_the_same_batch_is_no_conflict(everybody: Everybody, crm: Any) -> None:
    member = everybody.members["alice"]
    first, second = update(), update(values={"Title": "Owner", "Phone": "1"})

    def before() -> None:
        if crm.calls[-1][0] == "update":
            values = {"Title": "CEO", "Phone": "0"}
            crm.there[JANE] = Snapshot(values, datetime.now(UTC), member.salesforce_user_id)

    crm.before = before
    assert states(replay(everybody, first, second)) == ["done", "done"]


def test_the_order_of_one_records_changes_is_kept(everybody: Everybody, crm: Any) -> None:
    """The first finds Salesforce away: the second must not come before it. Another record's need not wait."""
    refusing(crm, Transient("Not now."), 1)
    first, second, other = update(), update(values={"Title": "Owner"}), update(id=JOE)
    assert states(replay(everybody, first, second, other)) == ["later", "later", "done"]
    assert states(replay(everybody, first, second, other)) == ["done"] * 3
    assert [call[3]["Title"] for call in crm.writes if call[2] == JANE][-2:] == ["CEO", "Owner"]


@pytest.mark.parametrize("error", [RateLimited("Enough."), NeedsReconnect("Connect again.", provider="salesforce")])
def test_what_all_would_meet_ends_the_batch_and_keeps_it(everybody: Everybody, crm: Any, error: Exception) -> None:
    crm.failing = error
    batch = [create(), create(), update()]
    assert states(replay(everybody, *batch)) == ["later"] * 3
    assert len(crm.calls) == 1
    crm.failing = None
    assert states(replay(everybody, *batch)) == ["done"] * 3


EMAIL = {"action": "log_email", "at": WHEN, "provider": "google", "message_id": "m1"}


@pytest.mark.parametrize(
    "error",
    [ConnectRequired("google"), NeedsReconnect("No.", provider="google"), RateLimited("No.", provider="google")],
)
def test_a_mailbox_in_trouble_keeps_no_record_waiting(
    everybody: Everybody, crm: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(saving, "log_email_now", failing)
    assert states(replay(everybody, {**EMAIL, "key": "e1"}, create())) == ["later", "done"]


def test_an_email_whose_files_take_long_is_under_way_and_not_lost(
    everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Saved(verdict(Rule.ASKED_FOR), "02s000000000001AAA")
    monkeypatch.setattr(saving, "log_email_now", lambda *_, **__: found)
    asked = {**EMAIL, "key": "e1"}
    assert states(replay(everybody, asked)) == ["done"]
    for minutes, state in ((14, "later"), (16, "unknown")):
        begun_at = timezone.now() - timedelta(minutes=minutes)
        IdempotencyKey.objects.update(status=None, created_at=begun_at)
        assert states(replay(everybody, asked)) == [state]


def test_an_email_waits_for_salesforce_in_no_greater_number_than_others(everybody: Everybody) -> None:
    whose, asked = str(everybody.members["alice"].organization_id), {"provider": "google", "message_id": "m1"}

    def status() -> int:
        headers = {"Idempotency-Key": "e1"}
        path = "/api/v1/sync/emails/"
        return int(everybody.client().post(path, asked, content_type="application/json", headers=headers).status_code)

    with ExitStack() as places:
        for _ in range(bulkhead.limit):
            places.enter_context(bulkhead.waiting(whose))
        assert status() == 503
    assert status() == 409  # Google is not connected


def test_an_outcome_that_nobody_knows_is_not_tried_again(everybody: Everybody, crm: Any) -> None:
    refusing(crm, Transient("Cut.", outcome_unknown=True), 1)
    batch = [create(), create()]
    assert states(replay(everybody, *batch)) == ["unknown", "done"]
    assert states(replay(everybody, *batch)) == ["unknown", "done"]
    assert len(crm.writes) == 2


def test_a_fault_of_ours_is_no_end_of_the_others(everybody: Everybody, crm: Any) -> None:
    refusing(crm, ZeroDivisionError("Doe"), 1)
    assert states(replay(everybody, create(), create())) == ["unknown", "done"]


def test_a_key_of_another_action_is_refused(everybody: Everybody, crm: Any) -> None:
    one = create()
    results = replay(everybody, one, {**one, "values": {"LastName": "Roe"}})
    assert states(results) == ["done", "refused"]
    assert results[1]["problem"]["code"] == "idempotency-key-reused"
    assert len(crm.writes) == 1


def test_there_is_an_end_to_one_calls_time(everybody: Everybody, crm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "SECONDS", 1.0)
    crm.before = lambda: time.sleep(1.1)
    assert states(replay(everybody, create(), create())) == ["done", "later"]
    assert len(crm.writes) == 1


def test_an_expired_session_looks_at_nothing(everybody: Everybody, crm: Any) -> None:
    body = json.dumps({"actions": [create()]})
    everybody.client().defaults.pop("headers", None)
    answer = everybody.client().post(
        "/api/v1/sidebar/replay/", body, content_type="application/json", headers={"Authorization": "Bearer gone.x"}
    )
    assert answer.status_code == 401
    assert (crm.calls, IdempotencyKey.objects.count()) == ([], 0)


def test_nothing_of_a_value_is_kept(everybody: Everybody, crm: Any) -> None:
    crm.there[JANE] = CHANGED
    replay(everybody, create(values={"LastName": "canary"}), update(values={"Title": "canary"}))
    assert "canary" not in str(list(IdempotencyKey.objects.values()))


def test_charlie_reaches_nobody_elses(everybody: Everybody, crm: Any) -> None:
    one = create(key="shared")
    replay(everybody, one)
    answer = everybody.post("replay/", {"actions": [one]}, by="charlie")
    assert answer.json()["results"][0]["state"] == "done"
    assert (len(crm.writes), len(everybody.crms["charlie"].writes)) == (1, 1)


BAD = [
    {},
    {"actions": []},
    {"actions": [create()] * 51},
    {"actions": create()},
    {"actions": [create(action="delete")]},
    {"actions": [create(action=["create"])]},
    {"actions": [create(at="2026-11-22T10:00:00")]},
    {"actions": [create(at="2026-02-30T10:00:00Z")]},
    {"actions": [create(at=7)]},
    {"actions": [create(key="")]},
    {"actions": [create(key=7)]},
    {"actions": [create(object="No thing")]},
    {"actions": [create(values={})]},
    {"actions": [create(values={"A": ["x"]})]},
    {"actions": [create(id=JANE)]},
    {"actions": [update(id="x")]},
    {"actions": [update(id_of="c1", id=JANE)]},
    {"actions": [create(links={"No thing": "c1"})]},
    {"actions": [create(after="c1")]},
    {"actions": [create(), "x"]},
    {"actions": [{"action": "log_email", "key": "k", "at": WHEN, "provider": "yahoo", "message_id": "1"}]},
    {"actions": [{"action": "log_email", "key": "k", "at": WHEN, "provider": "google", "message_id": 1}]},
    {"actions": [create()], "sent_at": "yesterday"},
    {"actions": [create()], "more": 1},
]


@pytest.mark.parametrize("body", BAD)
def test_a_body_that_is_no_batch(everybody: Everybody, crm: Any, body: dict[str, Any]) -> None:
    answer = everybody.post("replay/", body)
    assert answer.status_code == 400, answer.content
    assert crm.calls == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, "", True),
        ("", "x", False),
        (1, 1.0, True),
        (True, 1, False),
        (True, True, True),
        (" Doe", "Doe ", True),
        ("a\r\nb", "a\nb", True),
        ("2026-11-22T09:00:00.000+0000", "2026-11-22T10:00:00+01:00", True),
        ("2026-11-22T09:00:00.000+0000", "2026-11-22T09:00:01Z", False),
        ("2026-11-22", "2026-11-22", True),
        ("1", 1, False),
    ],
)
def test_values_that_are_the_same(one: Any, other: Any, *, same: bool) -> None:
    assert is_same(one, other) is same
    assert is_same(other, one) is same
