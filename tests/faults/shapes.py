"""The shapes in which a secret may lie somewhere unseen. Knows nothing of the product."""

import base64
from urllib.parse import quote


def shapes_of(secret: str | bytes) -> list[bytes]:
    """As it is, in hex, UTF-16, URL form, and base64 at each of the three alignments; a key of bytes also as Python
    writes it into a traceback."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    written = [repr(raw)[2:-1].encode()] if isinstance(secret, bytes) else _written(secret)
    return list(dict.fromkeys([raw, raw.hex().encode(), *written, *_in_base64(raw)]))


def _written(secret: str) -> list[bytes]:
    return [secret.encode("utf-16-le"), quote(secret, safe="").encode()]


def _in_base64(raw: bytes) -> list[bytes]:
    """In both alphabets, as far as what stands beside it decides nothing: a character is six bits."""
    shifted = [(b"x" * shift + raw, (8 * shift + 5) // 6, 8 * (shift + len(raw)) // 6) for shift in range(3)]
    alphabets = (base64.b64encode, base64.urlsafe_b64encode)
    return [encode(each)[start:end] for each, start, end in shifted for encode in alphabets]
