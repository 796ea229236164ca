"""Bodies from senders that are slow, stand still, or are as fast as they should be."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from config import pace
from config.pace import Body, Readers, TooSlow, paced

GRACE = 0.4
#: How much later than due a busy machine may come to it; what should not happen takes longer.
LATE = 1.5


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "GRACE", GRACE)


class Sender:
    """The two ends of a connection, on which nothing comes but what it `sends`: each after so many seconds."""

    def __init__(self) -> None:
        self.near, self._far = socket.socketpair()
        self.stream = self.near.makefile("rb")
        self.has_hung_up = threading.Event()

    def sends(self, *pieces: tuple[float, bytes]) -> None:
        def send() -> None:
            for seconds, piece in pieces:
                if self.has_hung_up.wait(seconds):
                    return
                self._far.sendall(piece)
            self._far.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()

    def end(self) -> None:
        self.has_hung_up.set()
        for each in (self._far, self.stream, self.near):
            each.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    made = Sender()
    yield made
    made.end()


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises(TooSlow):
        call()
    return time.monotonic() - began


@pytest.mark.parametrize("length", [300_000, None])
def test_what_comes_at_once_comes_whole(sender: Sender, length: int | None) -> None:
    content = bytes(range(250)) * 1_200
    sender.sends(*((0.0, content[at : at + 7_001]) for at in range(0, len(content), 7_001)))
    assert io.BufferedReader(Body(sender.stream, length), 64 * 1024).read() == content


def test_what_follows_the_body_is_left_alone(sender: Sender) -> None:
    sender.sends((0.0, b"first"), (5.0, b"the next request"))
    assert io.BufferedReader(Body(sender.stream, 5)).read() == b"first"


def test_a_byte_now_and_then_is_given_up_in_time(sender: Sender) -> None:
    sender.sends(*[(0.05, b"a")] * 100)
    body = Body(sender.stream, 100)
    assert GRACE <= seconds_of(body.readall) < GRACE + LATE


def test_who_stands_still_is_given_up_in_time(sender: Sender) -> None:
    assert GRACE <= seconds_of(Body(sender.stream, 100).readall) < GRACE + LATE


def test_a_slow_sender_is_let_go_once_as_much_again_has_come(sender: Sender) -> None:
    readers = Readers(1)
    sender.sends(*[(0.03, b"a")] * 200)
    with pytest.raises(TooSlow):
        Body(sender.stream, 200, readers).readall()
    assert readers.run(lambda: b"free again").result(2) == b"free again"


def test_what_is_large_may_take_longer_and_our_own_work_is_not_its_fault(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "RATE", 10_000)
    sender.sends(*[(0.1, b"a" * 2_000)] * 8)  # twice the rate, twice the grace
    body = Body(sender.stream, None)
    first = bytearray(1_000)
    assert body.readinto(first) == 1_000
    time.sleep(2 * GRACE)
    assert len(first + body.readall()) == 16_000


def test_while_too_many_stand_still_others_are_given_up_and_not_waited_for(sender: Sender) -> None:
    readers, blocked = Readers(1), threading.Event()
    readers.run(lambda: b"" * blocked.wait(10))
    sender.sends((0.0, b"quick"))
    assert seconds_of(Body(sender.stream, 5, readers).readall) < GRACE + LATE
    blocked.set()


def test_threads_are_used_again() -> None:
    readers = Readers(1)
    for n in range(50):
        assert readers.run(lambda n=n: bytes([n])).result(5) == bytes([n])  # type: ignore[misc]


def test_a_source_that_fails_is_heard_of() -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Body(Broken(), 5).readall()


def test_a_program_reads_bodies_through_it_and_is_left_alone_where_there_is_none() -> None:
    source = io.BytesIO(b"abcdef")
    reads = paced(lambda environ, _: environ["wsgi.input"].read())
    assert reads({"wsgi.input": source, "CONTENT_LENGTH": "3"}, None) == b"abc"
    assert reads({"wsgi.input": io.BytesIO(b"abc"), "HTTP_TRANSFER_ENCODING": "chunked"}, None) == b"abc"
    passes = paced(lambda environ, _: environ["wsgi.input"])
    for none in ({}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}):
        assert passes({"wsgi.input": source, **none}, None) is source


def refused(sender: Sender, **environ: str) -> float:
    """Seconds until a program that reads nothing of it has answered."""
    began = time.monotonic()
    paced(lambda *_: [b"no"])({"wsgi.input": sender.stream, **environ}, None)
    return time.monotonic() - began


@pytest.mark.parametrize("about", [{"CONTENT_LENGTH": "300000"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_what_a_program_leaves_is_read_before_its_answer_goes_out(sender: Sender, about: dict[str, str]) -> None:
    sender.sends(*[(0.01, b"a" * 30_000)] * 10)
    refused(sender, **about)
    assert sender.stream.read() == b""


def test_nobody_who_stands_still_or_goes_on_for_ever_holds_up_an_answer(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LINGER", 5.0)
    monkeypatch.setattr(pace, "IDLE", 0.4)
    assert 0.4 <= refused(sender, CONTENT_LENGTH="100") < 0.4 + LATE
    monkeypatch.setattr(pace, "RATE", 1)  # what has come earns no more time
    sender.sends((0.0, b"a" * 200_000), (10.0, b""))
    assert 0.4 <= refused(sender, CONTENT_LENGTH="100000000") < 0.4 + LATE
    monkeypatch.setattr(pace, "LINGER", 1.0)
    monkeypatch.setattr(pace, "IDLE", 10.0)
    assert 1.0 <= refused(sender, CONTENT_LENGTH="100000000") < 1.0 + LATE
    endless = {"wsgi.input": Endless(), "CONTENT_LENGTH": "1" + "0" * 20}
    began = time.monotonic()
    paced(lambda *_: [b"no"])(endless, None)
    assert 1.0 <= time.monotonic() - began < 1.0 + LATE


class Endless:
    def read(self, size: int) -> bytes:
        return b"a" * size


def test_few_linger_at_once(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds a thread that others want."""
    monkeypatch.setattr(pace, "_lingering", threading.BoundedSemaphore(1))
    monkeypatch.setattr(pace, "IDLE", 3.0)
    first = threading.Thread(target=lambda: refused(sender, CONTENT_LENGTH="100"))
    first.start()
    time.sleep(0.5)
    assert refused(sender, CONTENT_LENGTH="100") < LATE
    first.join()


def test_who_asked_first_whether_to_send_is_answered_at_once(sender: Sender) -> None:
    """RFC 9110, 10.1.1: he sends nothing before he is told to, so nothing is to be waited for."""
    assert refused(sender, CONTENT_LENGTH="100", HTTP_EXPECT="100-continue") < min(LATE, pace.IDLE)
