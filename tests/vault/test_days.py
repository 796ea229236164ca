"""Keys of a day: one pair for all processes, and nothing that opens once it is ended."""

from datetime import date

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from vault import days, keys, rotation
from vault.models import DataKey, DayKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
TODAY, TOMORROW = date(2027, 3, 1), date(2027, 3, 2)


def test_a_day_has_one_pair() -> None:
    public = days.begin(TODAY)
    assert days.begin(TODAY) == public != days.begin(TOMORROW)
    private = days.private(TODAY)
    assert private is not None
    assert X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw() == public
    assert days.living() == [TODAY, TOMORROW]


def test_the_loser_of_a_race_takes_the_winners_pair() -> None:
    public = days.begin(TODAY)
    assert bytes(days._made(TODAY).public) == public


def test_an_ended_day_is_opened_by_nobody() -> None:
    """Also with a copy of its row out of a backup: the data key was in the key store only."""
    days.begin(TODAY)
    row = DayKey.objects.get()
    days.end(TODAY)
    assert (days.private(TODAY), days.living()) == (None, [])
    assert not DataKey.objects.using("keys").filter(organization_id=row.id).exists()
    row.save(force_insert=True)
    keys.forget_all()
    assert days.private(TODAY) is None
    days.end(TODAY)
    assert days.living() == []


def test_a_day_outlives_the_deletion_of_orphaned_keys() -> None:
    """It belongs to no organization, and is no sign-in that came to nothing."""
    days.begin(TODAY)
    DataKey.objects.using("keys").update(created_at="2020-01-01T00:00:00Z")
    assert rotation.drop_orphans() == 0
    keys.forget_all()
    assert days.private(TODAY) is not None


def test_one_days_private_half_does_not_open_as_anothers() -> None:
    for day in (TODAY, TOMORROW):
        days.begin(day)
    first, second = DayKey.objects.order_by("day")
    DayKey.objects.filter(pk=first.pk).update(sealed_private=second.sealed_private)
    assert days.private(TODAY) is None
    assert days.private(TOMORROW) is not None
