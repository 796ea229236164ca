"""One call of the Gmail API: who asks what with which rights. Parameters are checked as Google checks them."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from simulators.google.accounts import Account
from simulators.google.mail.box import Box
from simulators.google.mail.errors import GmailError, invalid, metadata_only
from simulators.google.mail.service import Mail
from simulators.oauth.families import Family

_API = "https://www.googleapis.com/auth/gmail."
FULL = "https://mail.google.com/"
MODIFY, READ, METADATA = f"{_API}modify", f"{_API}readonly", f"{_API}metadata"
LABELS, INSERT, SEND = f"{_API}labels", f"{_API}insert", f"{_API}send"
SETTINGS = f"{_API}settings.basic"
#: Of every method: cloud.google.com/apis/docs/system-parameters.
_SYSTEM = frozenset(
    {
        "$.xgafv",
        "access_token",
        "alt",
        "callback",
        "fields",
        "key",
        "oauth_token",
        "prettyPrint",
        "quotaUser",
        "uploadType",
        "upload_protocol",
    }
)


@dataclass
class Call:
    """`path`: the parts after users/<who>/; `client`: of the grant."""

    mail: Mail
    account: Account
    family: Family
    method: str
    path: list[str]
    query: dict[str, list[str]]
    content: bytes

    @property
    def box(self) -> Box:
        return self.mail.of(self.account)

    @property
    def client(self) -> str:
        return self.family.client_id

    def text(self, name: str) -> str:
        return self.query.get(name, [""])[-1]

    def texts(self, name: str) -> list[str]:
        return self.query.get(name, [])

    def flag(self, name: str) -> bool:
        value = self.text(name) or "false"
        if value not in ("true", "false", "True", "False"):
            raise invalid(f"Invalid value at '{name}' (TYPE_BOOL), \"{value}\"")
        return value.lower() == "true"

    def one_of(self, name: str, known: tuple[str, ...], default: str) -> str:
        value = self.text(name).lower() or default
        if value not in known:
            raise invalid(f"Invalid value at '{name}' (type.googleapis.com/{name}), \"{value}\"")
        return value

    def check_parameters(self, known: frozenset[str]) -> None:
        if unknown := set(self.query) - known - _SYSTEM:
            name = min(unknown)
            raise invalid(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )

    def body(self) -> dict[str, Any]:
        try:
            found = json.loads(self.content or b"{}")
        except ValueError:
            raise GmailError(400, "badRequest", "Parse Error") from None
        if not isinstance(found, dict):
            raise invalid("Invalid JSON payload received. Root element must be a message.")
        return found

    def check_content_allowed(self, what: str) -> None:
        """With the metadata scope alone there is no content, and no search for it."""
        if not {FULL, MODIFY, READ} & set(self.family.scopes):
            raise metadata_only(what)


def query_of(text: str) -> dict[str, list[str]]:
    return parse_qs(text, keep_blank_values=True)
