"""Which links of a message may be followed through us, and in which spelling. Pure rules; any other stays as it is.

A target is what two parsers agree on: browsers' (WHATWG, by ada) and Python's, built upon RFC 3986. Where they differ a
filter in front of us might see another host than the reader's browser opens."""

import ipaddress
import re
from urllib.parse import quote, urlsplit

import ada_url
import idna

#: Longer ones do not fit into a link that every mail client takes.
MAX_TARGET = 1_400
_PLAIN_START = re.compile(r"https?://[^/\\]", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\\ufeff\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
#: What browsers leave as it is in each part of an address (WHATWG URL, 1.3); the rest of ASCII they percent-encode.
_PATH, _QUERY, _FRAGMENT = "!$&'()*+,;=:@/%|[]", "!$&()*+,;=:@/?%|[]^`{}", "!$&'()*+,;=:@/?%|[]^{}#"
#: Ways out of a list, and links that open something once: a detour could use them up, or show them to us.
#: Not so presets, designing, accessories or an association.
_PERSONAL = re.compile(
    r"unsub|opt[-_]?out|abmeld|abbestell|d[eé]sinscri|d[eé]sabonn|afmeld|uitschrijv|disiscri|dar(?:se)?[-_]de[-_]baja"
    r"|list-manage|preferences|magic|one[-_]?time|passw|(?<!p)reset|verif|confirm|activat|invit|(?:sign|log)[-_]?in(?!g)"
    r"|(?<![a-z])sso(?![a-z])|(?<![a-z])saml(?:2|request|response)?(?![a-z])|oauth|authori[sz]e|callback"
    r"|[?&#;](?:[\w-]*(?:token|signature|otp|jwt|secret)|(?:oob)?code|ticket|sig|auth|key|x-amz-[a-z]+|se|sas)=",
    re.IGNORECASE | re.ASCII,
)


def target_of(href: str) -> str:
    """The address to redirect to: `href` as a browser spells it. "" where the link must stay as it is."""
    text = href.strip(" \t\n\r\f")
    if not _PLAIN_START.match(text) or _FORBIDDEN.search(text) or len(text) > MAX_TARGET or _PERSONAL.search(text):
        return ""
    browsers = _as_browsers(text)
    return browsers if browsers and browsers == _as_python(text) else ""


def _as_browsers(text: str) -> str:
    try:
        return str(ada_url.URL(text).href)
    except ValueError:
        return ""


def _as_python(text: str) -> str:
    """RFC 3986 with the same freedoms: the host in A-labels, no default port, a path of at least "/". "" where it holds
    what may be read in two ways: user names, dot segments, numbers as hosts."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    path = parts.path or "/"
    if "@" in parts.netloc or any(each in (".", "..") for each in path.lower().replace("%2e", ".").split("/")):
        return ""
    name = _host(host)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    shown = "" if port in (None, default) else f":{port}"
    rest = quote(path, _PATH)
    rest += f"?{quote(parts.query, _QUERY)}" if parts.query else ""
    rest += f"#{quote(parts.fragment, _FRAGMENT)}" if parts.fragment else ""
    return f"{parts.scheme}://{name}{shown}{rest}" if name else ""


def _host(host: str) -> str:
    """As a domain name in A-labels, or an address in its one usual spelling; "" for anything else."""
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    try:
        name = idna.encode(host.removesuffix("."), strict=True).decode() + "." * host.endswith(".")
    except idna.IDNAError:
        return ""
    last = name.rstrip(".").rpartition(".")[2]
    return "" if last.isdigit() or last.startswith("0x") else name
