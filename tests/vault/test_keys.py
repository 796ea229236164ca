"""The key hierarchy: who may open what, and when we refuse to start (C21, C22; docs/vault.md 2, 3, V16 to V18)."""

import base64
import os
import threading
from uuid import uuid4

import pytest
from django.core.checks import run_checks
from django.db import connections
from pytest_django import Settings

from organizations.models import Organization
from providers.base import Secret
from tests.vault.keyrings import new_kek
from vault import keys, registrations, sealing
from vault.cipher import Place
from vault.errors import KekUnusable, KeyGone, TokenTampered
from vault.kek import Keyring
from vault.models import DataKey, KekCanary

both = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture(autouse=True)
def cold() -> None:
    keys.forget_all()


def a_place() -> Place:
    return Place(uuid4(), "vault_credential", uuid4(), "sealed", "salesforce", 1)


@both
def test_one_data_key_per_organization_and_wrapped() -> None:
    first, second = a_place(), a_place()
    blobs = [sealing.seal(b"secret", where) for where in (first, second)]
    assert [sealing.unseal(blob, where) for blob, where in zip(blobs, (first, second), strict=True)] == [b"secret"] * 2
    rows = DataKey.objects.using("keys").all()
    assert {row.organization_id for row in rows} == {first.organization_id, second.organization_id}
    assert len({bytes(row.wrapped) for row in rows}) == 2


