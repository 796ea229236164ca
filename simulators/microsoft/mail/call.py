"""One request for mail, already authorised: on its own or within a batch. Knows no answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from simulators.microsoft.accounts import Account
from simulators.microsoft.mail.box import Box, Folder, Message
from simulators.microsoft.mail.failures import denied, malformed_id, not_found

if TYPE_CHECKING:
    from simulators.microsoft.provider import Microsoft

_KEY = re.compile(r"\('([^']*)'\)")
_PAGE = re.compile(r"odata\.maxpagesize=(\d{1,4})")
_ID = re.compile(r"[A-Za-z0-9_=-]+")
_READING = frozenset({"Mail.Read", "Mail.ReadWrite"})


@dataclass
class Call:
    """`path`: below /v1.0, decoded. `client_id`, `scopes`: of the grant."""

    microsoft: "Microsoft"
    account: Account
    client_id: str
    scopes: frozenset[str]
    method: str
    path: str
    query: Mapping[str, str]
    prefer: str = ""
    body: Any = field(default=None, repr=False)

    def within(self, method: str, url: str, prefer: str, body: Any) -> "Call":
        """A request of a batch; `url` is relative to /v1.0."""
        path, _, query = url.partition("?")
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        who = (self.microsoft, self.account, self.client_id, self.scopes)
        return Call(*who, method, "/" + unquote(path).lstrip("/"), pairs, prefer, body)

    @property
    def segments(self) -> list[str]:
        """`mailFolders('x')` is `mailFolders/x`; `delta()` is `delta`."""
        path = _KEY.sub(r"/\1", self.path).replace("()", "").replace("microsoft.graph.delta", "delta")
        return path.strip("/").split("/")

    @property
    def box(self) -> Box:
        return self.microsoft.boxes.of(self.account)

    @property
    def is_immutable(self) -> bool:
        return 'idtype="immutableid"' in self.prefer.lower()

    def page_size(self, otherwise: int) -> int:
        """`Prefer: odata.maxpagesize`, up to 1,000."""
        found = _PAGE.search(self.prefer)
        return max(1, min(int(found[1]), 1000)) if found else otherwise

    def check_reading(self, content: bool = False) -> None:
        """`Mail.ReadBasic` sees neither content nor extended properties. Raises Refusal."""
        if not (self.scopes & _READING or ("Mail.ReadBasic" in self.scopes and not content)):
            raise denied()

    def folder(self, name: str) -> Folder:
        if (found := self.box.folder_on_the_wire(name)) is None:
            raise not_found() if _ID.fullmatch(name) and len(name) > 60 else malformed_id()
        return found

    def message(self, name: str) -> Message:
        """Raises Refusal: 400 where it is no id, 404 where there is none such here."""
        if not _ID.fullmatch(name):
            raise malformed_id()
        try:
            return self.box.message(name)
        except KeyError:
            raise not_found() from None

    def name_of(self, message: Message) -> str:
        return message.id if self.is_immutable else message.regular_id
