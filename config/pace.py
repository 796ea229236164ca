"""Bodies that come too slowly: whoever reads one gives up after ten seconds, and so many more as its length deserves
(BI-C12). Outside Django, and outside whatever else wraps it; looks at no path and no content.

Our server has no such limit and none to come (granian issue 728), and nothing ends a read that waits. So another thread
reads. It lets go of the sender, whose connection is then closed, once as much again has come as was there.
The rule is that of Apache's mod_reqtimeout: `body=10,MinRate=...`.

What the program left unread is read and thrown away before the answer goes out. Otherwise our server closes the
connection on somebody who still sends, and who sent too much learns of a broken pipe in place of why (RFC 9112, 9.6).
"""

import io
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

#: Seconds of waiting for any body, and bytes that earn one more.
GRACE = 10.0
RATE = 64 * 1024
PIECE = 64 * 1024
#: Whose answer is there may go on sending for so many seconds, and stand still for so many of them: shorter than nginx'
#: `lingering_time` and `lingering_timeout`, as a thread of ours waits. So many at once; others' connections are closed.
LINGER, IDLE = 10.0, 2.0
MOST_LINGERING = 16
#: Threads of one process. While as many senders stand still, others' bodies are given up as well.
MOST = 512


class TooSlow(OSError):
    """The body was given up."""


class Source(Protocol):
    def read(self, size: int) -> bytes: ...


class Readers:
    """Threads that wait for others, made as they are needed. Daemons: no sender holds up the end of the process."""

    def __init__(self, most: int) -> None:
        self._left, self._idle = most, 0
        self._calls: deque[tuple[Callable[[], bytes], Future[bytes]]] = deque()
        self._changed = threading.Condition()

    def run(self, call: Callable[[], bytes]) -> Future[bytes]:
        done: Future[bytes] = Future()
        with self._changed:
            self._calls.append((call, done))
            if len(self._calls) > self._idle and self._left:
                self._left -= 1
                threading.Thread(target=self._work, name="body", daemon=True).start()
            else:
                self._changed.notify()
        return done

    def _work(self) -> None:
        while True:
            call, done = self._next()
            try:
                done.set_result(call())
            except BaseException as error:  # noqa: BLE001  it is whose who waits for it
                done.set_exception(error)
            del call, done  # what was read shall not live until somebody else comes

    def _next(self) -> tuple[Callable[[], bytes], Future[bytes]]:
        """One that was woken up counts as idle until it runs: so calls are counted against it."""
        with self._changed:
            while not self._calls:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return self._calls.popleft()


_readers = Readers(MOST)
_lingering = threading.BoundedSemaphore(MOST_LINGERING)


class Body(io.RawIOBase):
    """A request's body. `length`: bytes that are announced, or None. Only the time that a reader waits counts.
    `is_begun`: whether anybody asked for some of it.

    Reading raises TooSlow."""

    def __init__(self, source: Source, length: int | None, readers: Readers = _readers) -> None:
        self._source, self._length, self._readers = source, length, readers
        self.is_begun = False
        self._until = math.inf  # by time.monotonic(), however much comes
        self._patience, self._step, self._is_given_up = GRACE, 1, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.is_begun = True
        data = self._in_time(partial(self._fetched, len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def drain(self) -> None:
        """Reads the rest, as far as it comes in time and few others linger. Nothing is raised."""
        if self._is_given_up or self._length == 0 or not _lingering.acquire(blocking=False):
            return
        self._until, buffer = time.monotonic() + LINGER, bytearray(PIECE)
        try:
            with suppress(OSError, ValueError):
                self._patience = IDLE
                while self.readinto(buffer):
                    self._patience = IDLE
        finally:
            _lingering.release()

    def _in_time(self, call: Callable[[], bytes]) -> bytes:
        begun, done = time.monotonic(), self._readers.run(call)
        while (left := min(begun + self._patience, self._until) - time.monotonic()) > 0:
            try:
                data = done.result(left)
            except TimeoutError:  # unless more has come meanwhile
                continue
            self._patience -= time.monotonic() - begun
            return data
        self._is_given_up = True
        raise TooSlow

    def _fetched(self, most: int) -> bytes:
        """In another thread, in steps that double: a slow sender is not waited for much longer than he is worth."""
        room = most if self._length is None else min(most, self._length)
        parts: list[bytes] = []
        while room and not self._is_given_up and (piece := self._source.read(min(self._step, room))):
            parts.append(piece)
            room -= len(piece)
            self._step = min(self._step * 2, PIECE)
            self._patience += len(piece) / RATE
        data = b"".join(parts)
        self._length = None if self._length is None else self._length - len(data)
        return data


Application = Callable[[dict[str, Any], Any], Any]


def paced(application: Application) -> Application:
    """The same WSGI program, whose bodies raise TooSlow where they come too slowly."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        length = environ.get("CONTENT_LENGTH") or ""
        if length not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
            body = Body(environ["wsgi.input"], int(length) if length.isdecimal() else None)
            environ["wsgi.input"] = io.BufferedReader(body, PIECE)
            answered = application(environ, start_response)
            if body.is_begun or "HTTP_EXPECT" not in environ:  # who asked first, and was never told to go on, waits
                body.drain()
            return answered
        return application(environ, start_response)

    return answer
