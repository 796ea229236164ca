"""The API that reads signatures: who may, what it answers, and that nothing of it stays."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from organizations import policy
from sidebar import extractors
from sidebar.signature.shapes import Name, Signature
from tests.sidebar.conftest import Everybody

MAIL = {
    "text": "The offer is attached.\n\nKind regards,\nJane Doe\nHead of Purchasing\nNorthwind Ltd.\n+44 20 7946 0123",
    "sender": "Jane Doe <jane@northwind.example>",
}


def read(everybody: Everybody, body: Any = MAIL, by: str = "alice") -> Any:
    return everybody.post("signature/", body, by=by)


def switch(everybody: Everybody, *, organization: bool | None = None, member: bool | None = None) -> None:
    alice = everybody.members["alice"]
    if organization is not None:
        policy.set_organization_value(alice, alice.organization_id, "signature.extract", organization)
    if member is not None:
        policy.set_member_value(alice, "signature.extract", member)


@pytest.fixture
def switched_on(everybody: Everybody) -> Everybody:
    switch(everybody, organization=True)
    return everybody


class TestToggle:
    """C70."""

    @pytest.mark.parametrize(
        ("organization", "member", "status"),
        [
            (None, None, 403),
            (True, None, 200),
            (True, True, 200),
            (True, False, 403),
            (False, True, 403),
            (None, True, 403),
        ],
    )
    def test_both_have_to_want_it(
        self, everybody: Everybody, organization: bool | None, member: bool | None, status: int
    ) -> None:
        switch(everybody, organization=organization, member=member)
        answer = read(everybody)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["type"].endswith("/signatures-off")

    def test_one_organizations_choice_is_no_other_ones(self, switched_on: Everybody) -> None:
        assert read(switched_on, by="bob").status_code == 200
        assert read(switched_on, by="charlie").status_code == 403


class TestAnswer:
    def test_what_the_form_needs(self, switched_on: Everybody) -> None:
        answer = read(switched_on).json()
        assert answer["lines"] == MAIL["text"].split("\n")[2:]
        assert answer["phones"] == [{"number": "+44 20 7946 0123", "kind": "phone"}]
        assert answer["values"] == {
            "FirstName": "Jane",
            "LastName": "Doe",
            "Title": "Head of Purchasing",
            "Company": "Northwind Ltd.",
            "Phone": "+44 20 7946 0123",
        }
        assert 0.5 < answer["confidence"] <= 1

    def test_html(self, switched_on: Everybody) -> None:
        html = "<p>" + MAIL["text"].replace("\n", "<br>") + "</p>"
        assert read(switched_on, {"html": html}).json()["title"] == "Head of Purchasing"

    def test_a_mail_without_one(self, switched_on: Everybody) -> None:
        answer = read(switched_on, {"text": "Can you send me the file again?"}).json()
        assert answer["values"] == {}
        assert answer["lines"] == []
        assert answer["confidence"] == 0

    @pytest.mark.parametrize(
        "body",
        [
            [],
            {"text": 1},
            {"html": None},
            {"text": "a", "more": 1},
            {"text": "a", "sender": "x" * 1001},
        ],
    )
    def test_nonsense(self, switched_on: Everybody, body: Any) -> None:
        assert read(switched_on, body).status_code == 400

    def test_more_than_256_kib(self, switched_on: Everybody) -> None:
        assert read(switched_on, {"text": "x" * 300_000}).status_code == 413


def test_nothing_is_written_or_logged(switched_on: Everybody, caplog: pytest.LogCaptureFixture) -> None:
    """C69."""
    read(switched_on)  # who is asking is in RAM now
    with caplog.at_level(logging.DEBUG), CaptureQueriesContext(connection) as queries:
        assert read(switched_on).status_code == 200
    assert not [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]
    assert "Northwind" not in caplog.text
    assert "Northwind" not in "".join(query["sql"] for query in queries)


class Outside:
    """Somebody else's reader, which notes what it is given."""

    name = "Acme Signatures"

    def __init__(self) -> None:
        self.given: list[tuple[Sequence[str], str]] = []
        self.error: Exception | None = None
        self.told: Any = Signature(name=Name("J. Doe", "J.", "Doe"), title="Buyer")

    def extract(self, lines: Sequence[str], sender: str) -> Signature:
        self.given.append((lines, sender))
        if self.error:
            raise self.error
        return cast("Signature", self.told)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    monkeypatch.setattr(policy, "_toggles", dict(policy._toggles))
    plugged = Outside()
    extractors.plug(plugged)
    yield plugged
    extractors.plug(None)


class TestOutsideReader:
    def allow(self, everybody: Everybody) -> None:
        alice = everybody.members["alice"]
        policy.set_organization_value(alice, alice.organization_id, "signature.outside", True)

    def test_there_is_no_such_setting_without_a_plug_in(self) -> None:
        assert "signature.outside" not in [toggle.key for toggle in policy.declared()]

    def test_it_is_off_until_an_administrator_switches_it_on(self, switched_on: Everybody, outside: Outside) -> None:
        assert read(switched_on).json()["title"] == "Head of Purchasing"
        assert outside.given == []

    def test_it_gets_the_lines_of_the_signature_and_no_more(self, switched_on: Everybody, outside: Outside) -> None:
        self.allow(switched_on)
        answer = read(switched_on).json()
        assert answer["title"] == "Buyer"
        assert answer["lines"] == MAIL["text"].split("\n")[2:]
        assert outside.given == [(tuple(MAIL["text"].split("\n")[2:]), MAIL["sender"])]

    def test_off_for_the_organization_is_off_for_it_too(self, everybody: Everybody, outside: Outside) -> None:
        self.allow(everybody)
        assert read(everybody).status_code == 403
        assert outside.given == []

    def test_where_it_fails_ours_answers(
        self, switched_on: Everybody, outside: Outside, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.allow(switched_on)
        outside.error = RuntimeError("Northwind")
        assert read(switched_on).json()["title"] == "Head of Purchasing"
        assert "RuntimeError" in caplog.text
        assert "Northwind" not in caplog.text

    def test_what_is_no_signature_counts_as_a_failure(self, switched_on: Everybody, outside: Outside) -> None:
        self.allow(switched_on)
        outside.told = None
        assert read(switched_on).json()["title"] == "Head of Purchasing"
