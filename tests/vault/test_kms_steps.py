"""Each step of asking a key service by itself: what is sent, what is believed, and what an operator is told (C22)."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from providers.errors import ProviderError, Transient
from tests.providers.faulty import Faulty, faulty
from vault import heartbeat, kms
from vault.errors import KekUnusable
from vault.kms import Transit

TOKEN = "hvs.of-the-tests"
OLD = "The Transit key 'mine' does not open a data key: it is not the one that was used."
DENIED = (
    "The key service denies us the key 'mine'. VAULT_KEK_TOKEN has run out, or its policy lacks read on keys/mine, "
    "update on encrypt/mine and update on decrypt/mine."
)
GONE = (
    "The key service has no key 'mine' at this address. Restore it from the key service's backup; a new key of that "
    "name would open nothing."
)
BELOW = (
    "A data key is wrapped under a version of 'mine' below its min_decryption_version. Lower that again, and run "
    "rotate_keys before you raise it."
)
SEALED = "The key service is sealed. Unseal it; nothing new is opened until then."
BUSY = "The key service is out of order or has too much to do."
ELSEWHERE = "The key service points elsewhere. Name its active node in VAULT_KEK."
NONSENSE = "The key service gave an answer that makes no sense."


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[Faulty]:
    with faulty(tmp_path) as running:
        settings.OUTBOUND_CA_BUNDLE, settings.VAULT_KEK_TOKEN = str(running.ca), TOKEN
        settings.VAULT_KEK_TOKEN_FILE = ""
        yield running


@pytest.fixture
def transit(server: Faulty) -> Transit:
    return Transit(f"{server.url}/transit/keys/mine")


def says(server: Faulty, data: Any, status: int = 200) -> None:
    server.behave = lambda handler: handler.answer(status, {"data": data})


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_an_address_names_mount_and_key(server: Faulty) -> None:
    """With /v1 or without, as the key service's own manual writes it; a mount may have several parts."""
    says(server, {"type": "aes256-gcm96", "latest_version": 1})
    for path in ("/v1/a/b/keys/mine", "/a/b/keys/mine"):
        found = Transit(server.url + path)
        assert (found.name, found.current_id()) == ("transit:mine", "transit:mine:v1")
    assert [each.path for each in server.seen] == ["/v1/a/b/keys/mine"] * 2


def test_a_name_of_forty_eight_characters_is_the_longest() -> None:
    """With "transit:" before it and a version behind it fits DataKey.kek_id."""
    assert Transit(f"https://vault.example/transit/keys/{'k' * 48}").name == f"transit:{'k' * 48}"
    with pytest.raises(KekUnusable, match="more than 48 characters"):
        Transit(f"https://vault.example/transit/keys/{'k' * 49}")


