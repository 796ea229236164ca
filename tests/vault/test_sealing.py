"""Sealing with the right organization's key, and the list of what is sealed (docs/vault.md 2, 3)."""

from uuid import uuid4

import pytest

from tests.organizations import people
from vault import cipher, keys, rotation, sealing
from vault.cipher import Place
from vault.errors import KekUnusable
from vault.models import Credential

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_value_is_sealed_with_its_own_organizations_key() -> None:
    place = Place(people.organization(), "table", uuid4(), "column")
    blob = sealing.seal(b"secret", place)
    assert cipher.key_id_of(blob) == keys.primary_key(place.organization_id).id
    assert sealing.unseal(blob, place) == b"secret"


def test_a_key_that_has_sealed_as_much_as_is_safe_is_handed_out_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there are new data keys; what it has sealed opens."""
    monkeypatch.setattr(cipher, "MOST", 2)
    place = Place(people.organization(), "table", uuid4(), "column")
    blobs = [sealing.seal(b"secret", place) for _ in range(2)]
    with pytest.raises(KekUnusable, match="rotate_keys --data-keys"):
        sealing.seal(b"secret", place)
    assert [sealing.unseal(blob, place) for blob in blobs] == [b"secret"] * 2
    rotation.new_data_keys()
    assert sealing.unseal(sealing.seal(b"secret", place), place) == b"secret"


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
