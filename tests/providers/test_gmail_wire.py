"""Gmail's answers, cut and bent: a message inside JSON, parts of a batch, pages of history. No network."""

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import ProviderError, Rejected, Transient
from providers.google import mail_batch, mail_shapes
from providers.google.failures import failure_of
from providers.google.mail_raw import RawMessage, longest
from providers.streaming import Streamed


def read(text: bytes, size: int = 64 * 1024, most: int = 10**6) -> bytes:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return b"".join(RawMessage(cast("Streamed", pieces), most))


def told(raw: bytes, **around: Any) -> dict[str, Any]:
    return {**around, "raw": base64.urlsafe_b64encode(raw).decode()}


RAW = b'Subject: "x"\r\n\r\n' + bytes(range(256)) * 3


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 11, 64])
def test_a_message_is_read_wherever_the_pieces_end(size: int) -> None:
    for raw in (RAW, b"", b"a", b"ab", b"abc", b"abcd"):
        text = json.dumps(told(raw, id="18c", snippet='{"raw": "bm8="} \\ "'), indent=1).encode()
        assert read(text, size) == raw


@pytest.mark.parametrize(
    "around",
    [
        {"payload": {"raw": "bm8=", "headers": [{"name": "raw", "value": "bm8="}]}},
        {"raws": "bm8=", "ra": "bm8=", "labelIds": ["raw", "bm8="]},
        {"x": [[{"y": '\\"raw\\": "'}]], "z": None, "n": 1.5e3, "b": True},
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_only_the_outermost_member_counts(around: dict[str, Any], order: int) -> None:
    body = told(RAW, **around)
    ordered = dict(list(body.items())[::order])
    assert read(json.dumps(ordered).encode(), 5) == RAW


def test_a_server_may_escape_and_may_leave_out_the_padding() -> None:
    for raw in (b"a", b"ab", b"abc", b"\xff\xfe\xfd" * 9):
        encoded = base64.urlsafe_b64encode(raw).decode()
        spelled = [encoded.replace("=", "\\u003d"), encoded.rstrip("="), encoded.replace("_", "\\/").replace("-", "+")]
        for each in spelled:
            for size in (1, 3, 1000):
                assert read(f'{{"raw":"{each}"}}'.encode(), size) == raw


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b"null", b'"raw"', b'["raw", "YWJj"]', b'{"raw": null}', b'{"raw": ["YWJj"]}', b"<html>",
        b'{"raw": "YWJj"', b'{"raw": "YWJj', b'{"raw": "YW!j"}', b'{"raw": "YWJjY"}', b'{"raw": "YW==YWJj"}',
        b'{"raw": "YWJ\\u00e9"}', b'{"raw": "YWJ\\x"}', b'{"raw": "YWJj"}}', b'{"raw": "YWJj"}{"raw": "YWJj"}',
        b'{"id": {"raw": "YWJj"}}', b'}{"raw": "YWJj"}', b'{"raw": "Y\xff=="}',
    ],
)  # fmt: skip
def test_nonsense_is_never_a_message(text: bytes) -> None:
    for size in (1, 4096):
        with pytest.raises(Transient):
            read(text, size)


@given(st.binary(max_size=400), st.integers(1, 50), st.integers(0, 600))
def test_a_cut_answer_is_never_whole(raw: bytes, size: int, cut: int) -> None:
    text = json.dumps(told(raw, id="1", z=[1, {"a": "}"}])).encode()
    if cut < len(text):
        with pytest.raises(Transient):
            read(text[:cut], size)
    assert read(text, size) == raw


@given(st.binary(max_size=300), st.integers(1, 20))
def test_any_octets_end_in_a_message_or_a_refusal(text: bytes, size: int) -> None:
    with contextlib.suppress(ProviderError):
        read(text, size)


def test_the_bound_is_of_the_message_and_not_of_what_carries_it() -> None:
    text = json.dumps(told(b"x" * 1000)).encode()
    assert len(text) < longest(1000)
    assert read(text, most=1000) == b"x" * 1000
    with pytest.raises(Rejected) as caught:
        read(text, most=999)
    assert caught.value.code == "too_long"


# -- batches --------------------------------------------------------------------------------------------------------


def answered(*parts: tuple[str, str, str]) -> tuple[bytes, dict[str, str]]:
    """(Content-ID, status line, body) of each."""
    told = "".join(
        f"--b\r\nContent-Type: application/http\r\nContent-ID: {key}\r\n\r\nHTTP/1.1 {status}\r\n"
        f"Content-Type: application/json\r\n\r\n{body}\r\n"
        for key, status, body in parts
    )
    return f"{told}--b--\r\n".encode(), {"Content-Type": 'multipart/mixed; boundary="b"'}


