"""RS256 signatures of id tokens and the JWKS that verifies them. The key is kept in the simulator's directory."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from simulators.ledger import digest


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Signer:
    def __init__(self, file: Path) -> None:
        self._key = _read(file) or _make(file)
        numbers = self._key.public_key().public_numbers()
        self._n = encoded(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"))
        self._e = encoded(numbers.e.to_bytes(3, "big"))
        self.key_id = digest(self._n)[:40]

    def jwks(self) -> dict[str, Any]:
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.key_id, "n": self._n, "e": self._e}
        return {"keys": [key]}

    def sign(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": self.key_id, "typ": "JWT"}
        parts = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{parts}.{encoded(self._key.sign(parts.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _read(file: Path) -> rsa.RSAPrivateKey | None:
    if not file.exists():
        return None
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    return key if isinstance(key, rsa.RSAPrivateKey) else None


def _make(file: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return key
