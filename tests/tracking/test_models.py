"""What is kept of a message: sealed for its row alone, re-sealed with its organization's keys, gone with them."""

from datetime import UTC, date, datetime

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from organizations.models import Member
from tests.organizations import people
from tracking import partitions
from tracking.models import Content, Event, TrackedMessage
from vault import keys, rotation
from vault.errors import KeyGone, TokenTampered
from vault.models import DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def a_message(member: Member, *recipients: str) -> TrackedMessage:
    row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    Content(list(recipients), ["https://example.com/"]).put(row)
    row.save()
    return TrackedMessage.objects.get(pk=row.pk)


def test_content_opens_in_its_own_row_only() -> None:
    alice, *_ = people.everybody()
    mine, other = a_message(alice, "jane@customer.example"), a_message(alice, "joe@customer.example")
    assert b"jane" not in bytes(mine.sealed)
    assert Content.of(mine).recipients == ["jane@customer.example"]
    mine.sealed = other.sealed
    with pytest.raises(TokenTampered):
        Content.of(mine)


def test_content_is_sealed_anew_with_new_data_keys() -> None:
    keys.verify_kek()
    alice, *_ = people.everybody()
    a_message(alice, "jane@customer.example")
    rotation.new_data_keys()
    assert rotation.reseal().done == 1
    DataKey.objects.using("keys").filter(is_primary=False).delete()
    keys.forget_all()
    assert Content.of(TrackedMessage.objects.get()).recipients == ["jane@customer.example"]


def test_without_its_organizations_key_nobody_reads_it() -> None:
    alice, *_ = people.everybody()
    row = a_message(alice, "jane@customer.example")
    keys.shred(alice.organization_id)
    with pytest.raises(KeyGone):
        Content.of(row)


def an_event(at: datetime) -> Event:
    nobody = people.organization()
    return Event(
        id=nobody, at=at, organization_id=nobody, message_id=nobody, copy_id=nobody, kind=1, link=0, verdict="unknown"
    )


def test_a_month_has_a_partition_and_goes_whole() -> None:
    partitions.make_ahead(datetime(2027, 12, 31, 23, 59, tzinfo=UTC))
    partitions.make_ahead(datetime(2027, 12, 31, 23, 59, tzinfo=UTC))
    assert partitions.existing() == [date(2027, 12, 1), date(2028, 1, 1)]
    first, second = an_event(datetime(2027, 12, 31, 23, 59, tzinfo=UTC)), an_event(datetime(2028, 1, 1, tzinfo=UTC))
    for each in (first, second):
        each.save(force_insert=True)
    with pytest.raises(IntegrityError):
        an_event(datetime(2028, 2, 1, tzinfo=UTC)).save(force_insert=True)
    assert partitions.drop_before(date(2028, 1, 1)) == [date(2027, 12, 1)]
    assert [each.id for each in Event.objects.all()] == [second.id]
    partitions.drop_before(date(2030, 1, 1))


def test_a_destroyed_organization_leaves_nothing() -> None:
    from tracking import erasing

    alice, *_, charlie = people.everybody()
    for member in (alice, charlie):
        a_message(member, "jane@customer.example")
    now = timezone.now()
    partitions.make_ahead(now)
    event = an_event(now)
    event.organization_id = alice.organization_id
    event.save(force_insert=True)
    counted = erasing.count(alice.organization_id)
    assert (counted["tracked messages"], counted["opens and clicks"]) == (1, 1)
    erasing.erase(alice.organization_id)
    assert set(erasing.count(alice.organization_id).values()) == {0}
    assert erasing.count(charlie.organization_id)["tracked messages"] == 1
    partitions.drop_before(date(2100, 1, 1))


def test_migrations_match_the_models() -> None:
    """All but the partitioned table, whose columns are looked at here."""
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
    with connection.cursor() as cursor:
        columns = {each.name for each in connection.introspection.get_table_description(cursor, "tracking_event")}
    assert columns == {field.column for field in Event._meta.concrete_fields}
