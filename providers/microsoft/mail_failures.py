"""What an answer of Microsoft Graph about mail that is no success means, in our closed set of failures. No I/O.

Sources: learn.microsoft.com/graph/errors, /graph/throttling, /graph/delta-query-overview#synchronization-reset (410, or
40x with `syncStateNotFound`), microsoftgraph/microsoft-graph-docs issues 2162 and 2350 (410 `SyncStateNotFound` as soon
as a few later tokens exist), alcionai/corso `error codes` (`SyncStateInvalid`, `ResyncRequired`,
`ErrorSyncFolderNotFound`). What Graph wrote may quote addresses: only its code goes on, as a `Detail`."""

from collections.abc import Mapping
from typing import Any

from providers.errors import (
    CursorExpired,
    Detail,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)

PROVIDER = "microsoft"
_SYNC_STATE = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired", "errorinvalidsyncstatedata"})
_NO_MAILBOX = frozenset(
    {"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi", "restapinotenabledforcomponentsharedmailbox"}
)
_GONE = frozenset({"erroritemnotfound", "errorinvalididmalformed", "errorinvalidid", "errorsyncfoldernotfound"})
#: Exchange's own words for trouble that passes, whatever the status (exchange/client-developer responsecode).
_PASSING = frozenset(
    {"errorserverbusy", "errormailboxmoveinprogress", "errormailboxstoreunavailable", "errortimeoutexpired"}
    | {"errorinternalservertransienterror"}
)
_THROTTLED = (429, 509)
#: 401 and 424: of one part of a batch, whose token ran out or whose turn did not come.
_PASSES = (401, 408, 409, 423, 424)
_MOST_SECONDS = 3600.0


def code_of(body: Any) -> str:
    """`error.code`; "" where the body says none."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


def failure(status: int, body: Any, headers: Mapping[str, str]) -> ProviderError:
    """`body`: the decoded answer, None where it is no JSON."""
    said = code_of(body)
    code = said.lower()
    if status in _THROTTLED:
        text = "Microsoft asks us to read this mailbox more slowly."
        return RateLimited(text, provider=PROVIDER, retry_after=_seconds(headers, 60.0))
    if status == 410 or code in _SYNC_STATE:
        return CursorExpired("Microsoft no longer knows this place in the mailbox's changes.", provider=PROVIDER)
    if code in _NO_MAILBOX:
        text = "This account has no mailbox that Microsoft lets apps read."
        return PermissionMissing(text, provider=PROVIDER, code="no_mailbox")
    if status >= 500 or status in _PASSES or code in _PASSING:
        text = "Microsoft cannot answer just now."
        return Transient(text, provider=PROVIDER, code="unavailable", retry_after=_seconds(headers, 5.0))
    if status == 404 or code in _GONE:
        return NotFound("Microsoft has no such message or folder.", provider=PROVIDER)
    if status == 403:
        text = "Microsoft does not let us read this mailbox."
        return PermissionMissing(text, provider=PROVIDER, code="denied", details=_details(said))
    return Rejected("Microsoft refused the request.", provider=PROVIDER, details=_details(said))


def nonsense() -> Transient:
    """An answer that is no success of the kind asked for."""
    return Transient("Microsoft's answer could not be read.", provider=PROVIDER, code="nonsense", retry_after=30.0)


def _details(code: str) -> tuple[Detail, ...]:
    return (Detail(code, ""),) if code else ()


def _seconds(headers: Mapping[str, str], otherwise: float) -> float:
    """Retry-After in seconds. Graph sends no dates there (`/graph/throttling`)."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return min(float(said), _MOST_SECONDS) if said.isascii() and said.isdecimal() else otherwise
