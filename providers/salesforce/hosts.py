"""Which hosts are Salesforce's: one strict allow-list for what people type and what providers answer (BI-I).

Patterns match the whole text; nothing is parsed first, so no two parsers can disagree. Must not resolve or connect."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from providers.errors import HostNotAllowed

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
#: A site's own path; never one below which its owner's pages and code stand on any host.
_SITE_PATH = r"(?P<path>/(?!(?i:apex|resource|services|servlet)(?:/|$))[A-Za-z0-9_-]{1,80})?"
_KINDS = r"(?:\.(?:sandbox|develop|scratch|demo|patch|trailblaze|free|stm|stmfa|stmfb))?"
_INSTANCE = r"[a-z]{2,6}[0-9]{1,4}[a-z]?"  # na139, cs12, usa2s
_MY_DOMAIN = re.compile(rf"https://{_LABEL}{_KINDS}\.my\.salesforce\.com")
_SHARED_LOGIN = re.compile(r"https://(?:login|test)\.salesforce\.com")
_SITE = re.compile(
    rf"https://(?:{_LABEL}{_KINDS}\.my\.(?:site|salesforce-sites)\.com|{_LABEL}(?:\.(?:secure|{_INSTANCE}))?\.force\.com){_SITE_PATH}"
)
_LIGHTNING = re.compile(rf"https://(?P<name>{_LABEL}{_KINDS})\.lightning\.force\.com")
#: Sites are none: an org's owner says what stands there, and the API does not need them.
_API = re.compile(rf"https://(?:{_LABEL}(?:{_KINDS}|\.{_INSTANCE})\.my|{_INSTANCE})\.salesforce\.com")
_PAGE = re.compile(
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
    """The API origin of an `instance_url`, checked: a My Domain, an instance or an operator's own https origin."""
    url = url.lower().removesuffix("/") if isinstance(url, str) else ""
    if _API.fullmatch(url) or (url.startswith("https://") and _is_operators(url, origins)):
        return url
    raise HostNotAllowed("Salesforce named an API host that is not allowed.", provider="salesforce")


def endpoint_url(url: object, own: str, origins: Collection[str] = (), *, is_page: bool = False) -> str:
    """An OAuth endpoint that metadata names, where it may be: `own`, the standard one below the login URL.

    The same path on another origin only where both are the operator's; plain http only for a page on loopback.
    Anywhere else an org's owner may run code of his own, which must not hear our client secret."""
    if isinstance(url, str) and url.lower() == own.lower():
        return own
    home = "/".join(own.split("/")[:3])
    path = own.removeprefix(home)
    origin = url.removesuffix(path) if isinstance(url, str) and url.endswith(path) else ""
    is_kind = origin.startswith("https://") or is_page
    if is_kind and _is_operators(home, origins) and _is_operators(origin, origins):
        return origin + path
    raise HostNotAllowed("Salesforce's metadata names an endpoint that is not allowed.", provider="salesforce")


def check_identity_base(base: str, origins: Collection[str] = (), login_url: str | None = None) -> None:
    """Raise HostNotAllowed unless an identity URL may begin with `base` (C11): login, test, an API host, an operator's
    origin or a site; where `login_url` is given, only the site that the person signed in at."""
    host = "/".join(base.split("/")[:3]).lower()
    if _SHARED_LOGIN.fullmatch(host) or _API.fullmatch(host) or _is_operators(host, origins):
        return
    if _SITE.fullmatch(host) and (login_url is None or f"{login_url}/".startswith(f"{host}/")):
        return
    raise HostNotAllowed("Salesforce named an identity on a host that is not allowed.", provider="salesforce")


def browser_url(url: str, origins: Collection[str] = ()) -> str:
    """A page to which we send a person's browser (authorization, one-time link). https on an allowed host; plain http
    only on a loopback origin of the operator's."""
    parts = re.fullmatch(r"(https?://[^/?#\\@\s]+)(/[!-~]*)?", url) if isinstance(url, str) else None
    if parts is None or "\\" in url or "#" in url:
        raise HostNotAllowed("Salesforce named a page that is not allowed.", provider="salesforce")
    origin = parts[1].lower()
    if not (_PAGE.fullmatch(origin) or _is_operators(origin, origins)):
        raise HostNotAllowed("Salesforce named a page that is not allowed.", provider="salesforce")
    return origin + (parts[2] or "")


def page_url(api: str, authorization_endpoint: str, origins: Collection[str] = ()) -> str:
    """The origin of Salesforce's own pages: the API host, unless the operator's provider keeps pages elsewhere."""
    origin = "/".join(authorization_endpoint.split("/")[:3]).lower()
    return origin if _is_operators(origin, origins) else api


def is_loopback(url: str) -> bool:
    """True for an origin on this very machine; start-up refuses plain http on any other."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")


def is_one_orgs(url: str, origins: Collection[str] = ()) -> bool:
    """Whether nobody but one org's people sign in at a checked login URL: its My Domain, or a site of its own, which
    both bear its name (help.salesforce.com "What Is My Domain?"). Of an origin of the operator's nobody but he can say:
    any number of orgs may be behind it."""
    is_named = _MY_DOMAIN.fullmatch(url) or _SITE.fullmatch(url)
    return is_named is not None and not _is_operators(url, origins, with_path=True)


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
