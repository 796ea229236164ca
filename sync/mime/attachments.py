"""Which parts of a message are attachments, and what is told of them. Counts their bytes; holds and decodes none."""

from collections.abc import Iterator

from sync.letters import AttachmentPart
from sync.mime.content import disposition
from sync.mime.fields import Fields
from sync.mime.names import safe_name
from sync.mime.transfer import BASE64_STRAY, UUENCODE
from sync.mime.walk import Part

_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})


def is_text(part: Part) -> bool:
    """Of the message, to be read: plain or HTML, and not a file with a name."""
    if part.content.main != "text" or part.content.subtype not in {"plain", "html"}:
        return False
    kind, _ = disposition(part.fields.first("content-disposition"))
    return kind != "attachment" and not _given_name(part)


class Attachments:
    def __init__(self) -> None:
        self.found: list[AttachmentPart] = []

    def add(self, part: Part) -> None:
        """Passes the part. A signature over the message is none, nor is its text as AMP or enriched text."""
        media_type = part.content.name
        size = _size(part.body, part.fields)
        if media_type in _SIGNATURES or _is_another_version(part):
            return
        kind, parameters = disposition(part.fields.first("content-disposition"))
        content_id = _content_id(part.fields)
        is_inline = bool(content_id) and kind != "attachment"
        name = safe_name(_name_in(parameters, part), media_type)
        self.found.append(AttachmentPart(part.path, name, media_type, size, is_inline, content_id))


def _given_name(part: Part) -> str:
    return _name_in(disposition(part.fields.first("content-disposition"))[1], part)


def _name_in(parameters: dict[str, str], part: Part) -> str:
    """RFC 2183's `filename`; `name` of Content-Type is older."""
    return parameters.get("filename") or part.content.parameters.get("name", "")


def _is_another_version(part: Part) -> bool:
    """Of the text, in a type that is not read. An invitation is more than that."""
    is_beside = bool(part.containers) and part.containers[-1].subtype == "alternative"
    return is_beside and part.content.main == "text" and part.content.subtype != "calendar" and not _given_name(part)


def _content_id(fields: Fields) -> str:
    return fields.first("content-id")[:500].decode("ascii", "replace").strip().removeprefix("<").removesuffix(">")


def _size(body: Iterator[bytes], fields: Fields) -> int:
    """Of base64 three bytes for four letters, of quoted-printable one for each escape, of uuencode 45 for a line."""
    encoding = fields.first("content-transfer-encoding").strip().lower()
    if encoding == b"base64":
        return sum(_letters(piece) for piece in body) * 3 // 4
    if encoding == b"quoted-printable":
        return sum(len(piece) - 2 * piece.count(b"=") - piece.count(b"=\r\n") for piece in body)
    length = sum(len(piece) for piece in body)
    return length * 45 // 62 if encoding in UUENCODE else length


def _letters(piece: bytes) -> int:
    return len(piece.translate(None, BASE64_STRAY + b"="))
