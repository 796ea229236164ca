"""Opens and clicks in the dashboard: one's own by message, everybody's as sums, and both as CSV."""

import csv
import re
from datetime import timedelta
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone

from organizations.models import Member
from tests.dashboard.test_pages import HOST, page, signed_in
from tests.organizations import people
from tracking import inflow
from tracking.models import Content, Copy, TrackedMessage

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    return people.everybody()


def a_message(member: Member, *recipients: str, days_ago: int = 1, **counts: Any) -> TrackedMessage:
    row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    row.sent_at = timezone.now() - timedelta(days=days_ago)
    Content(list(recipients), []).put(row)
    row.save()
    Copy.objects.create(message=row, number=0, **counts)
    return row


def table(client: Client, query: str = "") -> list[list[str]]:
    response = client.get(f"/dashboard/analytics/export/{query}")
    assert isinstance(response, StreamingHttpResponse)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(part for part in response.streaming_content if isinstance(part, bytes)).decode()
    assert text.startswith("\ufeff"), "else Excel reads it in its own code page"
    return list(csv.reader(text.removeprefix("\ufeff").splitlines()))


def test_each_sees_whom_he_wrote_to_and_nobody_else_does(everybody: Any) -> None:
    alice, bob, charlie = everybody
    a_message(alice, "jane@customer.example", opens=2, clicks=1, last_at=timezone.now())
    a_message(bob, "joe@customer.example")
    a_message(charlie, "jim@customer.example")
    text = page(signed_in(alice), "analytics/")
    assert "jane@customer.example" in text
    assert "joe@customer.example" not in text
    assert "jim@customer.example" not in text
    assert "No signal" in page(signed_in(bob), "analytics/")
    assert "Everybody" not in page(signed_in(bob), "analytics/")
    rows = table(signed_in(alice), "?who=everybody")
    assert rows[0] == ["Sender", "Messages sent", "of these opened", "of these clicked"]
    assert sorted(row[1:] for row in rows[1:]) == [["1", "0", "0"], ["1", "1", "1"]]
    assert table(signed_in(bob), "?who=everybody")[1][1] == "joe@customer.example", "he gets his own"


def test_a_reply_is_a_signal_though_no_image_was_loaded(everybody: Any) -> None:
    alice, *_ = everybody
    a_message(alice, "jane@customer.example", replied_at=timezone.now())
    assert "<td" in page(signed_in(alice), "analytics/")
    assert "No signal<" not in page(signed_in(alice), "analytics/")
    assert table(signed_in(alice))[1][4]


@pytest.mark.parametrize(
    "formula", ["=cmd|'/c calc'!a1@x.example", "+1@x.example", "-1@x.example", "@sum(a1)@x.example"]
)
def test_no_spreadsheet_takes_a_recipient_for_a_formula(everybody: Any, formula: str) -> None:
    """BI-H2: neither at the beginning nor behind the semicolon, which parts cells in half of Europe."""
    alice, *_ = everybody
    a_message(alice, formula, formula)
    assert table(signed_in(alice))[1][1] == f"'{formula}; '{formula}"


def test_times_say_their_zone(everybody: Any) -> None:
    alice, *_ = everybody
    message = a_message(alice, "jane@customer.example", opens=1, last_at=timezone.now())
    assert message.sent_at is not None
    row = table(signed_in(alice))[1]
    here = ZoneInfo("Europe/Berlin")
    assert row[0] == message.sent_at.astimezone(here).isoformat(timespec="seconds")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00", row[4])
    assert "Times are in your time zone, Europe/Berlin." in page(signed_in(alice), "analytics/")


def test_where_nothing_was_sent_nothing_is_offered(everybody: Any) -> None:
    text = page(signed_in(everybody[0]), "analytics/")
    assert "No tracked message of yours was sent in these days." in text
    assert "Nobody sent a tracked message in these days." in text
    assert "<table" not in text
    assert "CSV" not in text


def test_administrators_see_what_waits_to_be_counted(everybody: Any) -> None:
    alice, bob, _ = everybody
    text = page(signed_in(alice), "analytics/")
    assert re.search(r"Waiting to be counted</dt><dd>Nothing<", text)
    backlog = inflow.Backlog(entries=3, oldest=12.4, spooled=4_096, lost=7)
    with mock.patch.object(inflow, "backlog", return_value=backlog):
        text = page(signed_in(alice), "analytics/")
        assert "Waiting to be counted" not in page(signed_in(bob), "analytics/")
    assert "3 batches, the oldest for 12 seconds" in text
    assert "4.0\xa0KB" in text
    assert ">7</span> opens and clicks" in text


@pytest.mark.parametrize(
    "query", ["?from=nonsense", "?from=2026-02-01&to=2026-01-01", "?from=1000-01-01", "?from=0001-01-01"]
)
def test_days_that_make_no_sense_are_told(everybody: Any, query: str) -> None:
    assert 'role="alert"' in page(signed_in(everybody[0]), f"analytics/{query}")


def test_days_are_the_members_own(everybody: Any) -> None:
    alice, *_ = everybody
    a_message(alice, "old@customer.example", days_ago=40)
    assert "old@customer.example" not in page(signed_in(alice), "analytics/")
    first = (timezone.now() - timedelta(days=60)).date()
    assert "old@customer.example" in page(signed_in(alice), f"analytics/?from={first}")


def test_a_stranger_is_sent_to_sign_in() -> None:
    for path in ("", "export/"):
        assert Client(headers=HOST).get(f"/dashboard/analytics/{path}").status_code == 302