@both
def test_data_keys_live_in_the_key_store_only() -> None:
    sealing.seal(b"secret", a_place())
    tables = connections["default"].introspection.table_names()
    assert "vault_datakey" not in tables
    assert "vault_kekcanary" not in tables
    assert set(connections["keys"].introspection.table_names()) <= {
        "vault_datakey",
        "vault_kekcanary",
        "vault_keystoremark",
        "django_migrations",
    }


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_twenty_threads_make_one_key() -> None:
    organization_id, found = uuid4(), []

    def make() -> None:
        try:
            keys.forget_all()
            found.append(keys.primary_key(organization_id).id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    DataKey.objects.using("keys").filter(organization_id=organization_id).delete()


@both
def test_a_shredded_key_opens_nothing_any_more() -> None:
    """V18: old backups of the data stay unreadable once the key store has forgotten."""
    where = a_place()
    blob = sealing.seal(b"secret", where)
    assert keys.shred(where.organization_id) == 1
    with pytest.raises(KeyGone):
        sealing.unseal(blob, where)


@both
def test_another_organizations_key_is_never_used() -> None:
    where, other = a_place(), a_place()
    keys.primary_key(other.organization_id)
    blob = sealing.seal(b"secret", where)
    with pytest.raises(KeyGone):
        sealing.unseal(blob, Place(other.organization_id, where.table, where.row_id, where.column, where.provider, 1))


@both
def test_a_wrapped_key_moved_to_another_row_does_not_open() -> None:
    mine, other = a_place(), a_place()
    for where in (mine, other):
        keys.primary_key(where.organization_id)
    rows = DataKey.objects.using("keys")
    wrapped = rows.get(organization_id=other.organization_id).wrapped
    rows.filter(organization_id=mine.organization_id).update(wrapped=wrapped)
    keys.forget_all()
    with pytest.raises(KekUnusable):
        keys.primary_key(mine.organization_id)


@both
def test_swapped_rows_are_refused() -> None:
    """C21: any two ciphertexts of 300 rows swapped, all rejected, in one organization too."""
    organization_id = uuid4()
    places = [Place(organization_id, "vault_credential", uuid4(), "sealed", "salesforce", 1) for _ in range(300)]
    blobs = [sealing.seal(b"secret", where) for where in places]
    refused = 0
    for index, where in enumerate(places):
        try:
            sealing.unseal(blobs[(index + 1) % 300], where)
        except TokenTampered:
            refused += 1
    assert refused == 300


@both
def test_the_first_start_records_a_canary_and_the_next_finds_it() -> None:
    keys.verify_kek()
    assert KekCanary.objects.using("keys").count() == 1
    keys.verify_kek()
    assert KekCanary.objects.using("keys").count() == 1


@both
def test_a_wrong_key_refuses_to_start(settings: Settings) -> None:
    """V17."""
    keys.verify_kek()
    settings.VAULT_KEK = new_kek()
    with pytest.raises(KekUnusable, match="not the one"):
        keys.verify_kek()


@both
def test_no_new_key_once_anything_is_sealed(settings: Settings) -> None:
    """V17: neither a lost canary nor a lost key store makes us begin afresh over sealed rows."""
    organization = Organization.objects.create(salesforce_org_id="00D000000000001AAA", name="Acme")
    keys.verify_kek()
    registrations.register("https://acme.my.salesforce.com", "id", Secret("a secret"), organization.pk)
    KekCanary.objects.using("keys").all().delete()
    with pytest.raises(KekUnusable, match="Sealed rows exist"):
        keys.verify_kek()
    DataKey.objects.using("keys").all().delete()
    settings.VAULT_KEK = new_kek()
    with pytest.raises(KekUnusable, match="Sealed rows exist"):
        keys.verify_kek()
    assert not KekCanary.objects.using("keys").exists()


@both
def test_a_second_key_is_taken_in_and_the_first_must_stay_while_used(settings: Settings) -> None:
    """I9, V16: add, then promote; the old key may go only when nothing is wrapped under it."""
    where, old, new = a_place(), settings.VAULT_KEK, new_kek()
    keys.verify_kek()
    blob = sealing.seal(b"secret", where)
    settings.VAULT_KEK = f"2027:{new},default:{old}"
    keys.forget_all()
    keys.verify_kek()
    assert sealing.unseal(blob, where) == b"secret"
    assert sealing.unseal(sealing.seal(b"more", other := a_place()), other) == b"more"
    assert DataKey.objects.using("keys").get(organization_id=other.organization_id).kek_id == "2027"
    settings.VAULT_KEK = f"2027:{new}"
    with pytest.raises(KekUnusable, match="'default'"):
        keys.verify_kek()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not set"),
        ("   ", "not set"),
        (base64.b64encode(os.urandom(16)).decode(), "16 bytes"),
        (base64.b64encode(os.urandom(33)).decode(), "33 bytes"),
        ("not base64!", "not base64"),
        (base64.b64encode(bytes(32)).decode(), "sample"),
        (base64.b64encode(b"ab" * 16).decode(), "sample"),
        (f":{new_kek()}", "empty"),
        (f"{'k' * 65}:{new_kek()}", "too long"),
        (f"a:{new_kek()},a:{new_kek()}", "twice"),
        (f"a:{new_kek()},", "0 bytes"),
    ],
)
def test_a_missing_or_malformed_key_fails_the_start_up_check(text: str, says: str, settings: Settings) -> None:
    """C22: without a key we refuse to start; the message never holds key material."""
    settings.VAULT_KEK = text
    messages = [message.msg for message in run_checks() if message.id == "vault.E001"]
    assert len(messages) == 1
    assert says in messages[0]
    assert not any(len(part) > 12 and part in messages[0] for part in text.replace(",", ":").split(":"))


def test_a_keyring_names_its_keys() -> None:
    ring = Keyring(f"new:{new_kek()},old:{new_kek()}")
    assert ring.current_id() == "new"
    assert ring.ids() == ("new", "old")
    for kek_id in ring.ids():
        assert ring.unwrap(ring.wrap(b"k" * 32, b"aad", kek_id), b"aad", kek_id) == b"k" * 32
    with pytest.raises(KekUnusable):
        ring.unwrap(ring.wrap(b"k" * 32, b"aad", "new"), b"aad", "old")
    with pytest.raises(KekUnusable, match="does not hold"):
        ring.wrap(b"k" * 32, b"aad", "other")
