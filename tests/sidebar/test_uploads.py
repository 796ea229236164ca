"""A body read as it comes: its length, its digest, its end; and an input without end in little memory."""

import base64
import contextlib
import hashlib
import io
import time
import tracemalloc
from typing import Any

import pytest

from sidebar import uploads
from sidebar.refusals import BodyCut, LengthRequired, MailTooLarge, TooSlow
from sidebar.uploads import HELD, HELD_TOGETHER, Held, Upload

BODY = bytes(range(256)) * 1_000
MOST = 1_000_000


class Endless:
    """A sender who never stops."""

    taken = 0

    def read(self, length: int) -> bytes:
        self.taken += length
        return bytes(length)


def meta(headers: dict[str, str], body: bytes = BODY) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body), **headers}


def digest_of(body: bytes) -> str:
    return f"sha-512=:AAAA:, sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("headers", [{"CONTENT_LENGTH": str(len(BODY))}, {"HTTP_CONTENT_DIGEST": digest_of(BODY)}])
def test_a_whole_body_comes_as_it_is(headers: dict[str, str]) -> None:
    upload = Upload(meta(headers), MOST)
    pieces = list(upload)
    assert b"".join(pieces) == BODY
    assert max(map(len, pieces)) <= uploads.PIECE
    assert upload.finish() == hashlib.sha256(BODY).digest()


def test_what_nobody_wanted_is_read_to_its_end() -> None:
    upload = Upload(meta({"CONTENT_LENGTH": str(len(BODY))}), MOST)
    next(iter(upload))
    assert upload.finish() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize(
    "headers", [{"CONTENT_LENGTH": str(len(BODY) + 1)}, {"HTTP_CONTENT_DIGEST": digest_of(BODY + b"x")}]
)
def test_a_body_that_broke_off_is_none(headers: dict[str, str]) -> None:
    upload = Upload(meta(headers), MOST)
    with pytest.raises(BodyCut):
        upload.finish()


def test_nothing_behind_the_announced_length_is_read() -> None:
    """Of a connection that goes on, the next request begins there."""
    given = meta({"CONTENT_LENGTH": str(len(BODY))}, BODY + b"GET / HTTP/1.1")
    assert Upload(given, MOST).finish() == hashlib.sha256(BODY).digest()
    assert given["wsgi.input"].read() == b"GET / HTTP/1.1"


@pytest.mark.parametrize("headers", [{}, {"CONTENT_LENGTH": ""}, {"HTTP_CONTENT_DIGEST": "sha-512=:AAAA:"}])
def test_an_end_that_cannot_be_known_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(LengthRequired):
        Upload(meta(headers), MOST)


def test_one_byte_too_many_is_refused_unread_where_it_is_announced() -> None:
    given = meta({"CONTENT_LENGTH": str(MOST + 1)})
    with pytest.raises(MailTooLarge):
        Upload(given, MOST)
    assert given["wsgi.input"].tell() == 0


def test_a_sender_without_end_is_stopped_at_the_limit_and_costs_no_memory() -> None:
    endless = Endless()
    upload = Upload({"wsgi.input": endless, "HTTP_CONTENT_DIGEST": digest_of(b"")}, 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(MailTooLarge):
            upload.finish()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert endless.taken <= 50_000_000 + uploads.PIECE


def test_whoever_takes_too_long_is_stopped() -> None:
    upload = Upload(meta({"CONTENT_LENGTH": str(len(BODY))}), MOST)
    next(iter(upload))
    upload._until = time.monotonic() - 1
    with pytest.raises(TooSlow):
        upload.finish()


def test_what_is_held_can_be_read_again_until_its_block_ends() -> None:
    upload = Upload(meta({"CONTENT_LENGTH": str(len(BODY))}), MOST)
    with Held(upload, is_wanted=True) as held:
        next(iter(held))
        held.finish()
        assert b"".join(held.whole) == BODY
        assert upload.finish() == hashlib.sha256(BODY).digest()
    assert (held.whole, uploads.room.taken) == ((), 0)


@pytest.mark.parametrize(("length", "is_wanted"), [(HELD + 1, True), (10, False)])
def test_too_much_or_what_nobody_wants_is_passed_on_and_not_held(length: int, *, is_wanted: bool) -> None:
    pieces = [bytes(at) for at in (length - 5, 5)]
    with Held(pieces, is_wanted=is_wanted) as held:
        assert list(held) == pieces
        assert (held.whole, uploads.room.taken) == ((), 0)


def test_there_is_one_measure_for_all_that_a_process_holds() -> None:
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(Held([bytes(HELD)], is_wanted=True)) for _ in range(4)]
        for each in several:
            each.finish()
        assert [bool(each.whole) for each in several] == [True, True, False, False]
        assert uploads.room.taken == HELD_TOGETHER
    assert uploads.room.taken == 0


def test_a_body_that_breaks_off_lets_go() -> None:
    with pytest.raises(BodyCut), Held(Upload(meta({"CONTENT_LENGTH": "300000"}), MOST), is_wanted=True) as held:
        held.finish()
    assert uploads.room.taken == 0
