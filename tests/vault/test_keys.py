"""The key hierarchy: who may open what, and when we refuse to start (C21, C22; docs/vault.md 2, 3, V16 to V18)."""

import base64
import os
import threading
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.checks import run_checks
from django.db import connections
from django.db.models.functions import Now
from pytest_django import Settings

from organizations import epochs
from organizations.models import Epoch, Organization
from providers.base import Secret
from tests.organizations import people
from tests.vault.keyrings import new_kek
from vault import cipher, kek, keys, registrations, sealing
from vault.cipher import Place
from vault.errors import KekUnusable, KeyGone, TokenTampered
from vault.kek import Keyring
from vault.models import ClientRegistration, Connection, Credential, DataKey, KekCanary

both = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture(autouse=True)
def cold() -> None:
    keys.forget_all()


def a_place() -> Place:
    return Place(people.organization(), "vault_credential", uuid4(), "sealed", "salesforce", 1)


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
    organization_id, found = people.organization(), []

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


@pytest.mark.usefixtures("oracle")
@both
def test_a_shredded_key_opens_nothing_any_more() -> None:
    """V18: old backups of the data stay unreadable once the key store has forgotten."""
    where = a_place()
    blob = sealing.seal(b"secret", where)
    assert keys.shred(where.organization_id) == 1
    with pytest.raises(KeyGone):
        sealing.unseal(blob, where)


