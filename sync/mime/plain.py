"""HTML as plain text, in linear time: sanitised HTML, or one that was refused. Makes nothing safe: text comes out."""

import html as entities
import re

_UNSEEN = re.compile(r"<(style|script|title|head|noscript|template)(?=[\s>/])", re.IGNORECASE)
_COMMENT = re.compile(r"<!--")
_TAG = re.compile(r"<(?:(/?)([a-zA-Z][a-zA-Z0-9]*)|[!?/])[^>]*+>")
_BLOCKS = frozenset({
    "address", "blockquote", "center", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "ol", "p", "pre", "table", "tr", "ul", "li",
})  # fmt: skip
#: More than one space; a single one stays as it is.
_SPACE = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")
#: Where a block begins or ends, and a paragraph ends: no text of ours has these characters (charsets.printable).
_EDGE, _PARAGRAPH = "\x02", "\x03"
_BREAK = re.compile(rf"(?<! ) *+[\n{_EDGE}{_PARAGRAPH}][ \n{_EDGE}{_PARAGRAPH}]*+")


def as_text(html: str) -> str:
    """Line breaks where blocks begin and end, list items with a dash, cells with a space between."""
    seen = _without(_without(html, _COMMENT, "-->"), _UNSEEN, None)
    # Behind the last ">" no tag is complete: a "<" there would be looked for its end up to the very last letter.
    end = seen.rfind(">") + 1
    text = _TAG.sub(_mark, _SPACE.sub(" ", seen[:end])) + _SPACE.sub(" ", seen[end:])
    return _BREAK.sub(_lines, entities.unescape(text).replace("\xa0", " ")).strip()


def _mark(tag: re.Match[str]) -> str:
    closing, name = tag.group(1), (tag.group(2) or "").lower()
    if name == "br":
        return "\n"
    if closing:
        return _PARAGRAPH if name in {"p", "blockquote", "ul", "ol", "table"} else _EDGE if name in _BLOCKS else ""
    if name == "li":
        return f"{_EDGE}- "
    if name in {"td", "th"}:
        return " "
    return _EDGE if name in _BLOCKS else ""


def _lines(gap: re.Match[str]) -> str:
    """One line ends, or an empty one is seen too. A <br> at the end of a block is not seen, alone in a block it is."""
    marks = gap.group().replace(" ", "")
    if _PARAGRAPH in marks or marks.count("\n") > (0 if marks[0] == _EDGE else 1):
        return "\n\n"
    return "\n"


def _without(html: str, begins: re.Pattern[str], ends: str | None) -> str:
    """Without what stands from `begins` to `ends`, or to the closing tag. What is never closed is left."""
    out: list[str] = []
    at = 0
    unclosed: set[str] = set()
    for match in begins.finditer(html):
        close = ends or f"</{match.group(1).lower()}"
        if match.start() < at or close in unclosed:
            continue
        end = _find(html, close, match.end())
        if end < 0:
            unclosed.add(close)
            continue
        out.append(html[at : match.start()])
        at = end
    return "".join((*out, html[at:]))


def _find(html: str, close: str, at: int) -> int:
    """Behind the end tag; -1 where there is none."""
    if close == "-->":
        found = html.find(close, at)
        return found + 3 if found >= 0 else -1
    match = re.compile(re.escape(close), re.IGNORECASE).search(html, at)
    end = html.find(">", match.end()) if match else -1
    return end + 1 if end >= 0 else -1
