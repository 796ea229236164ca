"""Bytes to text in whatever charset a message claims. Never raises; text comes out without NUL and lone surrogates.

Only charsets of text are looked up: Python has codecs that unpack archives, and imports what a name asks for."""

import codecs
import re
from encodings.aliases import aliases
from typing import Protocol

_NO_CHARSETS = frozenset({
    "base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec",
    "mbcs", "oem", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "charmap",
    "palmos", "ascii", "latin_1", "gb2312", "gbk", "shift_jis", "euc_kr",
})  # fmt: skip
#: What is written, and what is meant by it (WHATWG Encoding: the larger set is the one that mail programs use).
_MEANT = {
    "latin_1": "cp1252", "iso8859_1": "cp1252", "iso_8859_1": "cp1252",
    "iso_8859_1_1987": "cp1252", "latin1": "cp1252", "l1": "cp1252", "8859": "cp1252", "cp819": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "cp936": "gb18030", "euc_cn": "gb18030", "x_gbk": "gb18030",
    "chinese": "gb18030", "gb_2312_80": "gb18030",
    "shift_jis": "cp932", "sjis": "cp932", "s_jis": "cp932", "x_sjis": "cp932", "shiftjis": "cp932",
    "euc_kr": "cp949", "ks_c_5601_1987": "cp949", "ks_c_5601": "cp949", "korean": "cp949", "euckr": "cp949",
    "iso_8859_8_i": "iso8859_8", "iso_8859_8_e": "iso8859_8", "iso_8859_6_i": "iso8859_6", "cp_874": "cp874",
    "x_mac_roman": "mac_roman", "macintosh": "mac_roman", "unicode_1_1_utf_7": "utf_7", "x_unicode_2_0_utf_7": "utf_7",
    "tis_620": "cp874", "tis620": "cp874", "windows_874": "cp874", "big5": "big5hkscs", "utf8mb4": "utf_8",
}  # fmt: skip
_KNOWN = {name: codec for name, codec in aliases.items() if codec not in _NO_CHARSETS}
_KNOWN |= {codec: codec for codec in _KNOWN.values()} | {"cp874": "cp874", "cp1252": "cp1252"} | _MEANT
_NOT_PRINTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: Their order of bytes is told by a mark at the beginning, if at all: (the width, what it is without one).
_MARKED = {"utf_16": (2, "utf_16_le"), "utf_32": (4, "utf_32_le")}
_BYTES_MARKS = {
    codecs.BOM_UTF16_LE: "utf_16_le", codecs.BOM_UTF16_BE: "utf_16_be",
    codecs.BOM_UTF32_LE: "utf_32_le", codecs.BOM_UTF32_BE: "utf_32_be",
}  # fmt: skip
#: Bytes that UTF-7 may hold back, looking for the end of a run: it begins anew with each piece. People's are a line's.
_LONGEST_RUN = 64 * 1024
#: Nothing was said, or a charset that 8-bit bytes belie.
_UNSTATED = frozenset({
    "unknown", "x_unknown", "unknown_8bit", "8bit", "default_charset", "default", "ascii", "us_ascii",
    "ansi_x3_4_1968", "646",
})  # fmt: skip


class Decoder(Protocol):
    """Of one part's text, piece by piece."""

    def decode(self, data: bytes, final: bool = False) -> str: ...


def is_known(charset: str) -> bool:
    name = _normal(charset)
    return not name or name in _KNOWN or name in _UNSTATED


def decoder(charset: str) -> Decoder:
    """For a charset by any of its names; one that guesses where none is said, or an unknown one."""
    name = _normal(charset)
    codec = "" if name in _UNSTATED else _KNOWN.get(name, "")
    if not codec:
        return _Guess()
    if codec in _MARKED:
        return _Marked(*_MARKED[codec])
    if codec == "utf_7":
        return _Runs()
    return codecs.getincrementaldecoder("utf-8-sig" if codec == "utf_8" else codec)("replace")


def decoded(data: bytes, charset: str = "") -> str:
    return printable(decoder(charset).decode(data, True))


def printable(text: str) -> str:
    """Without control characters but tab, LF and CR; lone surrogates (UTF-7 makes them) become U+FFFD."""
    return _SURROGATE.sub("\ufffd", _NOT_PRINTED.sub("", text))


class _Marked:
    """UTF-16 or UTF-32: Python's own want the mark. Without one most are little-endian (WHATWG Encoding, 14.2.3)."""

    def __init__(self, width: int, without: str) -> None:
        self._width, self._without = width, without
        self._held = b""
        self._reads: codecs.IncrementalDecoder | None = None

    def decode(self, data: bytes, final: bool = False) -> str:
        if self._reads is None:
            data, self._held = self._held + data, b""
            if len(data) < self._width and not final:
                self._held = data
                return ""
            order = _BYTES_MARKS.get(data[: self._width])
            data = data[self._width :] if order else data
            self._reads = codecs.getincrementaldecoder(order or self._without)("replace")
        return self._reads.decode(data, final)


class _Runs:
    """UTF-7. A run of its base64 that goes on and on is cut, or each piece would have all of it decoded again."""

    def __init__(self) -> None:
        self._reads = codecs.getincrementaldecoder("utf_7")("replace")

    def decode(self, data: bytes, final: bool = False) -> str:
        text = self._reads.decode(data, final)
        if len(self._reads.getstate()[0]) > _LONGEST_RUN:
            text += self._reads.decode(b"", True)
            self._reads.reset()
        return text


class _Guess:
    """UTF-8 as long as it is; from the first byte that cannot be, Windows-1252, which hardly ever is by chance."""

    def __init__(self) -> None:
        self._utf_8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8-sig")("strict")

    def decode(self, data: bytes, final: bool = False) -> str:
        if self._utf_8 is None:
            return data.decode("cp1252", "replace")
        pending, _ = self._utf_8.getstate()
        try:
            return self._utf_8.decode(data, final)
        except UnicodeDecodeError:
            self._utf_8 = None
            return _mended(pending + data)


def _mended(data: bytes) -> str:
    try:
        return data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        return data[: error.start].decode("utf-8") + data[error.start :].decode("cp1252", "replace")


def _normal(charset: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", charset[:60].lower()).strip("_")