@both
def test_a_key_is_there_before_its_organization_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key service is asked over HTTP, so not in the transaction that founds the organization."""
    new_id = uuid4()
    assert not keys.is_open(new_id)
    keys.make_for(new_id)
    assert keys.is_open(new_id)
    assert DataKey.objects.using("keys").filter(organization_id=new_id, is_primary=True).count() == 1
    monkeypatch.setattr(keys, "opened", None)  # nobody is asked any more
    where = Place(new_id, "vault_credential", uuid4(), "sealed", "salesforce", 1)
    assert sealing.unseal(sealing.seal(b"secret", where), where) == b"secret"


@both
def test_the_installation_has_a_key_of_its_own() -> None:
    """Under an id that no organization has, and that every release has used."""
    key = keys.primary_key(keys.INSTANCE)
    assert key.organization_id == keys.INSTANCE
    assert key.organization_id.int == 0


@both
def test_a_worn_key_seals_no_more_and_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    where = a_place()
    monkeypatch.setattr(cipher, "MOST", 1)
    blob = sealing.seal(b"secret", where)
    with pytest.raises(KekUnusable, match=r"rotate_keys --data-keys$"):
        sealing.seal(b"secret", where)
    assert sealing.unseal(blob, where) == b"secret"


@both
def test_a_changed_setting_throws_no_opened_key_out() -> None:
    """Else a key service that is away would end every look-up of an organization in which a domain was added."""
    mine = people.organization()
    keys.primary_key(mine)
    epochs.bump("organization", mine)
    assert keys.is_open(mine)
    epochs.bump("keys", uuid4())
    assert keys.is_open(mine)
    epochs.bump("keys", mine)
    assert not keys.is_open(mine)


@pytest.mark.usefixtures("oracle")
@both
@pytest.mark.parametrize("how", ["being destroyed", "gone"])
def test_no_new_key_outlives_its_organization(how: str) -> None:
    """C37: what comes in late for one that is destroyed seals nothing; a key it still has opens until it is deleted."""
    mine, _other = people.organization(), people.organization()
    key = keys.primary_key(mine)
    rows = Organization.objects.filter(pk=mine)
    rows.update(ending_since=Now()) if how == "being destroyed" else rows.delete()
    keys.forget_all()
    assert keys.primary_key(mine).id == key.id
    keys.shred(mine)
    with pytest.raises(KeyGone, match="no new key is made"):
        keys.primary_key(mine)
    assert not DataKey.objects.using("keys").filter(organization_id=mine).exists()


@both
def test_shredding_is_told_to_every_process_and_spares_the_others() -> None:
    """V18: also where nothing is left to delete, since an earlier call may have ended between the two."""
    mine, other = people.organization(), people.organization()
    spared = keys.primary_key(other)
    ended = keys.primary_key(mine)
    for count in (1, 0):
        Epoch.objects.all().delete()
        assert keys.shred(mine) == count
        found = set(Epoch.objects.values_list("kind", "key"))
        assert found == {("keys", str(mine)), ("organization", str(mine))}
    assert keys._primary.get(mine) is None
    assert keys._primary.get(other) is spared
    assert keys.primary_key(mine).id != ended.id
    assert DataKey.objects.using("keys").get(organization_id=other).id == spared.id


@both
def test_forgetting_is_for_this_process_only() -> None:
    mine, other = people.organization(), people.organization()
    ids = {each: keys.primary_key(each).id for each in (mine, other)}
    for each in (mine, other):
        keys.key_by_id(ids[each], each)
    keys.forget(mine)
    kept = [(keys._primary.get(each), keys._by_id.get(ids[each])) for each in (mine, other)]
    assert kept[0] == (None, None)
    assert None not in kept[1]
    keys.forget_all()
    assert keys._primary.get(other) is None
    assert keys.primary_key(mine).id == ids[mine]


@both
def test_what_an_earlier_release_has_stored_opens(settings: Settings) -> None:
    """The format, by hand: magic, nonce, AES-256-GCM with the purpose and the ids, each preceded by its length."""
    raw, data_key, key_id, owner = os.urandom(32), os.urandom(32), uuid4(), UUID(int=0)
    settings.VAULT_KEK = base64.b64encode(raw).decode()

    def wrapped(content: bytes, *parts: bytes) -> bytes:
        nonce, aad = os.urandom(12), b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return b"SK\x01" + nonce + AESGCM(raw).encrypt(nonce, content, aad)

    canary = wrapped(b"the canary sings under the right key", b"sv1-canary", b"default")
    KekCanary.objects.using("keys").create(kek_id="default", wrapped=canary)
    row = {"id": key_id, "organization_id": owner, "kek_id": "default"}
    DataKey.objects.using("keys").create(**row, wrapped=wrapped(data_key, b"sv1-dek", key_id.bytes, owner.bytes))
    keys.verify_kek()
    key = keys.primary_key(keys.INSTANCE)
    assert (key.id, key.organization_id) == (key_id, owner)
    assert AESGCM(data_key).decrypt(b"n" * 12, key.aead.encrypt(b"n" * 12, b"secret", b"aad"), b"aad") == b"secret"
    assert KekCanary.objects.using("keys").count() == 1


@both
def test_a_sealed_credential_alone_forbids_a_new_key(settings: Settings) -> None:
    """V17; an app without a secret does not: nothing of it is sealed."""
    registrations.register("https://acme.my.salesforce.com", "id", None, None)
    keys.verify_kek()
    assert ClientRegistration.objects.get().sealed_secret is None
    alice = people.everybody()[0]
    row = Connection.objects.create(organization=alice.organization, member=alice, provider="google", subject="1")
    Credential.objects.create(connection=row, sealed=b"x")
    KekCanary.objects.using("keys").all().delete()
    with pytest.raises(KekUnusable, match="Sealed rows exist"):
        keys.verify_kek()


@both
def test_wrapped_data_keys_alone_forbid_a_new_key(settings: Settings) -> None:
    keys.primary_key(people.organization())
    with pytest.raises(KekUnusable, match="Sealed rows exist"):
        keys.verify_kek()
    assert not KekCanary.objects.using("keys").exists()


@both
def test_the_primary_key_is_the_one_that_seals() -> None:
    """Also beside older ones, whose rotation is not over; where there are only such, one is made."""
    owner = people.organization()
    keys.new_row(owner, "default").save(using="keys")
    DataKey.objects.using("keys").update(is_primary=False)
    made = DataKey.objects.using("keys").get(id=keys.primary_key(owner).id)
    assert made.is_primary
    keys.forget_all()
    made.delete()
    rows = {name: keys.new_row(owner, "default") for name in "abcdefg"}
    assert {(row.organization_id, row.kek_id, row.is_primary) for row in rows.values()} == {(owner, "default", True)}
    for name, row in rows.items():
        row.is_primary = name == "d"
        row.save(using="keys")
    assert keys.primary_key(owner).id == rows["d"].id


class Counting(Keyring):
    """A keyring that remembers under which keys it was asked to open something."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.asked: list[str] = []

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        self.asked.append(kek_id)
        return super().unwrap(wrapped, aad, kek_id)


