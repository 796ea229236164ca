"""What a toggle is: its type, its merge kind, and which values it takes. Pure rules, no database."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from organizations import domains
from organizations.models import Member


class Merge(StrEnum):
    """How the organization's and the member's value become one.

    OVERRIDE: the member's value where members may modify, else the organization's, else the default.
    UNION: lists that restrict; a member may add to the organization's, never loosen it.
    CAP: organization AND member (numbers: the smaller); an organization's "off" stands."""

    OVERRIDE = "override"
    UNION = "union"
    CAP = "cap"


class Type(StrEnum):
    BOOL = "bool"
    INT = "int"
    CHOICE = "choice"
    DOMAINS = "domains"  # list of e-mail domains, kept as lower-case A-labels
    NETWORKS = "networks"  # list of IP networks in their usual spelling
    USERNAMES_OR_OFF = "usernames_or_off"  # list of Salesforce usernames, or null for off
    PHRASES = "phrases"  # list of words as people write them, or of addresses
    FOLDERS = "folders"  # list of mail folders, each a kind, an id or a path


class Scope(StrEnum):
    """Where a value may be set."""

    ORGANIZATION = "organization"
    MEMBER = "member"
    BOTH = "both"


class PolicyRefused(ValueError):
    """A key or value is not accepted. `message` is a plain sentence; `code` is for programs."""

    def __init__(self, key: str, code: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.code = code
        self.message = message


MAX_LIST = 1000
#: Of a network, in bits: nobody was ever given more than that (IANA, IPv4 Address Space Registry).
WIDEST_NETWORK = 8
#: White space and control characters, written out: what `\s` means differs between Python and JSON Schema's ECMAScript.
BLANK = r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
USERNAME = rf"^[^@{BLANK}]+@[^{BLANK}]+$"
_USERNAME = re.compile(USERNAME)
#: One line, with nothing blank at its ends.
LINE = rf"^[^{BLANK}]([^\u0000-\u001f\u007f-\u009f\u2028\u2029]*[^{BLANK}])?$"
_LINE = re.compile(LINE)
LONGEST_LINE = 200
_LINE_SCHEMA = {"type": "string", "maxLength": LONGEST_LINE, "pattern": LINE}
_DOMAIN_SCHEMA = {"type": "string", "maxLength": 253, "format": "mail-domain"}
_NETWORK_SCHEMA = {"type": "string", "maxLength": 43, "format": "ip-network"}
_USERNAME_SCHEMA = {"type": "string", "maxLength": 255, "pattern": USERNAME}
#: (who sets it, the value) -> a sentence that refuses it, or "".
Guard = Callable[[Member | str, Any], str]


@dataclass(frozen=True, slots=True)
class Toggle:
    """One setting that administrators or members may change. Declared once, beside the feature that reads it."""

    key: str
    kind: Merge
    type: Type
    default: Any
    scope: Scope = Scope.BOTH
    users_can_modify: bool = True
    choices: tuple[str, ...] = ()
    choice_labels: tuple[str, ...] = ()  # each of them in words
    minimum: int | None = None
    maximum: int | None = None
    label: str = ""
    help: str = ""
    guard: Guard | None = None
    administrators_only: bool = False  # whether members may not even see it

    def __post_init__(self) -> None:
        restricting = self.type in (Type.DOMAINS, Type.NETWORKS, Type.PHRASES)
        if (self.kind is Merge.UNION) != restricting:
            raise ValueError(f"{self.key}: lists that restrict merge as a union, and nothing else does")
        if self.kind is Merge.CAP and self.type not in (Type.BOOL, Type.INT):
            raise ValueError(f"{self.key}: only a bool or a number can be capped")
        if len(self.choices) != len(self.choice_labels):
            raise ValueError(f"{self.key}: each choice is said in words")
        if self.clean(self.default) != self.default:
            raise ValueError(f"{self.key}: the default is not a value of its own type")

    @property
    def for_members(self) -> bool:
        return self.scope is not Scope.ORGANIZATION

    @property
    def for_organizations(self) -> bool:
        return self.scope is not Scope.MEMBER

    def clean(self, value: Any) -> Any:
        """The value as it is stored. Raises PolicyRefused."""
        return _CLEANERS[self.type](self, value)

    def refuse(self, code: str, message: str) -> PolicyRefused:
        return PolicyRefused(self.key, code, message)

    def json_schema(self) -> dict[str, Any]:
        """The values this toggle takes, as JSON Schema."""
        described: dict[Type, dict[str, Any]] = {
            Type.BOOL: {"type": "boolean"},
            Type.INT: {"type": "integer", "minimum": self.minimum, "maximum": self.maximum},
            Type.CHOICE: {"type": "string", "enum": list(self.choices)},
            Type.DOMAINS: {"type": "array", "maxItems": MAX_LIST, "items": _DOMAIN_SCHEMA},
            Type.NETWORKS: {"type": "array", "maxItems": MAX_LIST, "items": _NETWORK_SCHEMA},
            Type.USERNAMES_OR_OFF: {"type": ["array", "null"], "maxItems": MAX_LIST, "items": _USERNAME_SCHEMA},
            Type.PHRASES: {"type": "array", "maxItems": MAX_LIST, "items": _LINE_SCHEMA},
            Type.FOLDERS: {"type": "array", "maxItems": MAX_LIST, "items": _LINE_SCHEMA},
        }
        return {name: value for name, value in described[self.type].items() if value is not None}

    def merge(self, organization: Any, member: Any, *, may_modify: bool) -> Any:
        """The value in force. `None` for "nothing stored"; `may_modify`: whether the member's value counts."""
        base = self.default if organization is None else organization
        if member is None or not (may_modify and self.for_members):
            return base
        if self.kind is Merge.UNION:
            return sorted({*base, *member})
        if self.kind is Merge.CAP:
            return min(base, member)
        return member


def _bool(toggle: Toggle, value: Any) -> bool:
    if not isinstance(value, bool):
        raise toggle.refuse("not-a-bool", "Give true or false.")
    return value


def _int(toggle: Toggle, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of number: 300.0 is 300
    if isinstance(value, bool) or not isinstance(value, int):
        raise toggle.refuse("not-an-integer", "Give a whole number.")
    low, high = toggle.minimum, toggle.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        raise toggle.refuse("out-of-range", f"Give a whole number from {low} to {high}.")
    return value


def _choice(toggle: Toggle, value: Any) -> str:
    if not isinstance(value, str) or value not in toggle.choices:
        raise toggle.refuse("not-a-choice", f"Give one of: {', '.join(toggle.choices)}.")
    return value


def _texts(toggle: Toggle, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise toggle.refuse("not-a-list", "Give a list of texts.")
    if len(value) > MAX_LIST:
        raise toggle.refuse("too-long", f"Give at most {MAX_LIST} entries.")
    return value


def _domains(toggle: Toggle, value: Any) -> list[str]:
    try:
        return sorted({domains.normalise(item) for item in _texts(toggle, value)})
    except domains.DomainRefused as error:
        raise toggle.refuse("not-a-domain", str(error)) from None


def _networks(toggle: Toggle, value: Any) -> list[str]:
    """A single address is a network of one. Host bits are refused: 192.0.2.7/24 may be a slip for either."""
    return sorted({_network(toggle, item.strip()) for item in _texts(toggle, value)})


def _network(toggle: Toggle, text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise toggle.refuse("not-a-network", f"“{_short(text)}” is no network. {_advice(text)}") from None
    if network.prefixlen < WIDEST_NETWORK:
        raise toggle.refuse("not-a-network", f"{network} is more than any organization has.")
    return str(network)


def _advice(text: str) -> str:
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "Give networks such as 192.0.2.0/24 or 2001:db8::/48."
    return f"For all of it give {meant}, for the one address {text.partition('/')[0]}."


def _short(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:50]}…"


def _usernames_or_off(toggle: Toggle, value: Any) -> list[str] | None:
    if value is None:
        return None
    names = sorted({item.lower() for item in _texts(toggle, value)})
    for name in names:
        if len(name) > 255 or not _USERNAME.fullmatch(name):
            raise toggle.refuse("not-a-username", "Give Salesforce usernames, which look like an e-mail address.")
    return names


def _lines(toggle: Toggle, value: Any) -> list[str]:
    lines = sorted(set(_texts(toggle, value)))
    for line in lines:
        if len(line) > LONGEST_LINE or not _LINE.fullmatch(line):
            raise toggle.refuse("not-a-line", f"Give entries of one line, with at most {LONGEST_LINE} characters.")
    return lines


_CLEANERS: dict[Type, Callable[[Toggle, Any], Any]] = {
    Type.BOOL: _bool,
    Type.INT: _int,
    Type.CHOICE: _choice,
    Type.DOMAINS: _domains,
    Type.NETWORKS: _networks,
    Type.USERNAMES_OR_OFF: _usernames_or_off,
    Type.PHRASES: _lines,
    Type.FOLDERS: _lines,
}
