"""A provider whose hosts are few and fixed: which URLs may be its own, or the operator's instead. No I/O.

For Google and Microsoft. Salesforce, whose customers have hosts of their own, has its rules in salesforce/hosts.py."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from providers.errors import HostNotAllowed

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL}){{0,10}}|\[[0-9a-f:]{{2,39}}\])(?P<port>:[0-9]{{1,5}})?"
)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){0,10}/?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class OwnHosts:
    """`login`: the origin that people sign in at. `hosts`: every host of the provider that we may call."""

    provider: str
    label: str
    login: str
    hosts: tuple[str, ...]

    def operators(self, urls: Iterable[str]) -> tuple[str, ...]:
        """The origins among an operator's settings that are not the provider's own, for `http.Settings.origins`: only
        those may be private addresses, so the provider's own names must not be among them."""
        origins = dict.fromkeys(_origin(url.lower()) for url in urls)
        return tuple(origin for origin in origins if origin and not self._is_own(origin))

    def login_url(self, text: str, origins: Collection[str]) -> str:
        """The provider's sign-in origin or the operator's https one. Raises HostNotAllowed."""
        url = text.lower().rstrip("/") if isinstance(text, str) else ""
        if url == self.login or (url.startswith("https://") and url in _normal(origins)):
            return url
        raise self._refused("This address is not one where people sign in.")

    def endpoint(self, url: object, login_url: str, origins: Collection[str], *, is_page: bool = False) -> str:
        """An endpoint that the metadata of `login_url` names: on the provider's own hosts, or for an operator's on his.

        Plain http only for a page that a browser opens on the very machine that the operator's login URL is on."""
        origin = _origin(url) if isinstance(url, str) else ""
        path = url[len(origin) :] if isinstance(url, str) else ""
        if origin and _PATH.fullmatch(path) and self._may(origin, login_url, origins, is_page):
            return origin + path
        raise self._refused("The sign-in service names an endpoint that is not allowed; nothing was sent.")

    def api_url(self, url: str, origins: Collection[str]) -> str:
        """An API origin, https, the provider's or the operator's. Raises HostNotAllowed."""
        origin = url.lower().rstrip("/") if isinstance(url, str) else ""
        is_allowed = self._is_own(origin) or origin in _normal(origins)
        if origin.startswith("https://") and _ORIGIN.fullmatch(origin) and is_allowed:
            return origin
        raise self._refused("The API host is not allowed; nothing was sent.")

    def _may(self, origin: str, login_url: str, origins: Collection[str], is_page: bool) -> bool:
        if login_url == self.login:
            return self._is_own(origin)
        if origin.startswith("https://"):
            return origin in _normal(origins)
        return is_page and _is_loopback(origin) and _is_loopback(login_url)

    def _is_own(self, origin: str) -> bool:
        return origin in {f"https://{host}" for host in self.hosts}

    def _refused(self, text: str) -> HostNotAllowed:
        return HostNotAllowed(f"{self.label}: {text}", provider=self.provider)


def _origin(url: str) -> str:
    match = _ORIGIN.match(url)
    return match.group() if match and url[match.end() :][:1] in ("", "/") else ""


def _normal(origins: Collection[str]) -> set[str]:
    return {origin.lower().rstrip("/") for origin in origins}


def _is_loopback(origin: str) -> bool:
    match = _ORIGIN.fullmatch(origin)
    return match is not None and (match["host"] in _LOOPBACK or match["host"].endswith(".localhost"))
