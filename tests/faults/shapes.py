"""The shapes in which a secret may lie somewhere unseen. Knows nothing of the product."""

import base64
from urllib.parse import quote


def shapes_of(secret: str) -> list[bytes]:
    """As it is, in hex, UTF-16, URL form, and base64 at each of the three alignments."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, raw.hex().encode(), secret.encode("utf-16-le"), quote(secret, safe="").encode(), *shifted]
