"""An HTML mail as lines of text: quotations marked with ">", what a mail program marks as its signature with "-- ".

Made for reading, not for showing: nothing of it is safe HTML. One pass over the text, whatever stands in it."""

import re
from collections.abc import Iterator
from html import unescape

DEEPEST = 10_000  # open elements remembered; what is nested deeper closes nothing
LONGEST_LINK = 300  # characters of an address that is written out
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})([^<>]{0,4000})>")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]{2,20})\s{0,3}=\s{0,3}(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'<>]{1,500}))""")
_SPACES = re.compile(r"[ \t\r\n\f\u200b\ufeff]+")
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr", "o:p"})
_SILENT = frozenset({"head", "script", "style", "title", "template", "noscript", "object", "svg", "math", "select",
                     "textarea"})  # fmt: skip
_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _SILENT}
_BLOCKS = frozenset({"address", "article", "blockquote", "body", "center", "dd", "div", "dl", "dt", "fieldset",
                     "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "li", "main", "ol", "p", "pre",
                     "section", "table", "tbody", "tfoot", "thead", "tr", "ul"})  # fmt: skip
#: Classes and ids that mail programs give: to the answered message, and to the signature.
_QUOTES = ("gmail_quote", "yahoo_quoted", "moz-cite", "protonmail_quote", "zmail_extra", "mail_android_quote",
           "quoted-reply", "outlookmessageheader", "gmail_attr")  # fmt: skip
_SIGNATURES = ("gmail_signature", "moz-signature", "outlook-mobile-signature", "protonmail_signature",
               "apple-signature")  # fmt: skip
_REST = ("appendonsend", "divrplyfwdmsg", "olk_src_body_section")  # all below is the answered message


def lines_of(html: str) -> str:
    """The text. Quoted text and what lies below an Outlook header opens with "> "."""
    return _Lines().read(html)


class _Lines:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.line: list[str] = []
        self.open: list[tuple[str, bool]] = []  # (element, whether it quotes)
        self.quotes = 0
        self.rest = False
        self.link = ""

    def read(self, html: str) -> str:
        for text, tag in _pieces(html):
            self.write(text)
            if tag is not None:
                (self.close if tag[1] else self.start)(tag)
        self.end_line()
        return "\n".join(self.done)

    def write(self, text: str) -> None:
        if text:
            self.line.append(_SPACES.sub(" ", unescape(text)).replace("\u00a0", " "))

    def start(self, tag: re.Match[str]) -> None:
        name, attributes = tag[2].lower(), _attributes(tag[3])
        if name in _BLOCKS or name in ("br", "hr"):
            self.end_line(is_break=name == "br")
        elif name in ("td", "th"):
            self.line.append("\t")
        marks = f"{attributes.get('class', '')} {attributes.get('id', '')}".lower()
        self.rest = self.rest or any(mark in marks for mark in _REST)
        if any(mark in marks for mark in _SIGNATURES) or attributes.get("id", "").lower() == "signature":
            self.begin_signature()
        if name == "a":
            self.link = _worth_writing(attributes.get("href", ""))
        if name not in _VOID and len(self.open) < DEEPEST:
            quotes = name == "blockquote" or any(mark in marks for mark in _QUOTES)
            self.quotes += quotes
            self.open.append((name, quotes))

    def begin_signature(self) -> None:
        if not self.quotes and not self.rest and not any(line in ("-- ", "--") for line in self.done[-3:]):
            self.end_line()
            self.done.append("-- ")

    def close(self, tag: re.Match[str]) -> None:
        name = tag[2].lower()
        if name == "a":
            self.end_link()
        if name in _BLOCKS:
            self.end_line()
        # Mail programs close what they open; who does not is looked at no further than his last few elements.
        for place in range(len(self.open) - 1, max(-1, len(self.open) - 20), -1):
            if self.open[place][0] == name:
                self.quotes -= sum(quotes for _, quotes in self.open[place:])
                del self.open[place:]
                return

    def end_link(self) -> None:
        """An address that the text does not show: "LinkedIn <https://...>"."""
        shown = "".join(text[-2 * LONGEST_LINK :] for text in self.line[-3:]).lower()
        if self.link and self.link.partition("//")[2].removeprefix("www.").rstrip("/").lower() not in shown:
            self.line.append(f" <{self.link}>")
        self.link = ""

    def end_line(self, *, is_break: bool = False) -> None:
        """What stands in a line is written; a break on an empty line is a blank line, as an empty paragraph is."""
        text, had_any = "".join(self.line).strip(" "), bool(self.line)
        self.line = []
        text = "   ".join(filter(None, (cell.strip() for cell in text.split("\t"))))
        if text or is_break or had_any:
            blank_twice = not text and self.done[-1:] == [""]
            if not blank_twice:
                self.done.append(f"> {text}" if self.quotes or self.rest else text)


def _pieces(html: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """(text, the tag after it) of all that is meant to be read. What is no tag is text, comments are nothing."""
    place, length = 0, len(html)
    while place < length:
        start = html.find("<", place)
        if start < 0:
            break
        text = html[place:start]
        if html.startswith("<!", start) or html.startswith("<?", start):
            place = _after(html, "-->" if html.startswith("<!--", start) else ">", start)
            yield text, None
        elif tag := _TAG.match(html, start):
            place = tag.end()
            if tag[2].lower() in _SILENT and not tag[1]:
                place = _after_silent(html, tag[2].lower(), place)
                yield text, None
            else:
                yield text, tag
        else:
            yield f"{text}<", None
            place = start + 1
    yield html[place:], None


def _after(html: str, end: str, start: int) -> int:
    """Behind the next `end`; without one all that follows is lost, as in a browser."""
    place = html.find(end, start)
    return len(html) if place < 0 else place + len(end)


def _after_silent(html: str, name: str, start: int) -> int:
    end = _END[name].search(html, start)
    return _after(html, ">", end.start()) if end else len(html)


def _attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.finditer(text)
    return {match[1].lower(): unescape(match[2] or match[3] or match[4] or "") for match in found}


def _worth_writing(href: str) -> str:
    return href if href.lower().startswith(("http://", "https://")) and len(href) <= LONGEST_LINK else ""
