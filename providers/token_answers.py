"""What a token endpoint's answer holds (RFC 6749 section 5.1), read so that its tokens are never text in between.

Must not judge: what a refusal means is each provider's own."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from providers.base import Account, Secret, TokenSet

_SECRETS = frozenset({"access_token", "refresh_token", "id_token"})
_TOKEN = re.compile(r"[\x20-\x7e]{1,16384}")  # RFC 6749 appendix A.12: anything else cannot go into a header again
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 appendix A.4: what no column refuses, either
_LONGEST_WAIT = 3600.0


def json_object(text: str) -> dict[str, Any]:
    """The JSON object in `text`, its tokens wrapped at once; {} where it is none."""
    try:
        found = json.loads(text, object_pairs_hook=_wrapped)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_empty_object(text: str) -> bool:
    """Whether there is nothing in `text` but a JSON object without members."""
    return re.fullmatch(r"\s*\{\s*\}\s*", text) is not None


def has_usable_tokens(fields: Mapping[str, Any]) -> bool:
    """An access token, and no refresh token that could never be sent back."""
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    return _is_sendable(access) and (refresh is None or refresh == "" or _is_sendable(refresh))


def refresh_token_alone(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same answer without its access token, where its refresh token at least can be sent; else {}."""
    rest = {name: value for name, value in fields.items() if name != "access_token"}
    return rest if _is_sendable(fields.get("refresh_token")) else {}


def token_set(
    fields: Mapping[str, Any], *, api_url: str = "", identity: str = "", account: Account | None = None
) -> TokenSet:
    """The fields of RFC 6749 section 5.1, but for words that are no scopes; the provider's own are the caller's."""
    return TokenSet(
        access_token=fields.get("access_token") or Secret(""),
        refresh_token=fields.get("refresh_token") or None,
        scopes=tuple(word for word in text_of(fields.get("scope")).split() if _SCOPE.fullmatch(word)),
        api_url=api_url,
        identity=identity,
        lifetime=_seconds(fields.get("expires_in")),
        refresh_lifetime=_seconds(fields.get("refresh_token_expires_in")),
        account=account,
    )


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header, an hour at most; None where there is none (or a date, which needs a clock)."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*", header or "", re.ASCII)
    return min(float(found[1]), _LONGEST_WAIT) if found else None


def error_in(text: str) -> str:
    """The error code of a refusal, "" where there is none: JSON, or a form as Salesforce's revocation endpoint sends
    (omniphx/forrest issue 213)."""
    named = text_of(json_object(text).get("error"))
    return named or next(iter(parse_qs(text[:2_000]).get("error", [])), "")


def text_of(value: object) -> str:
    """`value`, or "" where it is no text."""
    return value if isinstance(value, str) else ""


def _wrapped(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name: Secret(value) if name in _SECRETS and isinstance(value, str) and value else value for name, value in pairs
    }


def _is_sendable(token: object) -> bool:
    return isinstance(token, Secret) and _TOKEN.fullmatch(token.reveal()) is not None


def _seconds(value: object) -> int | None:
    """A life in whole seconds. RFC 6749 has a number; some servers send it as a string."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value, re.ASCII):
        value = int(value)
    is_life = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**8
    return value if is_life and isinstance(value, int) else None
