"""The Transit engine of HashiCorp Vault or OpenBao as a KekProvider. Its answers are never logged or repeated.

Wire: developer.hashicorp.com/vault/api-docs/secret/transit and openbao.org/api-docs/secret/transit (encrypt, decrypt,
read key); error texts from OpenBao's builtin/logical/transit and sdk/helper/keysutil."""

import base64
import binascii
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from providers import http
from providers.base import Secret
from providers.errors import HostNotAllowed, Transient
from vault import frames
from vault.errors import KekUnusable, OwnTrouble

PREFIX = "transit:"
MAX_NAME = 48  # with "transit:" and the version it must fit DataKey.kek_id
#: Seconds for which the key's versions are believed. A heartbeat is due every ten.
VERSIONS_FOR = 9.0
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS, LARGEST_ANSWER = 2.0, 4.0, 5.0, 64 * 1024
#: Key types whose encryption authenticates associated data.
_AEAD = ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305", "xchacha20-poly1305")
_FORM = "transit:https://vault.example:8200/transit/keys/NAME"
_PATH = re.compile(r"^/(?:v1/)?(?P<mount>[\w./-]+)/keys/(?P<name>[\w.-]+)$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Versions:
    """What Transit says of its key: the newest version and the oldest that it still decrypts with."""

    latest: int
    oldest: int
    read_at: float  # time.monotonic()


class Transit:
    """One named key there. Its versions are our KEK ids: `transit:NAME:v3`."""

    def __init__(self, address: str) -> None:
        parts, path = urlsplit(address), _PATH.match(urlsplit(address).path)
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or not path or parts.query:
            raise KekUnusable(f"VAULT_KEK has an address that is not of the form {_FORM} (https only).")
        if len(path["name"]) > MAX_NAME:
            raise KekUnusable(f"VAULT_KEK names a Transit key of more than {MAX_NAME} characters.")
        self.name = f"{PREFIX}{path['name']}"
        self._key = path["name"]
        self._origin = f"https://{parts.netloc}"
        self._mount = f"{self._origin}/v1/{path['mount']}"
        self._versions: Versions | None = None
        self._lock = threading.Lock()

    def current_id(self) -> str:
        return self._id(self._current_versions().latest)

    def ids(self) -> tuple[str, ...]:
        versions = self._current_versions()
        return tuple(self._id(number) for number in range(versions.latest, versions.oldest - 1, -1))

    def heads(self) -> tuple[str, ...]:
        return (self.current_id(),)

    def holds(self, kek_id: str) -> bool:
        return kek_id.startswith(f"{self.name}:v")

    @frames.emptied
    def wrap(self, data_key: bytes, aad: bytes, kek_id: str) -> bytes:
        """The ciphertext as Transit writes it, `vault:v3:...`."""
        number = self._number(kek_id)
        fields = {"plaintext": _base64(data_key), "associated_data": _base64(aad), "key_version": number}
        data = self._ask("POST", f"encrypt/{self._key}", fields)
        ciphertext = data.get("ciphertext")
        if not isinstance(ciphertext, str) or f":v{number}:" not in ciphertext:
            raise _nonsense()
        return ciphertext.encode()

    @frames.emptied
    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        self._number(kek_id)
        fields = {"ciphertext": _text(wrapped), "associated_data": _base64(aad)}
        data = self._ask("POST", f"decrypt/{self._key}", fields)
        try:
            return base64.b64decode(data["plaintext"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise _nonsense() from None

    def _id(self, number: int) -> str:
        return f"{self.name}:v{number}"

    def _number(self, kek_id: str) -> int:
        number = kek_id.removeprefix(f"{self.name}:v")
        if not number.isdecimal():
            raise KekUnusable(f"'{kek_id}' names no version of a Transit key.")
        return int(number)

    def _current_versions(self) -> Versions:
        with self._lock:
            known = self._versions
        if known and time.monotonic() - known.read_at < VERSIONS_FOR:
            return known
        read = self._read_versions()
        with self._lock:
            self._versions = read
        return read

    def _read_versions(self) -> Versions:
        data = self._ask("GET", f"keys/{self._key}", None)
        if not data:
            raise _nonsense()
        if data.get("type") not in _AEAD or data.get("derived"):
            raise KekUnusable(f"The Transit key '{self._key}' must be of type aes256-gcm96 and not derived.")
        try:
            latest = int(data["latest_version"])
            oldest = max(int(data.get("min_decryption_version", 1)), int(data.get("min_available_version", 0)), 1)
        except (KeyError, TypeError, ValueError):
            raise _nonsense() from None
        return Versions(latest, oldest, time.monotonic())

    def _ask(self, method: str, path: str, fields: dict[str, Any] | None) -> dict[str, Any]:
        """The `data` of the answer."""
        try:
            response = http.ask(
                http.session(self._settings()), method, f"{self._mount}/{path}", auth=_signed(fields, _token())
            )
        except Transient as error:
            raise OwnTrouble(_of_key_service(str(error)), retry_after=error.retry_after) from None
        except HostNotAllowed:
            raise KekUnusable("The key service's address is not allowed.") from None
        answer = _json(response.content)
        if response.status_code == 200:
            data = answer.get("data")
            return data if isinstance(data, dict) else {}
        raise self._failure(response.status_code, " ".join(map(str, answer.get("errors") or ())))

    def _settings(self) -> http.Settings:
        """No proxy: the key service is the operator's own, inside his network."""
        return http.Settings(
            origins=frozenset({self._origin}),
            ca_bundle=settings.OUTBOUND_CA_BUNDLE,
            connect_seconds=CONNECT_SECONDS,
            read_seconds=READ_SECONDS,
            total_seconds=TOTAL_SECONDS,
            largest_answer=LARGEST_ANSWER,
            pool_size=8,
        )

    def _failure(self, status: int, said: str) -> Exception:
        """Passing trouble, or what only an operator can mend. `said` decides, and is not repeated."""
        if status == 503 and "sealed" in said:
            return OwnTrouble(
                "The key service is sealed. Unseal it; nothing new is opened until then.", retry_after=30.0
            )
        if status == 429 or status >= 500:
            return OwnTrouble("The key service is out of order or has too much to do.", retry_after=10.0)
        if 300 <= status < 400:
            return OwnTrouble("The key service points elsewhere. Name its active node in VAULT_KEK.", retry_after=30.0)
        if status in (401, 403):
            return KekUnusable(
                f"The key service denies us the key '{self._key}'. VAULT_KEK_TOKEN has run out, or its policy lacks "
                f"read on keys/{self._key}, update on encrypt/{self._key} and update on decrypt/{self._key}."
            )
        if status == 404 or "encryption key not found" in said:
            return KekUnusable(
                f"The key service has no key '{self._key}' at this address. Restore it from the key service's backup; "
                "a new key of that name would open nothing."
            )
        if "too old" in said:
            return KekUnusable(
                f"A data key is wrapped under a version of '{self._key}' below its min_decryption_version. Lower that "
                "again, and run rotate_keys before you raise it."
            )
        return KekUnusable(f"The Transit key '{self._key}' does not open a data key: it is not the one that was used.")


def _signed(fields: dict[str, Any] | None, token: Secret) -> Callable[[Any], Any]:
    """Puts body and token on the one prepared request, so that no frame of the HTTP library holds them by name."""

    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token.reveal()}"
        if fields is not None:
            request.body = json.dumps({name: _revealed(value) for name, value in fields.items()}).encode()
            request.headers["Content-Type"] = "application/json"
        return request

    return sign


def _revealed(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value


@frames.emptied
def _token() -> Secret:
    """Read anew each time: an agent (Vault Agent, for one) renews it in its file while we run."""
    if not settings.VAULT_KEK_TOKEN_FILE:
        token = settings.VAULT_KEK_TOKEN
    else:
        try:
            token = Path(settings.VAULT_KEK_TOKEN_FILE).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise KekUnusable(f"VAULT_KEK_TOKEN_FILE cannot be read: {type(error).__name__}.") from None
    if not token or not token.isascii() or not token.isprintable():
        raise KekUnusable("VAULT_KEK names a key service, but VAULT_KEK_TOKEN is not set or is no token.")
    return Secret(token)


def _nonsense() -> OwnTrouble:
    return OwnTrouble("The key service gave an answer that makes no sense.", retry_after=30.0)


def _of_key_service(text: str) -> str:
    return text.replace("The provider", "The key service")


def _base64(data: bytes) -> Secret:
    return Secret(base64.b64encode(data).decode())


def _text(wrapped: bytes) -> str:
    if not wrapped.startswith(b"vault:v") or not wrapped.isascii():
        raise KekUnusable("A wrapped data key is damaged.")
    return wrapped.decode()


def _json(body: bytes) -> dict[str, Any]:
    """Empty where it is none: a proxy's error page says nothing about a key."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
