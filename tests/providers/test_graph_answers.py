"""Whatever Graph answers about mail: shapes or a known failure, nothing of it repeated in one."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import (
    CursorExpired,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from providers.mail import Heading
from providers.microsoft import mail_changes, mail_listing, mail_wire
from providers.microsoft.mail_failures import failure
from providers.microsoft.mail_headings import heading

CANARY = "canary7f3a"
NAMES = st.sampled_from(
    ["id", "conversationId", "parentFolderId", "receivedDateTime", "sentDateTime", "isDraft", "internetMessageId",
     "internetMessageHeaders", "subject", "from", "toRecipients", "ccRecipients", "singleValueExtendedProperties",
     "emailAddress", "address", "name", "value", "status", "body", "headers", "responses", "error", "code",
     "@odata.nextLink", "@odata.deltaLink"]
)  # fmt: skip
WORDS = st.sampled_from(
    [CANARY, "2026-11-19T08:12:41Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "Integer 0xe08",
     "9" * 5000, "From", "a\r\nb", "Zoë", "https://graph.microsoft.com/v1.0/me/x", "/O=EXCHANGELABS/OU=X/CN=Y",
     "SyncStateNotFound"]
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), WORDS)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
ENTRIES = st.dictionaries(NAMES, VALUES, max_size=8)


@given(ENTRIES)
def test_every_message_is_a_heading_or_nonsense(entry: dict[str, Any]) -> None:
    found = outcome(lambda: heading("one", entry))
    if isinstance(found, Transient):
        assert CANARY not in f"{found!r} {found.__cause__!r} {found.__context__!r}"
        return
    assert isinstance(found, Heading)
    assert found.received_at.tzinfo
    assert all(isinstance(each, str) for pair in found.headers for each in pair)


def outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except ProviderError as error:
        return error


@given(st.integers(100, 599), VALUES, st.dictionaries(st.just("Retry-After"), st.text("0123456789.-xe", max_size=400)))
def test_every_refusal_is_a_known_failure(status: int, body: Any, headers: dict[str, str]) -> None:
    found = failure(status, body, headers)
    assert isinstance(found, ProviderError)
    assert (found.provider, CANARY in str(found)) == ("microsoft", False)
    if isinstance(found, (RateLimited, Transient)):
        assert 0 <= found.retry_after <= 3600


def said(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": CANARY}}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (410, "", CursorExpired), (404, "SyncStateNotFound", CursorExpired), (400, "SyncStateInvalid", CursorExpired),
        (410, "resyncRequired", CursorExpired), (404, "ErrorItemNotFound", NotFound), (404, "", NotFound),
        (400, "ErrorInvalidIdMalformed", NotFound), (404, "ErrorSyncFolderNotFound", NotFound),
        (404, "MailboxNotEnabledForRESTAPI", PermissionMissing), (403, "ErrorAccessDenied", PermissionMissing),
        (401, "InvalidAuthenticationToken", Transient), (424, "", Transient), (423, "", Transient),
        (503, "", Transient),
        (404, "ErrorMailboxMoveInProgress", Transient), (400, "ErrorServerBusy", Transient), (429, "", RateLimited),
        (509, "", RateLimited), (400, "ErrorInvalidRequest", Rejected), (405, "", Rejected),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status: int, code: str, expected: type[ProviderError]) -> None:
    found = failure(status, said(code), {})
    assert type(found) is expected
    assert CANARY not in f"{found!r} {found.details}"


@given(ENTRIES, st.integers(1, 20))
def test_every_batch_is_parts_or_nonsense(body: dict[str, Any], number: int) -> None:
    found = outcome(lambda: mail_wire._parts(body, number))
    assert isinstance(found, Transient) or len(found) == number


@given(ENTRIES)
def test_a_page_leads_to_graph_or_nowhere(body: dict[str, Any]) -> None:
    found = outcome(lambda: mail_changes._next(body, None))
    assert isinstance(found, Transient) or found.link.startswith("/v1.0/")


@given(st.text() | WORDS)
def test_cursors_and_pages_of_somebody_elses_making(said: str) -> None:
    assert isinstance(outcome(lambda: mail_changes.Cursor.read(said)), CursorExpired)
    assert isinstance(outcome(lambda: mail_listing._place(said)), (Rejected, tuple))


def test_a_cursor_is_read_as_it_was_written() -> None:
    for link in (
        "/v1.0/me/mailfolders('AQMk_-=')/messages/delta?$deltatoken=abc_-",
        "/v1.0/me/mailFolders/AQMk/messages/delta()?$skiptoken=x",
        "/v1.0/users('3f')/mailFolders('AQ')/messages/delta?$deltatoken=x",
    ):
        for since in (None, 1_790_000_000):
            cursor = mail_changes.Cursor(link, since)
            assert mail_changes.Cursor.read(str(cursor)) == cursor
