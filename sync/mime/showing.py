"""A message's texts as they are shown and filed: one plain text, one sanitised HTML, both of Salesforce's length."""

import html as entities
import re
from dataclasses import dataclass

from sync.letters import CloudLink, Problem
from sync.mime.bodies import GAP, Bodies, Kept, Section
from sync.mime.bounds import LONGEST_TEXT
from sync.mime.clouds import links
from sync.mime.html import Cleaning, HtmlRefused
from sync.mime.plain import as_text
from sync.mime.quotes import fitted, fitted_html

_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029")
#: RFC 2392, in an attribute or in a style.
_SHOWN_PART = re.compile(r"""cid:([^"'\s)>]{1,500})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    text: str
    html: str
    links: tuple[CloudLink, ...]
    shown_parts: frozenset[str]  # Content-IDs that the HTML shows


def shown(bodies: Bodies, problems: set[Problem]) -> Shown:
    """What of the texts is left out or refused is added to `problems`."""
    cleaning = Cleaning()
    texts: list[str] = []
    pages: list[str] = []
    parts: set[str] = set()
    for section in bodies.sections:
        html = _html(section, cleaning, parts, problems)
        texts.append(_text(section) or html.text)
        pages.append(html.page or _page(texts[-1]))
    has_html = any(section.html for section in bodies.sections) and Problem.HTML_REFUSED not in problems
    text, page = "\n\n".join(filter(None, texts)), "".join(pages) if has_html else ""
    if bodies.is_cut or len(text) > LONGEST_TEXT or len(page) > LONGEST_TEXT:
        problems.add(Problem.LONG_TEXT)
    found = links(page, text)
    return Shown(fitted(text, LONGEST_TEXT), fitted_html(page, LONGEST_TEXT), found, frozenset(parts))


@dataclass(slots=True, repr=False)
class _Html:
    page: str = ""
    text: str = ""


def _html(section: Section, cleaning: Cleaning, parts: set[str], problems: set[Problem]) -> _Html:
    found = _Html()
    for kept in section.html:
        raw = _raw(kept)
        parts.update(match.group(1) for match in _SHOWN_PART.finditer(raw))
        try:
            page = cleaning.clean(raw)
        except HtmlRefused:
            problems.add(Problem.HTML_REFUSED)
            found.text += as_text(raw)
            continue
        found.page += page
        found.text += as_text(page)
    return found


def _raw(kept: Kept) -> str:
    """Where the middle is missing, the end begins behind a tag, and behind a style sheet that was cut."""
    head, tail = kept.halves()
    if not tail:
        return head
    style, begin = tail.find("</style>"), tail.find("<style")
    start = style if style >= 0 and not 0 <= begin < style else 0
    return f"{head}<p>{GAP}</p>{tail[tail.find('>', start) + 1 :]}"


def _text(section: Section) -> str:
    return "\n\n".join(filter(None, (_plain(kept) for kept in section.plain)))


def _plain(kept: Kept) -> str:
    head, tail = kept.halves()
    return _LINE_ENDS.sub("\n", head + GAP + tail if tail else head).strip("\n").rstrip()


def _page(text: str) -> str:
    """Plain text beside a part that is HTML."""
    return f"<p>{entities.escape(text, quote=False).replace(chr(10), '<br>')}</p>" if text else ""
