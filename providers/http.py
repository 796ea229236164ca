"""The only HTTP sessions: time-outs, TLS, pooling, allowed hosts, no cookies, no redirects, no environment.

A session never holds a token: it is shared by all clients of a process, and tokens travel with one request."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from providers import pinning
from providers.base import Secret
from providers.errors import HostNotAllowed, Transient

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 12.0
LARGEST_ANSWER = 10 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set. `origins`: his own hosts (`https://localhost:8101`), matched exactly, which alone may
    have private addresses. `host_suffixes`: the provider's own hosts, and domains where one begins with a dot; any
    other host is refused."""

    origins: frozenset[str] = frozenset()
    host_suffixes: tuple[str, ...] = ()
    ca_bundle: str = ""
    proxy: str = ""
    connect_seconds: float = CONNECT_SECONDS
    read_seconds: float = READ_SECONDS
    total_seconds: float = TOTAL_SECONDS
    largest_answer: int = LARGEST_ANSWER
    pool_size: int = field(default=64)

    def may_be_private(self, host: str, port: int) -> bool:
        """The connection policy: True for the operator's own origins, False for provider hosts, else HostNotAllowed."""
        if _origin(host, port) in {origin.lower().rstrip("/") for origin in self.origins}:
            return True
        if port == 443 and any(_is_of(host.lower(), suffix) for suffix in self.host_suffixes):
            return False
        raise HostNotAllowed("This host is not one of the provider's; nothing was sent.")


class AnswerTooLargeError(requests.RequestException):
    """The answer passed the size limit; the connection was closed."""


class Session(requests.Session):
    """A requests.Session bound to one Settings. https only; raises requests' own exceptions and HostNotAllowed."""

    def __init__(self, settings: Settings, resolver: pinning.Resolver = pinning.resolve) -> None:
        super().__init__()
        self.settings = settings
        self.trust_env = False  # no netrc, no proxy or CA variables: they would change who hears the token
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one person's cookie is not the next one's
        self.headers["User-Agent"] = "sidebar"
        self.adapters.clear()
        self.mount("https://", _Adapter(settings, resolver))
        if settings.proxy:
            self.proxies = {"https": _checked_proxy(settings.proxy)}

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        return super().request(method, url, *args, **kwargs)


class Bearer(AuthBase):
    """Puts the token on the one prepared request, so that no frame, session or keyword holds it in clear."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class SecretForm(AuthBase):
    """Form fields of a token request; secrets are revealed only into the prepared body."""

    def __init__(self, fields: Mapping[str, str | Secret]) -> None:
        self._fields = dict(fields)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        pairs = [(key, value.reveal() if isinstance(value, Secret) else value) for key, value in self._fields.items()]
        request.body = urlencode(pairs)
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        return request


def ask(http: Session, method: str, url: str, *, is_write: bool = True, **kwargs: Any) -> requests.Response:
    """One request; every failure of the network becomes Transient, with `outcome_unknown` where a write may have
    arrived. The answer no longer carries the Authorization header, nor a failure the frames that saw it."""
    failure: Exception
    try:
        response = http.request(method, url, **kwargs)
    except (requests.RequestException, HTTPError, OSError) as error:
        failure = _transient(error, is_write)
    except Exception as error:  # noqa: BLE001  HostNotAllowed, or a bug: raised again below, whatever it is
        failure = error.with_traceback(None)  # the frames of urllib3 hold body and headers in clear
        failure.__context__ = failure.__cause__ = None
    else:
        response.request.headers.pop("Authorization", None)
        response.request.body = None
        return response
    raise failure  # outside the handler: the original names URL and host, and would ride along as __context__


def _transient(error: Exception, is_write: bool) -> Transient:
    """TLS, connect and proxy failures come here only where nothing was sent: see _Adapter.send."""
    if isinstance(error, requests.exceptions.SSLError):
        return Transient("The provider's TLS certificate could not be verified; nothing was sent.", retry_after=60.0)
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.ProxyError)) or _never_connected(error):
        return Transient("The provider could not be reached.", retry_after=10.0)
    if isinstance(error, AnswerTooLargeError):
        return Transient("The provider's answer was too large.", outcome_unknown=is_write, retry_after=60.0)
    return Transient("The provider did not answer in time, or broke off.", outcome_unknown=is_write)


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


_sessions: dict[tuple[int, Settings], Session] = {}
_sessions_lock = threading.Lock()


def session(settings: Settings) -> Session:
    """The process' one session for these settings: keep-alive connections are shared by all clients of a host."""
    key = (os.getpid(), settings)  # a forked child must not share its parent's sockets
    with _sessions_lock:
        if key not in _sessions:
            _sessions[key] = Session(settings)
        return _sessions[key]


