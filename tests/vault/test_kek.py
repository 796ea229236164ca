"""The keyring that VAULT_KEK is: what its text may be, and that each key opens what it has wrapped, in its place."""

import base64

import pytest
from pytest_django import Settings

from tests.vault.keyrings import new_kek
from vault import kek
from vault.errors import KekUnusable
from vault.kek import Keyring


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


def test_what_is_just_allowed() -> None:
    """A name of 64 characters, spaces around entries, eight different bytes; without a name it is `default`."""
    few = base64.b64encode(bytes(range(8)) * 4).decode()
    ring = Keyring(f" {'k' * 64}:{new_kek()} , {few} ")
    assert ring.ids() == ring.heads() == ("k" * 64, "default")
    with pytest.raises(KekUnusable, match="too long"):
        Keyring(f"{'k' * 65}:{few}")
    assert [ring.holds(name) for name in ("k" * 64, "default", "other", "")] == [True, True, False, False]


def test_a_name_stands_for_one_key() -> None:
    """Else it would hang on their order which of them opens what."""
    with pytest.raises(KekUnusable, match=r"^VAULT_KEK names the same key twice\.$"):
        Keyring(f"a:{new_kek()},b:{new_kek()},a:{new_kek()}")


def test_a_wrapped_key_that_is_damaged_is_told_from_a_wrong_key() -> None:
    ring = Keyring(new_kek())
    wrapped = ring.wrap(b"k" * 32, b"aad", "default")
    for damaged in (b"XX" + wrapped[2:], b"", wrapped[:2]):
        with pytest.raises(KekUnusable, match="wrapped data key is damaged"):
            ring.unwrap(damaged, b"aad", "default")
    for wrong in (wrapped[:-1], wrapped[:5], wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(KekUnusable, match="The key named 'default' in VAULT_KEK is not the one that was used"):
            ring.unwrap(wrong, b"aad", "default")
    with pytest.raises(KekUnusable, match="is not the one"):
        ring.unwrap(wrapped, b"another place", "default")
    assert ring.wrap(b"k" * 32, b"aad", "default") != wrapped, "a nonce is used once"


def test_only_addresses_tell_nothing() -> None:
    address = "transit:https://vault.example:8200/transit/keys/sidebar"
    assert kek.is_only_an_address(f" {address} , {address}2")
    for text in (new_kek(), f"{address},old:{new_kek()}"):
        assert not kek.is_only_an_address(text)


def test_the_keyring_is_the_one_that_is_configured(settings: Settings) -> None:
    settings.VAULT_KEK = f"mine:{new_kek()}"
    assert kek.current() is kek.current()
    assert kek.current().ids() == ("mine",)
