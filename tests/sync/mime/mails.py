"""Makes messages for the tests here, byte by byte: well-made ones and others. Reads them, too."""

import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from sync.letters import Letter
from sync.mime import read

CORPORA = Path(__file__).resolve().parents[4] / "shared/corpora"
RECEIVED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HEAD = b"From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: hello\r\n"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
HTML = b"Content-Type: text/html; charset=utf-8\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=outer\r\n"


def letter(*content: bytes) -> Letter:
    """Of one message that is the sum of these."""
    return read([b"".join(content)], RECEIVED)


def headed(*headers: bytes) -> Letter:
    return letter(*(header + b"\r\n" for header in headers), b"\r\nhello")


def mixed(*parts: bytes) -> bytes:
    """Header and body of a multipart/mixed; each part with its own headers."""
    return MIXED + b"\r\n" + b"".join(b"--outer\r\n" + part + b"\r\n" for part in parts) + b"--outer--\r\n"


def html(content: str) -> Letter:
    return letter(HEAD, HTML, b"\r\n", content.encode())


def repeated(piece: bytes, times: int) -> Iterator[bytes]:
    return (piece for _ in range(times))


def chained(*pieces: bytes | Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from ([piece] if isinstance(piece, bytes) else piece)


@contextmanager
def cheaply(seconds: float = 2.0, mebibytes: int = 64) -> Iterator[None]:
    """Within the limits that the issue sets for one message. Memory: the most that this process ever held."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    yield
    assert time.process_time() - begun < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < mebibytes * 1024


#: What may be left in sanitised HTML.
ATTRIBUTES = {"href", "title", "rel", "colspan", "rowspan", "align", "valign", "dir", "lang"}
SCHEMES = ("https:", "http:", "mailto:", "tel:")


class Everything(HTMLParser):
    """The tags and attributes of some HTML, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.targets.extend(value or "" for name, value in attrs if name == "href")


def seen_in(markup: str) -> Everything:
    found = Everything()
    found.feed(markup)
    return found
