"""Links to files that Google Drive, OneDrive or SharePoint keep, in a message. Looks at the host; fetches nothing."""

import html as entities
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from sync.letters import CloudLink, CloudService
from sync.mime.bounds import LONGEST_LINK, LONGEST_NAME, MOST_LINKS
from sync.mime.plain import as_text
from sync.mime.words import one_line

#: As nh3 writes them: any attributes in any order, values in double quotes.
_ANCHOR = re.compile(rf'<a (?:[a-z]++="[^"]*+" )*?href="([^"]{{1,{3 * LONGEST_LINK}}})"[^>]*+>')
_BARE = re.compile(rf"https://[^\s<>\"'\]\)]{{4,{LONGEST_LINK}}}+")
_LONGEST_ANCHOR = 2_000
_HOSTS = {
    "drive.google.com": CloudService.GOOGLE_DRIVE,
    "docs.google.com": CloudService.GOOGLE_DRIVE,
    "onedrive.live.com": CloudService.ONEDRIVE,
    "1drv.ms": CloudService.ONEDRIVE,
}
#: One host for each tenant (contoso.sharepoint.com, contoso-my.sharepoint.com): the business OneDrive is the second.
_SHAREPOINT = ".sharepoint.com"


def links(html: str, text: str) -> tuple[CloudLink, ...]:
    """In their order, each once. `html`: sanitised; where there is one, `text` says the same and is not looked at."""
    found: dict[str, CloudLink] = {}
    rest = as_text(_without_anchors(html)) if html else text
    for url, name in (*_named(html), *((match.group().rstrip(".,;:!?"), "") for match in _BARE.finditer(rest))):
        service = service_of(url)
        if service is not None and url not in found:
            found[url] = CloudLink(url, "" if name == url else name, service)
        if len(found) == MOST_LINKS:
            break
    return tuple(found.values())


def _without_anchors(html: str) -> str:
    """nh3 closes each. One within another, in a table's cell, ends the outer one here."""
    return " ".join(piece.partition("<a ")[0] for piece in html.split("</a>"))


def _named(html: str) -> Iterator[tuple[str, str]]:
    for match in _ANCHOR.finditer(html):
        end = html.find("</a>", match.end(), match.end() + _LONGEST_ANCHOR)
        name = as_text(html[match.end() : end]) if end >= 0 else ""
        yield entities.unescape(match.group(1)), one_line(name)[:LONGEST_NAME]


def service_of(url: str) -> CloudService | None:
    """None for what is no plain https link to one of them: no user, no port, nothing that parsers read differently."""
    if len(url) > LONGEST_LINK or not url.startswith("https://") or not url.isascii() or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if "\\" in url or " " in url or (parts.path in {"", "/"} and not parts.query):
        return None
    host = parts.netloc.lower()  # with user and port, if there are any: then it is none of these
    return _HOSTS.get(host) or (_sharepoint(host) if host.endswith(_SHAREPOINT) else None)


def _sharepoint(host: str) -> CloudService | None:
    tenant = host.removesuffix(_SHAREPOINT)
    if not re.fullmatch(r"[a-z0-9-]{1,63}", tenant):
        return None
    return CloudService.ONEDRIVE if tenant.endswith("-my") else CloudService.SHAREPOINT
