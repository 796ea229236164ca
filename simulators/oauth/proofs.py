"""Fingerprints of tokens, and the proof key of a code (RFC 7636, S256 only). Keeps nothing."""

import base64
import hashlib
import hmac

from simulators.ledger import digest


def fingerprint(token: str) -> str:
    """Names a token in the log and in reports without giving it away."""
    return digest(token)[:12] if token else ""


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def verifies(challenge: str, verifier: str) -> bool:
    return hmac.compare_digest(challenge_of(verifier), challenge)
