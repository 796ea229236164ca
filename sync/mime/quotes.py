"""Brings a text to the length that Salesforce takes. The newest text stays: quoted text goes first, then the middle.

Lengths are code points. A text that is short enough stays as it is, quotes and all."""

import re
from itertools import groupby

LEFT_OUT = "[...]"
_QUOTED = re.compile(r"[ \t]{0,3}>")
_BLOCKQUOTE = re.compile(r"<(/?)blockquote[^>]*>")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?>")
_VOID = frozenset({"br", "hr"})


def fitted(text: str, most: int) -> str:
    """Without quoted blocks, if it must be; then its beginning and its end, where people write what is new."""
    if len(text) <= most:
        return text
    short = _without_quotes(text)
    if len(short) <= most:
        return short
    tail = most // 4
    joint = f"\n\n{LEFT_OUT}\n\n"
    return short[: most - tail - len(joint)].rstrip() + joint + short[-tail:].lstrip()


def _without_quotes(text: str) -> str:
    """Blocks of lines that begin with ">"; of each, a mark is left."""
    out: list[str] = []
    for is_quoted, lines in groupby(text.split("\n"), key=lambda line: _QUOTED.match(line) is not None):
        out.extend([LEFT_OUT] if is_quoted else lines)
    return "\n".join(out)


def fitted_html(html: str, most: int) -> str:
    """The same of sanitised HTML, still well-formed: without quotes, then cut between two tags or words."""
    if len(html) <= most:
        return html
    short = _without_blockquotes(html)
    return short if len(short) <= most else _cut(short, most)


def _without_blockquotes(html: str) -> str:
    """The outermost ones; what stands behind them stays."""
    out: list[str] = []
    level = at = 0
    for match in _BLOCKQUOTE.finditer(html):
        if not match.group(1):
            if level == 0:
                out.extend((html[at : match.start()], f"<blockquote>{LEFT_OUT}</blockquote>"))
            level += 1
        elif level > 0:
            level -= 1
            at = match.end() if level == 0 else at
    return "".join(out) + (html[at:] if level == 0 else "")


def _cut(html: str, most: int) -> str:
    """As much as fits with the end tags that are needed then; nothing within a tag or a character reference."""
    open_tags: list[str] = []
    closing = len(LEFT_OUT)
    end = at = 0
    for match in _TAG.finditer(html):
        if match.start() + closing > most:
            break
        end = match.start()
        if match.group(1):
            closing -= len(open_tags.pop()) + 3 if open_tags else 0
        elif match.group(2) not in _VOID:
            open_tags.append(match.group(2))
            closing += len(match.group(2)) + 3
        at = match.end()
    return _ended(html, open_tags, end, at, most)


def _ended(html: str, open_tags: list[str], end: int, at: int, most: int) -> str:
    """Text behind the last tag that fits goes in up to a space."""
    ends = "".join(f"</{name}>" for name in reversed(open_tags))
    room = most - len(LEFT_OUT) - len(ends)
    if at > room:  # the last tag itself does not fit any more
        opened = _TAG.match(html, end)
        if opened and not opened.group(1) and opened.group(2) not in _VOID:
            ends = ends.removeprefix(f"</{open_tags[-1]}>")
        return html[:end] + LEFT_OUT + ends
    stop = html.find("<", at, room)
    kept = html[at : stop if stop >= 0 else room]
    return html[:at] + kept[: max(kept.rfind(" "), 0)] + LEFT_OUT + ends
