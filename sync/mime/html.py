"""HTML of strangers made harmless: looked over first, then sanitised by nh3 in a process that may die (BI-E14).

That process is kept; each of ours has its own. Nothing of a message stays in it once the next one comes."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

from sync.mime.bounds import DEEPEST_HTML, HTML_MEBIBYTES, HTML_SECONDS, MOST_TAGS
from sync.mime.quotes import LEFT_OUT
from sync.mime.washing import HEADER

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})")
#: These close themselves, or close each other.
_NOT_NESTING = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option",
    "optgroup", "colgroup", "caption", "html", "head", "body", "rp", "rt", "o:p",
})  # fmt: skip
#: Messages after which the process is replaced, so that what nh3 and its memory do over weeks does not matter.
_MOST_SERVED = 2_000
#: The machine may be busy; the limit that counts is that of the processor's time.
_PATIENCE = 15.0


class HtmlRefused(Exception):
    """It is too deep, or was too costly. What is left of it is its bare text."""


class Cleaning:
    """The sanitising of one message's HTML, all parts of which share one allowance."""

    def __init__(self) -> None:
        self._seconds = HTML_SECONDS

    def clean(self, html: str) -> str:
        """Well-formed, with the tags of `washing.TAGS` alone. Raises HtmlRefused, from then on always."""
        short = within_tags(html)
        if self._seconds <= 0 or depth(short) > DEEPEST_HTML:
            raise HtmlRefused
        try:
            clean, used = _WASHER.wash(short, self._seconds)
        except OSError:
            self._seconds = 0.0
            raise HtmlRefused from None
        self._seconds -= used
        if depth(clean) > DEEPEST_HTML:
            raise HtmlRefused
        return clean


def within_tags(html: str) -> str:
    """Without the middle, where there are too many tags: what is new stands at the beginning or at the end."""
    starts = [match.start() for match in _TAG.finditer(html)]
    if len(starts) <= MOST_TAGS:
        return html
    tail = MOST_TAGS // 4
    return f"{html[: starts[MOST_TAGS - tail]]}<p>{LEFT_OUT}</p>{html[starts[-tail] :]}"


def depth(html: str) -> int:
    """How deep elements nest, about: in one pass, without a tree. Who hides tags from it meets the process's limits."""
    now = deepest = 0
    for match in _TAG.finditer(html):
        closing, name = match.groups()
        if name.lower() not in _NOT_NESTING:
            now = max(0, now - 1) if closing else now + 1
            deepest = max(deepest, now)
    return deepest


class _Washer:
    """Our end of the process. One message at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = self._served = 0

    def wash(self, html: str, seconds: float) -> tuple[str, float]:
        """(sanitised, seconds of processor). Raises OSError where the process did not live to tell."""
        content = html.encode("utf-8", "replace")
        with self._lock:
            ours = self._ready()
            try:
                ours.sendall(HEADER.pack(len(content), int(seconds * 1000) + 1) + content)
                length, used = HEADER.unpack(_exactly(ours, HEADER.size))
                return _exactly(ours, length).decode(), used / 1000
            except OSError:
                self.end()
                raise

    def end(self) -> None:
        """Of the process, if it is ours; one that a fork left us is our parent's."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None

    def _ready(self) -> socket.socket:
        if self._served >= _MOST_SERVED or self._owner != os.getpid():
            self.end()
        if self._socket is None:
            self._start()
        self._served += 1
        assert self._socket is not None  # noqa: S101 - started just now
        return self._socket

    def _start(self) -> None:
        """Without our environment, which holds keys. -I: nothing is imported but what is installed."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", str(Path(__file__).with_name("washing.py")), str(HTML_MEBIBYTES)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
            )
        ours.settimeout(_PATIENCE)
        self._socket, self._owner, self._served = ours, os.getpid(), 0


def _exactly(ours: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = ours.recv(min(length - len(found), 1 << 20))
        if not piece:
            raise ConnectionResetError
        found += piece
    return bytes(found)


_WASHER = _Washer()


def _after_fork() -> None:
    """A fork while another thread washes leaves the lock held."""
    global _WASHER
    _WASHER = _Washer()


os.register_at_fork(after_in_child=_after_fork)
