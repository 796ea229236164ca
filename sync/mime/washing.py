"""A process of its own that sanitises HTML, so that what makes it run away or die takes nothing else with it.

Started as a script, by `sync.mime.html`: knows nothing of ours, opens no file, gets no secret; ends with its parent.
Asked over a socket (its standard input): 8 bytes of length, 4 of milliseconds, UTF-8; answers with length, milliseconds
of processor used, UTF-8."""

import os
import re
import resource
import signal
import socket
import struct
import sys
from pathlib import Path

import nh3

HEADER = struct.Struct("!QI")
#: What Salesforce shows of a mail. No images (they tell the sender who reads), no style, nothing that loads or runs.
TAGS = {
    "a", "abbr", "b", "blockquote", "br", "center", "cite", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "small", "span", "strike",
    "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul",
}  # fmt: skip
_CELL = {"colspan", "rowspan", "align", "valign"}
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    clean_content_tags={"script", "style", "title", "noscript", "template", "textarea", "select", "iframe", "object"},
    attributes={"a": {"href", "title"}, "td": _CELL, "th": _CELL, "*": {"dir", "lang"}},
    url_schemes={"http", "https", "mailto", "tel"},
    url_relative="deny",
    link_rel="noopener noreferrer",
)
#: nh3 leaves "<" and ">" in values as they are, as HTML allows; whoever looks for tags, as we do, would find some.
_WITH_ATTRIBUTES = re.compile(r'<[a-z][a-z0-9]*(?: [a-z-]+="[^"]*")+>')


def main(mebibytes: int) -> None:
    """Serves until the other end is closed."""
    _confine(mebibytes)
    with socket.socket(fileno=os.dup(0)) as asked:
        while header := _exactly(asked, HEADER.size):
            length, milliseconds = HEADER.unpack(header)
            html = _exactly(asked, length).decode()
            clean, used = _washed(html, milliseconds / 1000)
            asked.sendall(HEADER.pack(len(clean), used) + clean)


def _washed(html: str, seconds: float) -> tuple[bytes, int]:
    """SIGPROF, which nothing here catches, ends the process after so many seconds of its processor."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    clean = _WITH_ATTRIBUTES.sub(_escaped, _CLEANER.clean(html))
    left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    return clean.encode(), max(0, int((seconds - left) * 1000))


def _escaped(tag: re.Match[str]) -> str:
    return "<" + tag.group()[1:-1].replace("<", "&lt;").replace(">", "&gt;") + ">"


def _confine(mebibytes: int) -> None:
    """No core, no file, and so much memory more than now."""
    _CLEANER.clean("<p>")
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    held = Path("/proc/self/statm")
    if held.exists():  # where it does not, the system has no such limit either
        limits[resource.RLIMIT_AS] = int(held.read_text().split()[0]) * resource.getpagesize() + mebibytes * 1024 * 1024
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _exactly(asked: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = asked.recv(min(length - len(found), 1 << 20))
        if not piece:
            sys.exit(0)
        found += piece
    return bytes(found)


if __name__ == "__main__":
    main(int(sys.argv[1]))
