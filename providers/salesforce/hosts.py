"""Which hosts are Salesforce's: one strict allow-list for what people type and what providers answer (BI-I).

Patterns match the whole text; nothing is parsed first, so no two parsers can disagree. Must not resolve or connect."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from providers.errors import HostNotAllowed

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_SITE_PATH = r"(?P<path>/[A-Za-z0-9_-]{1,80})?"
_KINDS = r"(?:\.(?:sandbox|develop|scratch|demo|patch|trailblaze|free|stm|stmfa|stmfb))?"
_MY_DOMAIN = re.compile(rf"https://{_LABEL}{_KINDS}\.my\.salesforce\.com")
_SHARED_LOGIN = re.compile(r"https://(?:login|test)\.salesforce\.com")
_SITE = re.compile(
    rf"https://(?:{_LABEL}{_KINDS}\.my\.(?:site|salesforce-sites)\.com|{_LABEL}(?:\.{_LABEL})?\.force\.com){_SITE_PATH}"
)
_LIGHTNING = re.compile(rf"https://(?P<name>{_LABEL}{_KINDS})\.lightning\.force\.com")
_API = re.compile(
    rf"https://{_LABEL}(?:\.{_LABEL}){{0,3}}\.(?:salesforce\.com|force\.com|my\.site\.com|my\.salesforce-sites\.com)"
)
_TYPED = re.compile(r"[A-Za-z0-9.:/_-]{4,300}")
_ORIGIN = re.compile(rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*)(?P<port>:[0-9]{{1,5}})?")

#: Domain suffixes that the outbound connection accepts besides the operator's origins.
SUFFIXES = (".salesforce.com", ".force.com", ".my.site.com", ".my.salesforce-sites.com")

PRODUCTION = "https://login.salesforce.com"
SANDBOX = "https://test.salesforce.com"


def login_url(text: str, origins: Collection[str] = ()) -> str:
    """Where a person may sign in: login, test, a My Domain, an Experience Cloud site (with its path) or an operator's
    own https origin. Returns it without trailing slash; raises HostNotAllowed."""
    url = _typed(text)
    lightning = _LIGHTNING.fullmatch(url)
    if lightning:  # what stands in the address bar of a signed-in user; nobody can sign in there
        url = f"https://{lightning['name']}.my.salesforce.com"
    if any(pattern.fullmatch(url) for pattern in (_SHARED_LOGIN, _MY_DOMAIN, _SITE)):
        return url
    if url.startswith("https://") and _is_operators(url, origins, with_path=True):
        return url
    raise HostNotAllowed("This address is not a Salesforce login address.", provider="salesforce")


def api_url(url: str, origins: Collection[str] = ()) -> str:
    """The API origin of an `instance_url`, checked: Salesforce's own https hosts or an operator's https origin."""
    url = url.lower().removesuffix("/") if isinstance(url, str) else ""
    if _API.fullmatch(url) or (url.startswith("https://") and _is_operators(url, origins)):
        return url
    raise HostNotAllowed("Salesforce named an API host that is not allowed.", provider="salesforce")


def endpoint_url(url: str, origins: Collection[str] = ()) -> str:
    """An OAuth endpoint named by metadata: https on an allowed host, any plain path, no query."""
    match = re.fullmatch(r"(https://[^/?#\\@\s]+)((?:/[A-Za-z0-9._~-]+)*)/?", url) if isinstance(url, str) else None
    if match is None or ".." in match[2]:
        raise HostNotAllowed("Salesforce's metadata names an endpoint that is not allowed.", provider="salesforce")
    return api_url(match[1], origins) + match[2]


def browser_url(url: str, origins: Collection[str] = ()) -> str:
    """A page to which we send a person's browser (authorization, one-time link). https on an allowed host; plain http
    only on a loopback origin of the operator's."""
    parts = re.fullmatch(r"(https?://[^/?#\\@\s]+)(/[!-~]*)?", url) if isinstance(url, str) else None
    if parts is None or "\\" in url or "#" in url:
        raise HostNotAllowed("Salesforce named a page that is not allowed.", provider="salesforce")
    origin = parts[1].lower()
    if not (origin.startswith("http://") and _is_operators(origin, origins)):
        api_url(origin, origins)
    return origin + (parts[2] or "")


def page_url(api: str, authorization_endpoint: str, origins: Collection[str] = ()) -> str:
    """The origin of Salesforce's own pages: the API host, unless the operator's provider keeps pages elsewhere."""
    origin = "/".join(authorization_endpoint.split("/")[:3]).lower()
    return origin if _is_operators(origin, origins) else api


def is_loopback(url: str) -> bool:
    """True for an origin on this very machine; start-up refuses plain http on any other."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")


def is_sandbox_login(url: str) -> bool:
    """True where the login host itself says so; the organization's own IsSandbox is the authority (C5)."""
    return url == SANDBOX or ".sandbox." in url


def _typed(text: str) -> str:
    text = text.strip(" \t") if isinstance(text, str) else ""
    if not _TYPED.fullmatch(text):
        raise HostNotAllowed("This address is not a Salesforce login address.", provider="salesforce")
    text = text if "://" in text else f"https://{text}"
    scheme, _, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    path = (slash + path).removesuffix("/").removesuffix("/s")  # Experience Cloud shows its pages below /s
    return f"{scheme.lower()}://{host.lower()}{path}"


def _is_operators(url: str, origins: Collection[str], *, with_path: bool = False) -> bool:
    """`url` is exactly one of the operator's origins; http counts on loopback only."""
    match = _ORIGIN.match(url)
    if match is None or match.group() not in {origin.lower().rstrip("/") for origin in origins}:
        return False
    if match["scheme"] == "http" and not is_loopback(match.group()):
        return False
    rest = url[match.end() :]
    return not rest or (with_path and re.fullmatch(_SITE_PATH, rest) is not None)