@both
def test_a_key_is_proven_once_and_a_wrong_one_named(settings: Settings) -> None:
    """V16: what a process may say of its keys."""
    old, new = new_kek(), new_kek()
    settings.VAULT_KEK = f"new:{new},old:{old}"
    keys.verify_kek()
    ring = Counting(f"new:{new},old:{old}")
    assert keys.prove(ring, set()) == (("new", "old"), {"new", "old"}, "")
    ring.asked.clear()
    assert keys.prove(ring, {"new", "gone"}) == (("new", "old"), {"new", "old"}, "")
    assert set(ring.asked) == {"old"}
    wrong = "The key named 'old' in VAULT_KEK is not the one that was used."
    assert keys.prove(Keyring(f"old:{new_kek()},new:{new}"), set()) == (("new",), {"new"}, wrong)
    assert keys.prove(Keyring(f"new:{new},unseen:{old}"), set()) == (("new", "unseen"), {"new"}, "")
    keys.primary_key(people.organization())
    trouble = "Data keys are wrapped under 'new', which VAULT_KEK does not hold."
    assert keys.prove(Keyring(f"old:{old}"), set()) == (("old",), {"old"}, trouble)


@both
def test_a_canary_of_other_words_is_the_wrong_key(settings: Settings) -> None:
    ring = kek.current()
    aad = keys._canary_aad("default")
    KekCanary.objects.using("keys").create(kek_id="default", wrapped=ring.wrap(b"another song", aad, "default"))
    with pytest.raises(KekUnusable, match=r"^The key named 'default' in VAULT_KEK is not the one that was used\.$"):
        keys.verify_kek()


class Deaf(Keyring):
    """As Vault was before 1.13: associated data is taken, and left out."""

    def wrap(self, key: bytes, aad: bytes, kek_id: str) -> bytes:
        return super().wrap(key, b"", kek_id)

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        return super().unwrap(wrapped, b"", kek_id)


@both
def test_a_key_service_that_ignores_associated_data_is_named() -> None:
    """V17: with it, a wrapped key could be moved to another organization's row."""
    ring = Deaf(f"old:{new_kek()}")
    KekCanary.objects.using("keys").create(kek_id="old", wrapped=ring.wrap(keys._CANARY, b"", "old"))
    trouble = "The key service ignores associated data under 'old'. It is too old: Vault 1.13 or OpenBao is needed."
    assert keys.prove(ring, set()) == ((), set(), trouble)


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


@pytest.mark.usefixtures("oracle")
@both
def test_swapped_rows_are_refused() -> None:
    """C21: any two ciphertexts of 300 rows swapped, all rejected, in one organization too."""
    organization_id = people.organization()
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
def test_the_first_start_records_a_canary_and_the_next_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    keys.verify_kek()
    assert KekCanary.objects.using("keys").count() == 1
    monkeypatch.setattr(Keyring, "wrap", None)  # there is nothing to make
    keys.verify_kek()
    assert KekCanary.objects.using("keys").count() == 1


@pytest.mark.usefixtures("oracle")
@both
def test_a_wrong_key_refuses_to_start(settings: Settings) -> None:
    """V17."""
    keys.verify_kek()
    settings.VAULT_KEK = new_kek()
    with pytest.raises(KekUnusable, match="not the one"):
        keys.verify_kek()


@pytest.mark.oracle(finds={"I5", "I9"})  # the key store is lost in it
@pytest.mark.usefixtures("oracle")
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
        (f"a\x07:{new_kek()}", "not printable"),
        (f"schlüssel:{new_kek()}", "not printable"),
        (f"{new_kek()[:20]}!{new_kek()[20:]}", "not base64"),
        (base64.b64encode(bytes(range(7)) * 4 + bytes(4)).decode(), "sample"),
    ],
)
def test_a_missing_or_malformed_key_fails_the_start_up_check(text: str, says: str, settings: Settings) -> None:
    """C22: without a key we refuse to start; the message never holds key material."""
    settings.VAULT_KEK = text
    messages = [message.msg for message in run_checks() if message.id == "vault.E001"]
    assert len(messages) == 1
    assert says in messages[0]
    assert not any(len(part) > 12 and part in messages[0] for part in text.replace(",", ":").split(":"))
