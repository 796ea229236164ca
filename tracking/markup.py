"""Where the tags of an HTML text stand that matter to `compose`. Read as browsers do (HTML Standard, 13.2.5), each
character once: a mail quotes strangers, so the text may be broken, or made to keep us busy. Changes nothing."""

import re
from dataclasses import dataclass, field
from html import unescape
from html.entities import html5

_SPACE = r"\t\n\f\r "
_NAME = re.compile(rf"[a-zA-Z][^{_SPACE}/>]*")
#: One attribute and what stands before it (13.2.5.32 to 13.2.5.40). A quote that nobody closes goes on to the end.
_ATTRIBUTE = re.compile(
    rf"[{_SPACE}/]*(?:([^{_SPACE}/>][^{_SPACE}/>=]*)"
    rf"(?:[{_SPACE}]*=[{_SPACE}]*(\"[^\"]*\"?|'[^']*'?|[^{_SPACE}>\"'][^{_SPACE}>]*)?)?)?"
)
_END_OF_COMMENT = re.compile(r"--!?>")
#: Elements whose content is text, up to their own end tag (13.2.5.2, 13.2.5.3, 13.2.6.2). Scripts do not run in mail.
_TEXT_ONLY = {
    name: re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
}
#: A character reference. Within an attribute a name without ";" is none where a letter, a digit or "=" follows
#: (13.2.5.73): `?a=1&copy=2&region=3` means what it says.
_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|[a-zA-Z][a-zA-Z0-9]*(?:;|(?![a-zA-Z0-9=])))")
#: Tag -> its attribute that holds an address.
_WANTED = {"a": "href", "area": "href", "img": "src"}


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: where it stands, quotes included, and what it means."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    start: int
    end: int
    address: Value | None  # the first attribute of that name, as browsers take it


@dataclass(frozen=True, slots=True)
class Page:
    """`tags`: links and images. `ends`: where the last end tag of "body" and of "html" begins. `targets`: where links
    lead, as far as somebody has looked (compose.py): the same for each copy of a message."""

    html: str
    tags: list[Tag] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)


def read(html: str) -> Page:
    """Linear in the length of the text. Never raises."""
    page, at = Page(html), 0
    while at >= 0 and (at := html.find("<", at)) >= 0:
        at = _past(page, at)
    return page


def _past(page: Page, at: int) -> int:
    """Where the reading goes on after the "<" at `at`; -1 where the rest of the text is no markup."""
    html = page.html
    if name := _NAME.match(html, at + 1):
        return _start_tag(page, at, name)
    if html.startswith("<!--", at):
        return _past_comment(html, at)
    if not html.startswith(("</", "<!", "<?"), at):
        return at + 1
    if name := _NAME.match(html, at + 2) if html[at + 1] == "/" else None:
        page.ends[name[0].lower()] = at
        return _attributes(html, name.end(), "")[0]
    return html.find(">", at) + 1 or -1


def _past_comment(html: str, at: int) -> int:
    for short in ("<!-->", "<!--->"):
        if html.startswith(short, at):
            return at + len(short)
    end = _END_OF_COMMENT.search(html, at + 4)
    return end.end() if end else -1


def _start_tag(page: Page, at: int, match: re.Match[str]) -> int:
    name = match[0].lower()
    end, value = _attributes(page.html, match.end(), _WANTED.get(name, ""))
    if end >= 0 and name in _WANTED:
        page.tags.append(Tag(name, at, end, value))
    if end >= 0 and name in _TEXT_ONLY:
        closing = _TEXT_ONLY[name].search(page.html, end)
        return closing.start() if closing else -1
    return -1 if name == "plaintext" else end


def _attributes(html: str, at: int, wanted: str) -> tuple[int, Value | None]:
    """Where the tag ends, -1 where it never does; and the first attribute called `wanted`."""
    found, is_found = None, not wanted
    while (match := _ATTRIBUTE.match(html, at)) and match.end() < len(html):
        at = match.end()
        if not is_found and match[1] and match[1].lower() == wanted:
            found, is_found = _value(match), True
        if html[at] == ">":
            return at + 1, found
    return -1, None


def _value(match: re.Match[str]) -> Value | None:
    raw = match[2]
    if not raw:
        return None
    inner = raw[1:-1] if raw[0] in "\"'" else raw
    return Value(match.start(2), match.end(2), _REFERENCE.sub(_meant, inner).strip(" \t\n\f\r"))


def _meant(reference: re.Match[str]) -> str:
    text = reference[0]
    return unescape(text) if text[1] == "#" else html5.get(text[1:], text)