class _Adapter(HTTPAdapter):
    """Applies the time-outs, the pinned connections, the TLS context and the size limit to every request."""

    def __init__(self, settings: Settings, resolver: pinning.Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._context = pinning.tls_context(settings.ca_bundle)
        super().__init__(pool_connections=settings.pool_size, pool_maxsize=settings.pool_size)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **pool_kwargs)
        manager: PoolManager = self.poolmanager
        pinned = pinning.pool_class(self._settings.may_be_private, self._resolver)
        manager.pool_classes_by_scheme = {"https": pinned}

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        # The proxy resolves names then; which hosts may be asked for is still checked in send().
        return super().proxy_manager_for(proxy, ssl_context=self._context, **proxy_kwargs)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: the context verifies, with its own certificates, whatever the caller says."""

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: Any,  # noqa: ARG002 - ours is always the context's
        cert: Any = None,  # noqa: ARG002
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ARG002 - ours always apply
        verify: Any = True,
        cert: Any = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        self._check_host(request)
        with pinning.deadline(self._settings.total_seconds, self._settings.read_seconds):
            try:
                return self._exchange(request, stream, verify, dict(proxies or {}))
            except requests.ConnectionError:  # also "TLS" and "proxy", whose failures say that nobody was reached
                if not pinning.has_sent():
                    raise
        raise requests.ConnectionError("broke off after the request")

    def _exchange(
        self, request: requests.PreparedRequest, stream: bool, verify: Any, proxies: dict[str, str]
    ) -> requests.Response:
        """`stream`: the caller reads the body with limits of his own (providers.streaming); else it is read here."""
        limits = self._settings
        timeout = (limits.connect_seconds, limits.read_seconds)
        response = super().send(request, True, timeout, verify, None, proxies)
        if not stream:
            _read(response, limits.largest_answer)
        return response

    def _check_host(self, request: requests.PreparedRequest) -> None:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        if host["scheme"] != "https":
            raise HostNotAllowed("Only https is spoken to a provider.")
        self._settings.may_be_private(host["host"], host["port"] or 443)


def _read(response: requests.Response, limit: int) -> None:
    """Read the whole (decompressed) body while the deadline runs; no body is ever left on the wire."""
    parts: list[bytes] = []
    size = 0
    try:
        for part in response.iter_content(_CHUNK):
            size += len(part)
            if size > limit:
                raise AnswerTooLargeError("the answer is too large")
            pinning.remaining()
            parts.append(part)
    except TimeoutError:
        response.close()
        raise requests.ReadTimeout("deadline passed") from None
    except BaseException:
        response.close()
        raise
    # requests offers no public way to hand over a body that was read with limits.
    response._content = b"".join(parts)  # noqa: SLF001


def _is_of(host: str, suffix: str) -> bool:
    return host == suffix or (suffix.startswith(".") and host.endswith(suffix))


def _origin(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"https://{name.lower()}" + ("" if port == 443 else f":{port}")


def _checked_proxy(proxy: str) -> str:
    if not proxy.startswith("http://"):
        raise ValueError("OUTBOUND_PROXY must be an http:// proxy (it tunnels TLS and sees no content)")
    return proxy
