"""Sealing with the right organization's key, and the list of what is sealed (docs/vault.md 2, 3)."""

import subprocess
import sys
from uuid import uuid4

import pytest

from tests.faults import evidence
from tests.organizations import people
from tests.servers import ROOT
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


def test_every_sealed_column_is_declared_once_the_rooms_are_set_up() -> None:
    """In a process that has loaded nothing else: with a column that is not in the list, data keys would be deleted that
    still seal a value."""
    code = "import django; django.setup()\nfrom django.apps import apps\nfrom vault import sealing\n"
    code += "fields = [(m, f) for m in apps.get_models() for f in m._meta.get_fields()]\n"
    code += "named = {(m._meta.db_table, f.name) for m, f in fields if f.name.startswith('sealed')}\n"
    code += "print(sorted(named - {(c.model._meta.db_table, c.name) for c in sealing.COLUMNS}), len(named))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"[] {len(evidence.READERS)}\n", done.stderr
