"""Changes the HTML of an outgoing mail in memory: one pixel, links that lead through us, our older ones taken out.

Every byte outside of these stays as it is. Stores nothing, logs nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser

from tracking.targets import target_of

#: A tag's name, and each attribute after it, as browsers read them (HTML Standard, 13.2.5.32 to 13.2.5.40).
_NAME = re.compile(r"<[^\s/>]*")
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>][^\s/=>]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>][^\s>]*)?)?""")


@dataclass(frozen=True, slots=True)
class Ours:
    """How to know what this installation made. `open_link`: token -> target, "" where the token is not ours."""

    pixels: str  # their addresses begin so
    links: str
    open_link: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put in. `pixel`: its address, "" for none. `link`: number and target -> address, "" to leave that one."""

    ours: Ours
    pixel: str = ""
    link: Callable[[int, str], str] | None = None


@dataclass(slots=True)
class Composed:
    html: str
    targets: list[str] = field(default_factory=list)  # the first is number 1


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class _Places(HTMLParser):
    """Where the tags stand that matter, as offsets into the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self._lines = [0, *(match.end() for match in re.finditer("\n", html))]
        self.tags: list[tuple[str, int, str]] = []
        self.ends: dict[str, int] = {}
        self.feed(html)
        self.close()

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in ("a", "area", "img"):
            self.tags.append((tag, self._offset(), self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("body", "html"):
            self.ends[tag] = self._offset()


def compose(html: str, plan: Plan) -> Composed:
    """The message as it goes out. A text without any tag comes back as it was, with the pixel at its end."""
    places, composed = _Places(html), Composed("")
    edits = [edit for tag, at, text in places.tags for edit in _edits_of(tag, at, text, plan, composed.targets)]
    if plan.pixel:
        end = places.ends.get("body", places.ends.get("html", len(html)))
        edits.append(_Edit(end, end, _image(plan.pixel)))
    composed.html = "".join(_spliced(html, edits))
    return composed


def _edits_of(tag: str, at: int, text: str, plan: Plan, targets: list[str]) -> Iterator[_Edit]:
    found = _attribute(text, "src" if tag == "img" else "href")
    if found is None:
        return
    start, end, value = found
    if tag == "img":
        if value.startswith(plan.ours.pixels):
            yield _Edit(at, at + len(text), "")
        return
    address = _older(value, plan.ours) or _followed(value, plan, targets)
    if address:
        yield _Edit(at + start, at + end, f'"{escape(address)}"')


def _older(value: str, ours: Ours) -> str:
    """In quoted text, a link of ours leads straight to where it was meant to."""
    return ours.open_link(value.removeprefix(ours.links)) if value.startswith(ours.links) else ""


def _followed(value: str, plan: Plan, targets: list[str]) -> str:
    target = target_of(value)
    address = plan.link(len(targets) + 1, target) if target and plan.link else ""
    if address:
        targets.append(target)
    return address


def _attribute(text: str, name: str) -> tuple[int, int, str] | None:
    """Start and end of the first such attribute's value within the tag, quotes included, and what it means."""
    tag = _NAME.match(text)
    at = tag.end() if tag else len(text)
    while match := _ATTRIBUTE.match(text, at):
        if match[1].lower() == name:
            return _value(match)
        at = match.end()
    return None


def _value(match: re.Match[str]) -> tuple[int, int, str] | None:
    raw = match[2]
    if not raw:
        return None
    inner = raw[1:-1] if raw[0] in "\"'" else raw
    return match.start(2), match.end(2), unescape(inner).strip()


def _image(address: str) -> str:
    return f'<img src="{escape(address)}" width="1" height="1" alt="" style="border:0">'


def _spliced(html: str, edits: list[_Edit]) -> Iterator[str]:
    at = 0
    for edit in sorted(edits, key=lambda each: each.start):
        yield html[at : edit.start]
        yield edit.text
        at = edit.end
    yield html[at:]
