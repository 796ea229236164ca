"""The one way to Salesforce: simple-salesforce over our session, with renewal, budget and errors by errorCode.

simple-salesforce is imported on first use (it pulls in zeep and lxml: 0.2 s) and never holds a token."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests

from providers.base import Access, Priority, Secret, TokenSource
from providers.errors import FreshTokenRefused, NeedsReconnect, ProviderError, RateLimited, Transient
from providers.http import Bearer, Session, ask
from providers.salesforce import failures, hosts
from providers.salesforce.budget import ApiBudget

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

T = TypeVar("T")

log = logging.getLogger("sidebar.providers")

#: Stands in simple-salesforce where it wants a host; each request goes to the api_url of its token instead.
_PLACEHOLDER = "salesforce.invalid"
_import_lock = threading.Lock()


class FixedToken:
    """A TokenSource over one access token that is not stored yet: used while signing in, never renewed."""

    def __init__(self, found: Access) -> None:
        self._access = found

    def access(self, *, rejected: Secret | None = None) -> Access:
        if rejected is not None:
            raise NeedsReconnect("Salesforce refuses the token that it has just given.", provider="salesforce")
        return self._access


class AuthorisedSession:
    """What simple-salesforce takes for its `requests.Session`: all of its calls, whichever method, pass `request`."""

    def __init__(self, tokens: TokenSource, http: Session, budget: ApiBudget, priority: Priority) -> None:
        self.proxies: dict[str, str] = {}
        self._tokens = tokens
        self._http = http
        self._budget = budget
        self._priority = priority

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, is_write: bool = True, **kwargs: Any
    ) -> requests.Response:
        """One call, repeated with another token on INVALID_SESSION_ID (before which nothing was done): first with one
        that somebody else may have got meanwhile, then with a renewed one.

        Raises from providers.errors only; FreshTokenRefused where that one is not accepted either."""
        sent = dict(headers or {})  # simple-salesforce's own Authorization is replaced when the token goes in
        is_write = is_write and method != "GET"
        return self._renewing(lambda access: self._once(access, method, url, is_write, headers=sent, **kwargs))

    def upload(
        self, path: str, headers: Mapping[str, str], body: Callable[[], AbstractContextManager[Any]], http: Session
    ) -> requests.Response:
        """POST a body that is made piece by piece, and from its beginning for each attempt; over a session of its own
        patience. Raises as `request`, and what making the body raises."""

        def once(access: Access) -> requests.Response:
            with body() as data:
                return self._once(access, "POST", path, True, http, headers=dict(headers), data=data)

        return self._renewing(once)

    def _renewing(self, once: Callable[[Access], requests.Response]) -> requests.Response:
        access = self._tokens.access()
        for is_last in (False, False, True):
            try:
                return once(access)
            except failures.SessionExpiredError:
                if is_last:
                    break
            access = self._tokens.access(rejected=access.token)
        raise FreshTokenRefused("salesforce", "Salesforce")

    def _once(
        self, access: Access, method: str, url: str, is_write: bool, http: Session | None = None, **kwargs: Any
    ) -> requests.Response:
        target = hosts.api_url(access.api_url, self._http.settings.origins) + _path_of(url)
        with self._budget.call(self._priority):
            response = ask(http or self._http, method, target, is_write=is_write, auth=Bearer(access.token), **kwargs)
            self._budget.saw(response.headers.get("Sforce-Limit-Info"))
        self._check(response, is_write)
        return response

    def _check(self, response: requests.Response, is_write: bool) -> None:
        if 200 <= response.status_code < 300:
            if response.status_code != 204 and response.content.lstrip()[:1] not in {b"{", b"["}:
                raise Transient(
                    "Salesforce answered with a page instead of data.", provider="salesforce", outcome_unknown=is_write
                )
            return
        body = failures.parsed(response.content)
        if failures.is_session_gone(response.status_code, body):
            raise failures.SessionExpiredError
        failure = failures.failure_of(
            response.status_code, body, is_write=is_write, retry_after=response.headers.get("Retry-After", "")
        )
        if isinstance(failure, RateLimited) and failure.daily:
            self._budget.exhausted()
        raise failure


class Wire:
    """One person's calls to Salesforce at one priority. Cheap to make; make one per use case."""

    def __init__(self, tokens: TokenSource, http: Session, budget: ApiBudget, api_version: str, priority: Priority):
        self.session = AuthorisedSession(tokens, http, budget, priority)
        self._version = api_version

    def call(self, use: "Callable[[Salesforce], T]", *, is_write: bool) -> T:
        """Use simple-salesforce; what it cannot parse becomes Transient, and none of its exceptions escapes."""
        client = _client(self.session, self._version)
        try:
            return use(client)
        except ProviderError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            log.warning("an answer of Salesforce was not understood: %s", type(error).__name__)
        raise Transient("Salesforce's answer was cut or garbled.", provider="salesforce", outcome_unknown=is_write)

    def composite(self, parts: list[dict[str, Any]]) -> dict[str, tuple[int, Any]]:
        """One API call for up to 25 read-only parts; {referenceId: (status, body)}."""
        body = {"allOrNone": False, "compositeRequest": parts}
        answer = self.call(
            lambda client: client.restful("composite/", method="POST", json=body, is_write=False), is_write=False
        )
        return self.call(lambda _: _by_reference(answer, parts), is_write=False)

    def path(self, resource: str) -> str:
        return f"/services/data/v{self._version}/{resource}"


def warm_up() -> None:
    """Import simple-salesforce now rather than in the first person's request; call it from a server's start-up."""
    with _import_lock:
        import simple_salesforce  # noqa: F401


def sobject(client: "Salesforce", name: str) -> Any:
    """The handle on an object. Not `client.<name>`: an object called "session" would be another thing."""
    from simple_salesforce.api import SFType

    return SFType(name, client.session_id, client.sf_instance, client.sf_version, session=client.session,
                  salesforce=client, object_pairs_hook=dict)  # fmt: skip


def _client(session: AuthorisedSession, version: str) -> "Salesforce":
    with _import_lock:  # two threads importing zeep at once can dead-lock on its lazy parts
        from simple_salesforce.api import Salesforce
    return Salesforce(
        session_id="(held by the session)",
        instance_url=f"https://{_PLACEHOLDER}",
        session=session,  # type: ignore[arg-type]
        version=version,
        object_pairs_hook=dict,
    )


def _by_reference(answer: Any, parts: list[dict[str, Any]]) -> dict[str, tuple[int, Any]]:
    """Raises KeyError where a part was left unanswered."""
    found = {part["referenceId"]: (int(part["httpStatusCode"]), part["body"]) for part in answer["compositeResponse"]}
    return {part["referenceId"]: found[part["referenceId"]] for part in parts}


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
