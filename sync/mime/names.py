"""A name for an attachment that may be given to any file system and shown to anybody. Never a path."""

import mimetypes
import re
import unicodedata

from sync.mime.bounds import LONGEST_NAME
from sync.mime.words import one_line

_SEPARATOR = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[<>:"|?*]')  # on Windows
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)
_LONGEST_SUFFIX = 20
#: Without the system's own tables, which differ.
_TYPES = mimetypes.MimeTypes(filenames=())


def safe_name(given: str, media_type: str) -> str:
    """The last part of `given`; where nothing is left of it, a name after its type."""
    shown = "".join(char for char in one_line(given) if unicodedata.category(char) not in {"Cf", "Co", "Cn"})
    name = _FORBIDDEN.sub("_", _SEPARATOR.split(shown)[-1]).strip(" .")
    if not name:
        return _named_after(media_type)
    return _cut(f"_{name}" if _DEVICE.match(name) else name)


def _named_after(media_type: str) -> str:
    if media_type == "message/rfc822":
        return "message.eml"
    return f"attachment{_TYPES.guess_extension(media_type) or ''}"


def _cut(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    if len(name) <= LONGEST_NAME:
        return name
    if not stem or len(suffix) > _LONGEST_SUFFIX:
        return name[:LONGEST_NAME]
    return stem[: LONGEST_NAME - len(suffix) - 1] + dot + suffix
