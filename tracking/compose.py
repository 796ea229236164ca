"""Changes the HTML of an outgoing mail in memory: one pixel, links that lead through us, our older ones taken out.

Every byte outside of these stays as it is. Stores nothing, logs nothing."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from urllib.parse import unquote

from tracking.markup import Page, Tag, read
from tracking.targets import target_of

#: Different links of one message that are looked at; the others stay as they are.
MOST_HREFS = 2_000
_NO_TOKEN = re.compile(r"[^\w-]", re.ASCII)


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


def compose(html: str, plan: Plan) -> Composed:
    """The message as it goes out. A text without any tag comes back as it was, with the pixel at its end."""
    return composed(read(html), plan)


def composed(page: Page, plan: Plan) -> Composed:
    """The same for a text that was read already, as for each copy of a message."""
    result = Composed("")
    edits = [edit for tag in page.tags for edit in _edits_of(page, tag, plan, result.targets)]
    if plan.pixel:
        end = page.ends.get("body", page.ends.get("html", len(page.html)))
        edits.append(_Edit(end, end, _image(plan.pixel)))
    result.html = "".join(_spliced(page.html, edits))
    return result


def _edits_of(page: Page, tag: Tag, plan: Plan, targets: list[str]) -> Iterator[_Edit]:
    value = tag.address
    if value is None:
        return
    if tag.name == "img":
        if plan.ours.pixels in unquote(value.text):  # Gmail's and Yahoo's proxies name what they stand for
            yield _Edit(tag.start, tag.end, "")
        return
    address = older_target(value.text, plan.ours)
    if address is None:
        address = _followed(page, value.text, plan, targets)
    if address:
        yield _Edit(value.start, value.end, f'"{escape(address)}"')


def older_target(href: str, ours: Ours) -> str | None:
    """Where a link of ours in quoted text was meant to lead, also where a filter on the way has put it into one of its
    own (Safe Links: vilega/O365Troubleshooters#136; Proofpoint: cardi/proofpoint-url-decoder). "" where its token does
    not open any more, None for any other link."""
    _, found, rest = unquote(href).partition(ours.links)
    if not found or not href.lower().startswith(("https:", "http:")):
        return None
    token = _NO_TOKEN.split(rest, maxsplit=1)[0]
    return ours.open_link(token[: len(token) - len(token) % 4])  # Proofpoint puts "__" behind it


def _followed(page: Page, value: str, plan: Plan, targets: list[str]) -> str:
    if value not in page.targets:
        page.targets[value] = target_of(value) if len(page.targets) < MOST_HREFS else ""
    target = page.targets[value]
    address = plan.link(len(targets) + 1, target) if target and plan.link else ""
    if address:
        targets.append(target)
    return address


def _image(address: str) -> str:
    return f'<img src="{escape(address)}" width="1" height="1" alt="" style="border:0">'


def _spliced(html: str, edits: list[_Edit]) -> Iterator[str]:
    at = 0
    for edit in sorted(edits, key=lambda each: each.start):
        yield html[at : edit.start]
        yield edit.text
        at = edit.end
    yield html[at:]