def test_parts_come_in_any_order() -> None:
    content, headers = answered(("<response-1>", "404 Not Found", "{}"), ("<response-0>", "200 OK", '{"a": "é"}'))
    found = mail_batch.parts_of(content, headers, 2)
    assert [(part.status, part.body) for part in found] == [(200, {"a": "é"}), (404, {})]


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (("<response-0>", "200 OK", "{}"),),
        (("<response-0>", "200 OK", "{}"), ("<response-2>", "200 OK", "{}")),
        (("<response-0>", "200 OK", "{}"), ("<other-1>", "200 OK", "{}")),
        (("<response-0>", "200 OK", "{}"), ("<response-1>", "OK", "{}")),
    ],
)
def test_a_batch_that_answers_less_is_none(parts: tuple[tuple[str, str, str], ...]) -> None:
    content, headers = answered(*parts)
    with pytest.raises(Transient):
        mail_batch.parts_of(content, headers, 2)


@given(st.binary(max_size=300), st.text(max_size=60))
def test_any_batch_ends_in_parts_or_a_refusal(content: bytes, kind: str) -> None:
    for each in (kind.encode("latin-1", "replace").decode("latin-1"), "multipart/mixed; boundary=b"):
        with contextlib.suppress(ProviderError):
            mail_batch.parts_of(b"--b\r\n" + content, {"Content-Type": each}, 1)


# -- shapes ---------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "history", "historyId", "messages", "labels", "name", "payload", "headers", "labelIds",
                         "messagesAdded", "labelsAdded", "message", "internalDate", "threadId", "expiration", "error",
                         "errors", "reason", "details", "status", "value", "sendAs", "sendAsEmail"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_ends_in_a_shape_or_a_refusal(body: Any) -> None:
    shapes = (mail_shapes.folders, mail_shapes.history, mail_shapes.listed, mail_shapes.heading, mail_shapes.current,
              mail_shapes.addresses, lambda body: mail_shapes.subscription("t", body))  # fmt: skip
    for shape in shapes:
        with contextlib.suppress(ProviderError):
            shape(body)
    assert isinstance(failure_of(403, body, {}), ProviderError)


def history(*records: dict[str, Any], now: str = "900") -> mail_shapes.History:
    return mail_shapes.history({"historyId": now, "history": [{"id": str(n + 1), **r} for n, r in enumerate(records)]})


def change(key: str, *labels: str) -> list[dict[str, Any]]:
    return [{"message": {"id": key, "labelIds": list(labels)}}]


def test_a_page_tells_the_last_word_on_each_message() -> None:
    page = history(
        {"messagesAdded": change("a", "INBOX", "UNREAD", "CATEGORY_PERSONAL")},
        {"labelsAdded": [{**change("a", "Label_1")[0], "labelIds": ["Label_1"]}]},
        {"messagesAdded": change("b", "SENT"), "messagesDeleted": change("c")},
        {"labelsRemoved": [{**change("b", "SENT")[0], "labelIds": ["UNREAD"]}]},
        {"messagesAdded": change("c", "INBOX")},
        {"messagesAdded": change("chat", "CHAT")},
    )
    assert [(each.message_id, each.is_gone, each.folders) for each in page.changes] == [
        ("a", False, ("Label_1",)),
        ("b", False, ("SENT",)),
        ("c", True, ()),
    ]
    assert (page.last, page.now, page.token) == (6, 900, "")


def entries() -> Iterator[tuple[dict[str, str], str, float]]:
    date = {"Date": "Sun, 22 Nov 2026 14:00:00 GMT"}
    yield date, "User-rate limit exceeded.  Retry after 2026-11-22T14:00:41.500Z", 41.0
    yield date, "User-rate limit exceeded.  Retry after 2026-11-22T13:00:00.000Z", 1.0
    yield date, "User-rate limit exceeded.  Retry after 2036-11-22T13:00:00.000Z", 3600.0
    yield date, "User-rate limit exceeded.  Retry after 2026-99-99T13:00:00.000Z", 30.0
    yield {**date, "Retry-After": "17"}, "", 17.0
    yield {**date, "Retry-After": "soon"}, "", 30.0
    yield {}, "Quota exceeded", 30.0


@pytest.mark.parametrize(("headers", "said", "seconds"), list(entries()))
def test_how_long_to_wait_stands_in_a_sentence(headers: dict[str, str], said: str, seconds: float) -> None:
    error = {"code": 403, "message": said, "errors": [{"reason": "userRateLimitExceeded", "message": said}]}
    failure = failure_of(403, {"error": error}, headers)
    assert getattr(failure, "retry_after", None) == seconds
    assert said == "" or said not in str(failure)
