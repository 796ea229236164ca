"""Search, forms, writes and one-time links through the whole stack of views; keys that make writes happen once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from organizations.models import Epoch
from providers.errors import (
    Detail,
    NeedsReconnect,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from sidebar import idempotency
from sidebar.cache import cards
from sidebar.models import IdempotencyKey
from sidebar.tasks import purge_idempotency_keys
from tests.sidebar.conftest import Everybody

JANE = "003000000000001AAA"
DOE = {"LastName": "Doe", "Email": "jane@customer.example"}


def create(everybody: Everybody, key: str | None, values: dict[str, Any] = DOE, by: str = "alice") -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return everybody.post("records/Contact/", {"values": values}, by=by, headers=headers)


def update(everybody: Everybody, key: str, values: dict[str, Any], by: str = "alice", record_id: str = JANE) -> Any:
    return everybody.client(by).patch(
        f"/api/v1/sidebar/records/Contact/{record_id}/",
        {"values": values},
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


class TestReading:
    def test_search(self, everybody: Everybody) -> None:
        """C16."""
        answer = everybody.client().get("/api/v1/sidebar/search/", {"q": " acme  ltd "})
        (hit,) = answer.json()["records"]
        assert (hit["object"], hit["label"], hit["name"]) == ("Account", "Company", "Acme")
        assert answer.json()["as_of"].endswith("Z")
        everybody.client().get("/api/v1/sidebar/search/", {"q": " acme  ltd "})
        assert everybody.crms["alice"].calls == [("search", "acme ltd")] * 2

    def test_what_salesforce_would_not_search_for_costs_no_call(self, everybody: Everybody) -> None:
        assert everybody.client().get("/api/v1/sidebar/search/", {"q": "a  "}).json()["records"] == []
        assert everybody.crms["alice"].calls == []

    def test_forms(self, everybody: Everybody) -> None:
        create_form = everybody.client().get("/api/v1/sidebar/forms/Lead/").json()
        edit_form = everybody.client().get(f"/api/v1/sidebar/forms/Contact/{JANE}/").json()
        assert create_form["fields"][0] == {
            "name": "LastName",
            "label": "Last name",
            "type": "string",
            "required": True,
            "max_length": 80,
            "options": [],
            "help": "",
            "value": None,
        }
        assert create_form["fields"][1]["options"] == [{"value": "New", "label": "New"}]
        assert edit_form["fields"][1]["value"] == JANE

    def test_a_one_time_link_is_made_on_the_click_and_never_kept(self, everybody: Everybody) -> None:
        """C14."""
        for _ in range(2):
            answer = everybody.post(f"records/Contact/{JANE}/open/", {})
            assert "otp=once-" in answer.json()["url"]
            assert answer.headers["Cache-Control"] == "no-store"
        assert len(everybody.crms["alice"].calls) == 2


class TestWriting:
    def test_create(self, everybody: Everybody) -> None:
        answer = create(everybody, "k1")
        assert answer.status_code == 201
        assert answer.json() == {
            "object": "Contact",
            "id": "003000000000002AAA",
            "url": "https://acme.my.salesforce.example/003000000000002AAA",
        }
        assert everybody.crms["alice"].writes == [("create", "Contact", DOE)]

    def test_update(self, everybody: Everybody) -> None:
        answer = update(everybody, "k1", {"Title": None})
        assert answer.status_code == 200
        assert answer.json()["id"] == JANE
        assert everybody.crms["alice"].writes == [("update", "Contact", JANE, {"Title": None})]

    def test_a_write_drops_the_callers_cards_in_every_process(self, everybody: Everybody) -> None:
        """C57: create and edit invalidate."""
        everybody.look_up("jane@customer.example")
        everybody.look_up("jane@customer.example", by="bob")
        update(everybody, "k1", {"Title": "x"})
        assert cards.counters().entries == 1
        assert Epoch.objects.filter(kind="cards", key=str(everybody.connections["alice"].pk)).exists()
        everybody.look_up("jane@customer.example")
        assert len(everybody.crms["alice"].lookups) == 2

    def test_a_write_of_unknown_outcome_drops_them_too(self, everybody: Everybody) -> None:
        everybody.look_up("jane@customer.example")
        everybody.crms["alice"].failing = Transient("Cut off.", outcome_unknown=True)
        update(everybody, "k1", {"Title": "x"})
        assert cards.counters().entries == 0

    @pytest.mark.parametrize(
        ("error", "status", "slug"),
        [(PermissionMissing, 403, "permission-missing"), (Rejected, 409, "rejected")],
    )
    def test_salesforces_refusal_is_passed_on_unchanged(
        self, everybody: Everybody, error: type[ProviderError], status: int, slug: str
    ) -> None:
        """C15: a forced POST returns Salesforce's own answer."""
        detail = Detail("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Titles start with a capital.", ("Title",))
        everybody.crms["alice"].failing = error("Refused.", details=(detail,))
        answer = create(everybody, "k1")
        assert answer.status_code == status
        assert answer.json()["type"].endswith(slug)
        assert answer.json()["errors"] == [
            {
                "code": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                "message": "Titles start with a capital.",
                "fields": ["Title"],
            }
        ]


