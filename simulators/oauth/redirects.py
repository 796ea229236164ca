"""Which redirect addresses a registered client may use: exact ones, and what RFC 8252 allows on loopback."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY = re.compile(r"^[A-Za-z0-9_.-]{1,64}/?$")


@dataclass
class Redirects:
    """`redirect_uris` match character by character. With `keys_below`, one further path segment (a login host's key)
    may follow; with `any_loopback_port`, an address on loopback may have another port (RFC 8252), nothing else."""

    redirect_uris: list[str] = field(default_factory=list, kw_only=True)
    keys_below: bool = field(default=False, kw_only=True)
    any_loopback_port: bool = field(default=False, kw_only=True)

    def accepts(self, redirect_uri: str) -> bool:
        return any(self._fits(allowed, redirect_uri) for allowed in self.redirect_uris)

    def _fits(self, allowed: str, asked: str) -> bool:
        if asked == allowed:
            return True
        try:
            want, got = urlsplit(allowed), urlsplit(asked)
            other_port = self.any_loopback_port and got.hostname in _LOOPBACK and got.port is not None
        except ValueError:
            return False
        if got.query or got.fragment or "@" in got.netloc or "\\" in asked or got.geturl() != asked:
            return False
        same_host = got.netloc.rpartition(":")[0] == want.netloc.rpartition(":")[0]
        if got.scheme != want.scheme or not (got.netloc == want.netloc or (other_port and same_host)):
            return False
        return got.path == want.path or (self.keys_below and self._key_below(want.path, got.path))

    def _key_below(self, path: str, asked: str) -> bool:
        stem = path if path.endswith("/") else path + "/"
        return asked.startswith(stem) and bool(_KEY.match(asked[len(stem) :]))
