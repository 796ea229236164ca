"""Whether a Pub/Sub push is Google's own: the token that it carries (BI-B1 to BI-B7, BI-C1). Pure.

Source: cloud.google.com/pubsub/docs/authenticate-push-subscriptions (RS256 by Google's public keys; iss, aud, email of
the service account, email_verified, exp)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
#: Real ones have about 900 characters.
LONGEST = 4_096
LEEWAY = 60  # seconds by which two clocks may differ


KeySetById = Mapping[str, RSAKey]


class UnknownKey(LookupError):
    """Signed by a key that is not among those we have: fetch them again."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Whom a token must be for, and whose it must be; `issuers` beside Google's own are an operator's."""

    audience: str
    account: str
    issuers: Collection[str] = ISSUERS


def keys_of(document: Mapping[str, Any]) -> KeySetById:
    """Google's public keys by their id (RFC 7517). Others than RSA keys are left out."""
    found = document.get("keys")
    listed = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    usable = [each for each in listed if each.get("kty") == "RSA" and isinstance(each.get("kid"), str)]
    return {each["kid"]: RSAKey.import_key({"kty": "RSA", "n": each["n"], "e": each["e"]}) for each in usable}


def is_genuine(token: str, keys: KeySetById, expected: Expected, now: float) -> bool:
    """`now`: epoch seconds. Raises UnknownKey. What else the token's header says (jku, x5u, jwk) is of no account."""
    if len(token) > LONGEST or token.count(".") != 2:
        return False
    try:
        decoded = jwt.decode(token, lambda guest: _key(guest.headers(), keys), algorithms=["RS256"])
    except (JoseError, ValueError, TypeError):
        return False
    return _says(decoded.claims, expected, now)


def _key(header: Mapping[str, Any], keys: KeySetById) -> RSAKey:
    name = header.get("kid")
    if not isinstance(name, str) or header.get("alg") != "RS256" or "crit" in header:
        raise ValueError("no token of Google's")
    if name not in keys:
        raise UnknownKey
    return keys[name]


def _says(claims: Mapping[str, Any], expected: Expected, now: float) -> bool:
    times = [claims.get("iat"), claims.get("exp")]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in times):
        return False
    issued, ends = times
    is_now = issued - LEEWAY <= now < ends + LEEWAY and claims.get("nbf", issued) == issued  # type: ignore[operator]
    is_whose = claims.get("iss") in expected.issuers and claims.get("email_verified") is True
    return is_now and is_whose and _is(claims, expected)


def _is(claims: Mapping[str, Any], expected: Expected) -> bool:
    """An empty expectation is met by nobody."""
    for_us = bool(expected.audience) and claims.get("aud") == expected.audience
    return for_us and bool(expected.account) and claims.get("email") == expected.account
