"""Makes a message's HTML harmless: a short list of elements and attributes passes, all else is dropped.

The page that shows it forbids scripts and remote loads once more; neither relies on the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

LONGEST_HTML = 500_000  # characters
DEEPEST = 200
MOST_TAGS = 30_000
MOST_DECLARATIONS = 1_000  # comments too: Python's parser takes quadratic time over unclosed ones
_VOID = frozenset({"br", "hr", "img"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_TABLE = frozenset({"table", "tbody", "td", "tfoot", "th", "thead", "tr"})
_BLOCKS = frozenset({"blockquote", "center", "dd", "div", "dl", "dt", "li", "ol", "p", "pre", "ul"})
_WORDS = frozenset({"a", "abbr", "b", "code", "em", "font", "i", "q", "s", "small", "span", "strike", "strong", "sub",
                    "sup", "u"})  # fmt: skip
_ELEMENTS = _VOID | _HEADINGS | _TABLE | _BLOCKS | _WORDS
_SILENT = frozenset({"script", "style", "head", "title", "template", "noscript", "iframe", "object", "svg", "math",
                     "select", "textarea"})  # fmt: skip
_BREAKS = _HEADINGS | {"br", "p", "div", "li", "tr", "blockquote", "hr"}
_ATTRIBUTES = frozenset({"align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "colspan", "color", "dir",
                         "height", "lang", "rowspan", "style", "title", "valign", "width"})  # fmt: skip
_LINK = re.compile(r"(https?://|mailto:)[^\s\x00-\x1f]+", re.IGNORECASE)
# url() and image-set() load, position escapes its place, a backslash or comment can spell any of them.
_STYLE_TRAPS = re.compile(r"url|image|position|expression|behavior|[\\@<]|/\*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clean:
    html: str
    text: str


def sanitised(html: str, images: Mapping[str, str]) -> Clean:
    """`images` maps a Content-ID to the data: address it is replaced with; remote images become their alt text.

    Empty for what no mail program writes and no parser should be given."""
    html = html[:LONGEST_HTML]
    if html.count("<") > MOST_TAGS or html.count("<!") + html.count("<?") > MOST_DECLARATIONS:
        return Clean("", "")
    cleaner = _Cleaner(images)
    cleaner.feed(html)
    cleaner.close()
    return Clean(cleaner.html(), "".join(cleaner.text).strip())


class _Cleaner(HTMLParser):
    def __init__(self, images: Mapping[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.images = images
        self.out: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.silent = 0  # how many silent elements we are inside

    def html(self) -> str:
        return "".join(self.out) + "".join(f"</{tag}>" for tag in reversed(self.open))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self.silent += 1
        elif not self.silent and tag in _ELEMENTS and len(self.open) < DEEPEST:
            self.write_start(tag, {name: value or "" for name, value in attrs})

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def write_start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _BREAKS:
            self.text.append("\n")
        if tag == "img":
            self.out.append(self.image(attributes))
            return
        self.out.append(f"<{tag}{_kept(tag, attributes)}>")
        if tag not in _VOID:
            self.open.append(tag)

    def image(self, attributes: dict[str, str]) -> str:
        source = self.images.get(attributes.get("src", "").removeprefix("cid:"))
        alt = attributes.get("alt", "")
        if source is None:
            return f"<span>[{escape(alt)}]</span>" if alt else ""
        return f'<img src="{escape(source)}" alt="{escape(alt)}"{_kept("img", attributes, without=("alt",))}>'

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self.silent = max(0, self.silent - 1)
        elif not self.silent and tag in self.open:
            while True:
                last = self.open.pop()
                self.out.append(f"</{last}>")
                if last == tag:
                    return

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.out.append(escape(data))
            self.text.append(data)


def _kept(tag: str, attributes: dict[str, str], without: tuple[str, ...] = ()) -> str:
    kept = [
        f' {name}="{escape(value)}"'
        for name, value in attributes.items()
        if name in _ATTRIBUTES and name not in without and not (name == "style" and _STYLE_TRAPS.search(value))
    ]
    if tag == "a" and _LINK.fullmatch(attributes.get("href", "")):
        kept.append(f' href="{escape(attributes["href"])}" target="_blank" rel="noopener noreferrer"')
    return "".join(kept)
