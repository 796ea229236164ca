"""Sealing with the right organization's key, and the list of what is sealed (docs/vault.md 2, 3)."""

from uuid import uuid4

import pytest

from tests.organizations import people
from vault import cipher, keys, sealing
from vault.cipher import Place
from vault.models import Credential

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_value_is_sealed_with_its_own_organizations_key() -> None:
    place = Place(people.organization(), "table", uuid4(), "column")
    blob = sealing.seal(b"secret", place)
    assert cipher.key_id_of(blob) == keys.primary_key(place.organization_id).id
    assert sealing.unseal(blob, place) == b"secret"


def test_a_declared_column_is_one_that_rotation_knows() -> None:
    """What is missing in the list would be lost with the old data key."""

    def place_of(row: Credential) -> Place:
        return Place(uuid4(), "table", row.id, "column")

    before = list(sealing.COLUMNS)
    try:
        assert sealing.column(Credential, "another")(place_of) is place_of
        assert sealing.COLUMNS[len(before) :] == [sealing.Column(Credential, "another", place_of)]
    finally:
        sealing.COLUMNS[:] = before
