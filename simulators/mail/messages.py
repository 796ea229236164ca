"""A message as MIME, kept or made from a recipe, and its headers. Knows no provider."""

import base64
import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser, BytesParser
from email.policy import compat32
from functools import cached_property, lru_cache
from typing import Any

_FOLDS = re.compile(r"\r?\n[ \t]+")
_HEADERS = re.compile(rb"\r?\n\r?\n")
_MOST_HEADERS = 256 * 1024
#: Of a recipe's attachment; whole lines of base64.
_BLOCK = 57 * 4096


@dataclass(frozen=True)
class Content:
    """`kept`, or a recipe: a text and an attachment of `attachment` bytes drawn with `seed`, made anew at each reading
    so that a hundred of a hundred megabytes need no memory."""

    kept: bytes = b""
    attachment: int = 0
    seed: int = 0

    def raw(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same, a piece at a time."""
        if self.attachment:
            yield from _made(self.attachment, self.seed)
        else:
            yield self.kept

    @cached_property
    def size(self) -> int:
        return sum(map(len, self.pieces()))

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    @cached_property
    def beginning(self) -> str:
        """Two hundred characters of the first text."""
        for part in BytesParser(policy=compat32).parsebytes(self.kept).walk():
            found = part.get_payload(decode=True)
            if part.get_content_type() == "text/plain" and isinstance(found, bytes):
                return " ".join(found.decode("utf-8", "replace").split())[:200]
        return ""

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """(name, value) in their order: unfolded, encoded words as they are, octets beyond ASCII as UTF-8."""
        head = _HEADERS.split((_head(self.seed) if self.attachment else self.kept)[:_MOST_HEADERS], maxsplit=1)[0]
        found = BytesHeaderParser(policy=compat32).parsebytes(head + b"\r\n\r\n")
        return tuple((name, _text(value)) for name, value in found._headers)  # type: ignore[attr-defined]  # noqa: SLF001

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def content_of(body: dict[str, Any]) -> Content:
    """As `deliver` names it: {"raw": base64} or {"attachment": {"size", "seed"}}. Raises ValueError, KeyError."""
    if recipe := body.get("attachment"):
        return Content(attachment=int(recipe["size"]), seed=int(recipe.get("seed", 1)))
    return Content(base64.b64decode(body["raw"], validate=True))


def attachment(size: int, seed: int) -> bytes:
    """What the recipe's attachment holds, for a test that compares the other end: a block over and over."""
    return (_block(seed) * (size // _BLOCK + 1))[:size]


@lru_cache(8)
def _block(seed: int) -> bytes:
    return random.Random(seed).randbytes(_BLOCK)


def decoded(value: str) -> str:
    """Encoded words (RFC 2047) as text; as it is where they are broken."""
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError):
        return value


def _text(value: Any) -> str:
    octets = str(value).encode("ascii", "surrogateescape") if isinstance(value, str) else bytes(value)
    return _FOLDS.sub(" ", octets.decode("utf-8", "replace")).strip()


def _head(seed: int) -> bytes:
    return (
        "From: Jane Doe <jane.doe@northwind.example>\r\nTo: Alice Anderson <alice@acme.example>\r\n"
        f"Subject: Drawings, part {seed}\r\nDate: Thu, 19 Nov 2026 08:12:41 +0000\r\n"
        f"Message-ID: <drawings-{seed}@northwind.example>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="part-{seed}"\r\n\r\n'
    ).encode()


def _made(size: int, seed: int) -> Iterator[bytes]:
    yield (
        _head(seed)
        + (
            f"--part-{seed}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe drawings.\r\n--part-{seed}\r\n"
            f'Content-Type: application/octet-stream; name="drawings-{seed}.bin"\r\n'
            f'Content-Disposition: attachment; filename="drawings-{seed}.bin"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
        ).encode()
    )
    lines = _lines(_block(seed))
    for _ in range(size // _BLOCK):
        yield lines
    yield _lines(_block(seed)[: size % _BLOCK]) + f"--part-{seed}--\r\n".encode()


def _lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")