@pytest.mark.parametrize(
    "address",
    [
        "http://vault.example:8200/transit/keys/a",
        "https:///transit/keys/a",
        "https://user@vault.example/transit/keys/a",
        "https://vault.example/transit/a",
        "https://vault.example/transit/keys/a?x=1",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    form = r"not of the form transit:https://vault\.example:8200/transit/keys/NAME \(https only\)"
    with pytest.raises(KekUnusable, match=form):
        Transit(address)


def test_whose_key_it_is_is_told_by_its_name(transit: Transit) -> None:
    names = ("transit:mine:v1", "transit:mine:v12", "transit:mine", "transit:miner:v1", "default")
    assert [transit.holds(name) for name in names] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("limits", "oldest"),
    [
        ({}, 1),
        ({"min_decryption_version": 0, "min_available_version": 0}, 1),
        ({"min_decryption_version": 2, "min_available_version": 0}, 2),
        ({"min_decryption_version": 2, "min_available_version": 3}, 3),
        ({"min_decryption_version": 4, "min_available_version": 3}, 4),
    ],
)
def test_versions_are_those_that_still_decrypt(
    server: Faulty, transit: Transit, limits: dict[str, int], oldest: int
) -> None:
    """The newest first. openbao.org/api-docs/secret/transit, "Read key"."""
    says(server, {"type": "aes256-gcm96", "latest_version": 4, **limits})
    assert transit.ids() == tuple(f"transit:mine:v{number}" for number in range(4, oldest - 1, -1))
    assert transit.heads() == ("transit:mine:v4",)
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("GET", "/v1/transit/keys/mine", b"")
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"
    assert seen.headers.get("Content-Type") is None


def test_every_kind_that_binds_its_place_is_allowed(server: Faulty) -> None:
    for kind in ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305"):
        says(server, {"type": kind, "latest_version": 1})
        assert Transit(f"{server.url}/transit/keys/mine").ids() == ("transit:mine:v1",)


@pytest.mark.parametrize("kind", [{"type": "rsa-4096"}, {"type": "aes256-gcm96", "derived": True}, {"type": "hmac"}])
def test_a_key_of_another_kind_is_refused(server: Faulty, transit: Transit, kind: dict[str, Any]) -> None:
    says(server, {"latest_version": 1, **kind})
    with pytest.raises(KekUnusable, match="'mine' must be of type aes256-gcm96"):
        transit.ids()


def test_versions_are_believed_for_less_than_a_heartbeat(
    server: Faulty, transit: Transit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V16: each row in LiveProcess is written with what the key service says now."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(kms, "time", SimpleNamespace(monotonic=lambda: clock.now))
    says(server, {"type": "aes256-gcm96", "latest_version": 1})
    for now, asked in ((100.0, 1), (108.9, 1), (109.0, 2), (110.0, 2)):
        clock.now = now
        assert transit.current_id() == "transit:mine:v1"
        assert len(server.seen) == asked
    assert kms.VERSIONS_FOR < heartbeat.EVERY


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"data": []}',
        b'{"data": {}}',
        b'{"data": {"type": "aes256-gcm96"}}',
        b'{"data": {"type": "aes256-gcm96", "latest_version": "new"}}',
        b'{"data": {"type": "aes256-gcm96", "latest_version": 1, "min_decryption_version": []}}',
        b"[" * 60_000,
    ],
)
def test_versions_that_are_none_are_passing_trouble(server: Faulty, transit: Transit, body: bytes) -> None:
    """V9's rule: a proxy's page says nothing about a key."""
    server.behave = lambda handler: handler.answer(200, body)
    with pytest.raises(Transient) as caught:
        transit.ids()
    assert (str(caught.value), caught.value.retry_after) == (NONSENSE, 30.0)


def test_a_data_key_goes_there_with_its_place_and_version(server: Faulty, transit: Transit) -> None:
    """I5. Data and associated data go in base64, as the engine wants them."""
    says(server, {"ciphertext": "vault:v3:abc"})
    assert transit.wrap(b"data key", b"place", "transit:mine:v3") == b"vault:v3:abc"
    says(server, {"plaintext": coded(b"data key")})
    assert transit.unwrap(b"vault:v3:abc", b"place", "transit:mine:v3") == b"data key"
    wrapped, unwrapped = server.seen
    assert (wrapped.method, wrapped.path) == ("POST", "/v1/transit/encrypt/mine")
    assert json.loads(wrapped.body) == {
        "plaintext": coded(b"data key"),
        "associated_data": coded(b"place"),
        "key_version": 3,
    }
    assert (unwrapped.method, unwrapped.path) == ("POST", "/v1/transit/decrypt/mine")
    assert json.loads(unwrapped.body) == {"ciphertext": "vault:v3:abc", "associated_data": coded(b"place")}
    for seen in (wrapped, unwrapped):
        assert seen.headers["Authorization"] == f"Bearer {TOKEN}"
        assert seen.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("ciphertext", [None, 7, "vault:v2:abc", "vault:v33:abc", "abc"])
def test_a_ciphertext_that_is_none_or_of_another_version_is_not_kept(
    server: Faulty, transit: Transit, ciphertext: object
) -> None:
    """I9: it would be looked for under a version that did not make it."""
    says(server, {"ciphertext": ciphertext})
    with pytest.raises(Transient, match="no sense"):
        transit.wrap(b"data key", b"place", "transit:mine:v3")


@pytest.mark.parametrize("data", [{}, {"plaintext": None}, {"plaintext": 7}, {"plaintext": "YWJj*"}, []])
def test_a_data_key_that_is_none_is_not_used(server: Faulty, transit: Transit, data: Any) -> None:
    says(server, data)
    with pytest.raises(Transient, match="no sense"):
        transit.unwrap(b"vault:v3:abc", b"place", "transit:mine:v3")


@pytest.mark.parametrize("kek_id", ["transit:mine:vx", "transit:mine:v", "transit:other:v1", "default"])
def test_a_version_that_is_none_is_not_asked_for(server: Faulty, transit: Transit, kek_id: str) -> None:
    with pytest.raises(KekUnusable, match="names no version"):
        transit.wrap(b"data key", b"place", kek_id)
    with pytest.raises(KekUnusable, match="names no version"):
        transit.unwrap(b"vault:v1:abc", b"place", kek_id)
    assert server.seen == []