class TestIdempotency:
    def test_a_key_is_required(self, everybody: Everybody) -> None:
        """BI-A12."""
        for key in (None, "", "a b", "x" * 256, "x" * 10_000, "käse", "a\tb"):
            answer = create(everybody, key)
            assert answer.status_code == 400, key
            assert answer.json()["type"].endswith("/idempotency-key-required")
        assert create(everybody, "!" + "~" * 254).status_code == 201
        assert len(everybody.crms["alice"].writes) == 1

    def test_a_repeat_gets_the_first_answer_and_writes_nothing(self, everybody: Everybody) -> None:
        """docs/hardening.md, row 22."""
        first = create(everybody, "k1")
        again = create(everybody, "k1", dict(reversed(DOE.items())))
        assert (again.status_code, again.json()) == (201, first.json())
        assert len(everybody.crms["alice"].writes) == 1

    def test_the_key_of_another_action_is_refused(self, everybody: Everybody) -> None:
        """BI-A12: other payload."""
        create(everybody, "k1")
        answer = create(everybody, "k1", {"LastName": "Roe"})
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("/idempotency-key-reused")
        assert len(everybody.crms["alice"].writes) == 1

    def test_keys_belong_to_a_member_and_a_route(self, everybody: Everybody) -> None:
        for name in ("alice", "bob", "charlie"):
            assert create(everybody, "k1", {"LastName": name}, by=name).status_code == 201
            assert update(everybody, "k1", {"LastName": name}, by=name).status_code == 200
            assert len(everybody.crms[name].writes) == 2

    def test_the_same_key_for_another_record_is_refused(self, everybody: Everybody) -> None:
        update(everybody, "k1", {"Title": "x"})
        assert update(everybody, "k1", {"Title": "x"}, record_id="003000000000009AAA").status_code == 422

    @pytest.mark.parametrize(
        "error",
        [
            Rejected("No."),
            PermissionMissing("No."),
            NotFound("No."),
            RateLimited("No."),
            NeedsReconnect("No."),
            Transient("No connection."),
        ],
    )
    def test_the_key_is_free_again_when_nothing_was_written(self, everybody: Everybody, error: ProviderError) -> None:
        everybody.crms["alice"].failing = error
        assert create(everybody, "k1").status_code >= 400
        assert not IdempotencyKey.objects.exists()
        everybody.crms["alice"].failing = None
        assert create(everybody, "k1", {"LastName": "Mended"}).status_code == 201

    def test_an_unknown_outcome_is_told_and_never_tried_again(self, everybody: Everybody) -> None:
        everybody.crms["alice"].failing = Transient("Cut off.", outcome_unknown=True)
        first = create(everybody, "k1")
        everybody.crms["alice"].failing = None
        again = create(everybody, "k1")
        for answer in (first, again):
            assert answer.status_code == 409
            assert answer.json()["type"].endswith("/outcome-unknown")
            assert "Look in Salesforce" in answer.json()["detail"]
        assert len(everybody.crms["alice"].writes) == 1

    def test_a_bug_after_the_write_counts_as_unknown(self, everybody: Everybody) -> None:
        everybody.client().raise_request_exception = False
        everybody.crms["alice"].failing = KeyError("bug")
        assert create(everybody, "k1").status_code == 500
        everybody.crms["alice"].failing = None
        assert create(everybody, "k1").json()["type"].endswith("/outcome-unknown")

    def test_a_key_left_in_progress_by_a_dead_process(self, everybody: Everybody) -> None:
        create(everybody, "k1")
        rows = IdempotencyKey.objects.all()
        rows.update(status=None, created_at=timezone.now() - timedelta(seconds=30))
        assert create(everybody, "k1").json()["type"].endswith("/idempotency-key-in-use")
        rows.update(created_at=timezone.now() - timedelta(seconds=61))
        assert create(everybody, "k1").json()["type"].endswith("/outcome-unknown")
        assert len(everybody.crms["alice"].writes) == 1

    def test_keys_end_after_a_day(self, everybody: Everybody) -> None:
        create(everybody, "k1")
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
        assert create(everybody, "k1", {"LastName": "Roe"}).status_code == 201
        create(everybody, "k2")
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
        create(everybody, "k3")
        purge_idempotency_keys()
        assert IdempotencyKey.objects.count() == 1

    def test_what_is_kept_names_nobody(self, everybody: Everybody) -> None:
        """C57: ids and keyed digests, never a value."""
        create(everybody, "my-key", {"LastName": "Canary7f3a", "Email": "canary7f3a@customer.example"})
        with connection.cursor() as cursor:
            cursor.execute("SELECT row_to_json(t)::text FROM sidebar_idempotencykey t")
            (row,) = cursor.fetchone()
        assert "anary7f3a" not in row
        assert "my-key" not in row
        assert IdempotencyKey.objects.get().answer == {"object": "Contact", "id": "003000000000002AAA"}

    def test_our_database_failing_after_the_write_does_not_hide_it(
        self, everybody: Everybody, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from django.db import OperationalError

        def gone(*args: object, **kwargs: object) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr("sidebar.records.epochs.bump", gone)
        monkeypatch.setattr("sidebar.idempotency.IdempotencyKey.objects.filter", gone)
        monkeypatch.setattr("sidebar.idempotency._claim", lambda _: None)
        assert create(everybody, "k1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_equal_actions_at_once_exactly_one_is_carried_out(everybody: Everybody) -> None:
    """docs/hardening.md, row 22: 409 while in progress, replay afterwards, one object."""
    crm, go_on, writing = everybody.crms["alice"], threading.Event(), threading.Event()

    def hold() -> None:
        writing.set()
        assert go_on.wait(20)

    crm.before = hold
    client = everybody.client()

    def send(_: int) -> Any:
        try:
            return client.post(
                "/api/v1/sidebar/records/Contact/",
                {"values": DOE},
                content_type="application/json",
                headers={"Idempotency-Key": "same"},
            )
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(send, n) for n in range(8)]
        assert writing.wait(20)
        deadline = time.monotonic() + 20
        while sum(answer.done() for answer in answers) < 7:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        go_on.set()
        statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [201] + [409] * 7
    assert len(crm.writes) == 1
    assert create(everybody, "same").status_code == 201
    assert len(crm.writes) == 1


def test_digests_are_keyed(settings: Any) -> None:
    """A stolen table must not let anybody guess addresses by hashing them."""
    first = idempotency._digest(b"jane@customer.example")
    settings.SECRET_KEY = "another" * 10
    assert idempotency._digest(b"jane@customer.example") != first
