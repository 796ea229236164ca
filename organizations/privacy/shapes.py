"""The shapes in which a secret may lie somewhere unseen. Knows nothing of the product."""

import base64
from collections.abc import Iterator
from urllib.parse import quote


def shapes_of(secret: str | bytes) -> list[bytes]:
    return list(forms_of(secret))


def forms_of(secret: str | bytes) -> dict[bytes, str]:
    """Shape -> what it is called: as it is, in capitals, hex, UTF-16, URL form, and base64 at each of the three
    alignments, once and twice, as an attachment is in an answer of Gmail; a key of bytes also as Python writes it into
    a traceback."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    found: dict[bytes, str] = {raw: "as it is"}
    for shape, name in [*_written(secret), *_in_hex(raw), *_in_base64(raw)]:
        found.setdefault(shape, name)
    return found


def _written(secret: str | bytes) -> Iterator[tuple[bytes, str]]:
    if isinstance(secret, bytes):
        yield repr(secret)[2:-1].encode(), "as Python writes it"
        return
    yield secret.upper().encode(), "in capitals"
    for encoding in ("utf-16-le", "utf-16-be"):
        yield secret.encode(encoding), "in UTF-16"
    yield quote(secret, safe="").encode(), "in URL form"
    for pattern in ("%%%02x", "%%%02X"):
        yield "".join(pattern % byte for byte in secret.encode()).encode(), "in URL form"


def _in_hex(raw: bytes) -> Iterator[tuple[bytes, str]]:
    yield raw.hex().encode(), "in hex"
    yield raw.hex().upper().encode(), "in hex"


def _in_base64(raw: bytes) -> Iterator[tuple[bytes, str]]:
    for once in _aligned(raw):
        yield once, "in base64"
        for twice in _aligned(once):
            yield twice, "in base64, twice"


def _aligned(raw: bytes) -> list[bytes]:
    """In both alphabets, as far as what stands beside it decides nothing: a character is six bits."""
    shifted = [(b"x" * shift + raw, (8 * shift + 5) // 6, 8 * (shift + len(raw)) // 6) for shift in range(3)]
    alphabets = (base64.b64encode, base64.urlsafe_b64encode)
    return list(dict.fromkeys(encode(each)[start:end] for each, start, end in shifted for encode in alphabets))