@pytest.mark.parametrize("wrapped", [b"", b"SK\x01", b"xvault:v1:abc", b"vault:v1:\xc3\xa4"])
def test_a_wrapped_key_that_is_damaged_is_not_sent(server: Faulty, transit: Transit, wrapped: bytes) -> None:
    with pytest.raises(KekUnusable, match=r"^A wrapped data key is damaged\.$"):
        transit.unwrap(wrapped, b"place", "transit:mine:v1")
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "said", "text", "wait"),
    [
        (503, "Vault is sealed", SEALED, 30.0),
        (503, "standby", BUSY, 10.0),
        (504, "sealed", BUSY, 10.0),
        (500, "internal error", BUSY, 10.0),
        (429, "rate limit quota exceeded", BUSY, 10.0),
        (300, "", ELSEWHERE, 30.0),
        (307, "", ELSEWHERE, 30.0),
        (399, "", ELSEWHERE, 30.0),
        (401, "", DENIED, None),
        (403, "permission denied", DENIED, None),
        (404, "", GONE, None),
        (400, "encryption key not found", GONE, None),
        (400, "ciphertext or signature version is disallowed by policy (too old)", BELOW, None),
        (400, "cipher: message authentication failed", OLD, None),
        (201, "", OLD, None),
        (299, "", OLD, None),
        (402, "", OLD, None),
        (405, "", OLD, None),
        (430, "", OLD, None),
        (499, "sealed", OLD, None),
    ],
)
def test_a_refusal_says_what_to_do(
    server: Faulty, transit: Transit, status: int, said: str, text: str, wait: float | None
) -> None:
    """Passing trouble by how long to wait, what an operator must mend by its remedy; what was said is not repeated."""
    server.behave = lambda handler: handler.answer(status, {"errors": ["1 error occurred:", said]})
    with pytest.raises((Transient, KekUnusable)) as caught:
        transit.unwrap(b"vault:v1:abc", b"place", "transit:mine:v1")
    assert str(caught.value) == text
    assert getattr(caught.value, "retry_after", None) == wait
    assert isinstance(caught.value, ProviderError) == (wait is not None)


def test_who_cannot_be_reached_is_called_the_key_service(server: Faulty, settings: Settings) -> None:
    """And an address that our connection policy refuses is the operator's to mend."""
    gone = Transit("https://localhost:1/transit/keys/mine")
    with pytest.raises(Transient) as caught:
        gone.ids()
    assert (str(caught.value), caught.value.retry_after) == ("The key service could not be reached.", 10.0)
    settings.OUTBOUND_CA_BUNDLE = ""
    with pytest.raises(Transient) as caught:
        Transit(f"{server.url}/transit/keys/mine").ids()
    assert str(caught.value) == "The key service's TLS certificate could not be verified; nothing was sent."
    assert caught.value.retry_after == 60.0
    with pytest.raises(KekUnusable, match="address is not allowed"):
        Transit("https://localhost:443/transit/keys/mine").ids()


def test_its_time_is_short_and_only_its_own_host_hears_of_the_token(transit: Transit, server: Faulty) -> None:
    """A request waits for it. No proxy: it is the operator's own, inside his network."""
    found = transit._settings()
    assert (found.origins, found.host_suffixes, found.proxy) == (frozenset({server.url}), (), "")
    assert (found.connect_seconds, found.read_seconds, found.total_seconds) == (2.0, 4.0, 5.0)
    assert found.largest_answer == 64 * 1024


@pytest.mark.parametrize("token", ["", "with\nnewline", "n\u00e3o"])
def test_a_token_that_is_none_is_not_sent(server: Faulty, transit: Transit, settings: Settings, token: str) -> None:
    settings.VAULT_KEK_TOKEN = token
    with pytest.raises(KekUnusable, match="VAULT_KEK_TOKEN is not set or is no token"):
        transit.ids()
    assert server.seen == []


def test_a_token_file_counts_before_the_variable(
    server: Faulty, transit: Transit, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    settings.VAULT_KEK_TOKEN_FILE = str(file)
    says(server, {"type": "aes256-gcm96", "latest_version": 1})
    with pytest.raises(KekUnusable, match="cannot be read: FileNotFoundError"):
        transit.ids()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(KekUnusable, match="cannot be read: UnicodeDecodeError"):
        transit.ids()
    file.write_text("  hvs.from-a-file\n")
    transit.ids()
    (seen,) = server.seen
    assert seen.headers["Authorization"] == "Bearer hvs.from-a-file"
