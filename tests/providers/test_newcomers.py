"""Who was created or changed in the simulated Salesforce since a moment, as one person sees it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from providers.activities import Newcomers
from providers.errors import Transient
from providers.salesforce import newcomers
from tests.providers.desks import Desk, fault
from tests.simulators.running import Running

_AGES = timedelta(days=365)


def now() -> datetime:
    return datetime.now(UTC)


def test_people_who_were_created_or_got_an_address_are_told_in_one_call(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    since = now()
    assert desk.activities.newcomers(since + timedelta(seconds=2)).addresses == frozenset()
    desk.me.crm.create("Contact", {"LastName": "New", "Email": "New.One@fresh.example"})
    desk.me.crm.create("Lead", {"LastName": "New", "Company": "Fresh", "Email": "lead@fresh.example"})
    desk.me.crm.create("Contact", {"LastName": "Without"})
    older = desk.ids("Contact", 1)[0]
    desk.me.crm.update("Contact", older["Id"], {"Email": "moved@fresh.example"})
    salesforce.reset(only=["calls"])
    found = desk.activities.newcomers(since - timedelta(seconds=1))
    assert desk.calls() == 1
    assert found.addresses >= {"new.one@fresh.example", "lead@fresh.example", "moved@fresh.example"}
    assert not found.is_cut
    salesforce.reset()


def test_an_answer_that_does_not_hold_all_of_them_says_so(salesforce: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(salesforce, "acme", "alice")
    monkeypatch.setattr(newcomers, "MOST", 3)
    found = desk.activities.newcomers(now() - _AGES)
    assert found.is_cut
    assert len(found.addresses) <= 6


def test_a_page_that_ends_early_is_not_all_of_them(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    row = {"Id": "003000000000001AAA", "Email": "Jane@fresh.example"}
    parts = [
        {"body": {"records": [row], "done": name != "Lead"}, "httpStatusCode": 200, "referenceId": name}
        for name in ("Contact", "Lead")
    ]
    fault(desk, "/services/data/v62.0/composite", status=200, body=json.dumps({"compositeResponse": parts}))
    assert desk.activities.newcomers(now()) == Newcomers(frozenset({"jane@fresh.example"}), is_cut=True)
    salesforce.reset()


def test_a_garbled_answer_says_nobody_is_new(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    part = {"body": {"records": [{"Id": "003000000000001AAA"}]}, "httpStatusCode": 200, "referenceId": "Contact"}
    other = {**part, "referenceId": "Lead"}
    body = json.dumps({"compositeResponse": [part, other]})
    fault(desk, "/services/data/v62.0/composite", status=200, body=body)
    with pytest.raises(Transient):
        desk.activities.newcomers(now())
    salesforce.reset()


def test_who_may_not_see_addresses_is_told_of_nobody(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    salesforce.sim("users/alice", {"hide": ["Lead.Email", "Contact.Email"]}, "acme")
    assert desk.activities.newcomers(now() - _AGES).addresses == frozenset()
    salesforce.reset()
