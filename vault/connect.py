"""Connecting to Salesforce, which is also signing in: begin, and complete when the browser comes back (C1, C11).

Stores nothing before Salesforce has said who the person is and that the API is open to them."""

import hmac
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError

from organizations.membership import NotWelcome
from organizations.models import Member
from providers import oauth
from providers.base import Identity, Secret
from providers.errors import (
    HostNotAllowed,
    NeedsReconnect,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Transient,
)
from vault import admission, causes, clock, dialects, pending, refused, registrations, revocation, salesforce
from vault.errors import NotAllowedHere, VaultError
from vault.grants import Grant
from vault.pending import Expected

log = logging.getLogger("sidebar.vault")

_NO_CLIENT = "This address has no Salesforce app configured yet."
_NO_CLIENT_ADVICE = (
    "An administrator makes an External Client App in Salesforce.",
    "Its consumer key is then stored here with `manage.py salesforce_app`.",
)
_NOT_SALESFORCE = "This is not a Salesforce login address."
_HOST_ADVICE = (
    "Use Production or Sandbox, or your My Domain such as acme.my.salesforce.com, or the address of your site.",
)
_MIXED_UP = "The answer came from another login host than the one you were sent to. Nothing was connected."
#: (any of these words in what Salesforce says, code of causes.py).
_SAID = (
    (("blocked",), "app_blocked"),
    (("installed", "app_not_found"), "app_not_installed"),
    (("admin_approved", "not admin approved", "app_access_denied"), "admin_approval"),
)


@dataclass(frozen=True, slots=True)
class Callback:
    """What came back in the browser's address. `login_key` is the part of the path that names the login host."""

    state: str
    code: Secret
    iss: str | None
    login_key: str | None


@dataclass(frozen=True, slots=True)
class Completed:
    member: Member
    next: str


def login_key(login_url: str) -> str:
    """A stable name for a login host, for its own redirect URI. Must never change: customers register it."""
    return hmac.digest(b"salesforce login host v1", login_url.encode(), "sha256").hex()[:20]


def redirect_uri(login_url: str, *, announces_iss: bool = False) -> str:
    """One for all hosts that name themselves in the answer (RFC 9207), else one per login host (RFC 9700 4.4.2)."""
    base = f"{settings.PUBLIC_URL}/connect/salesforce/callback/"
    return base if announces_iss else f"{base}{login_key(login_url)}/"


def begin(session: SessionBase, login_text: str, next_path: str, prompt: str = "") -> str:
    """Return the address at Salesforce to send the browser to; `prompt` as OpenID Connect has it ("login": ask again).

    Raises NotAllowedHere."""
    try:
        login_url = salesforce.login_url(login_text)
        client = registrations.client_at(login_url)
        if client is None:
            raise NotAllowedHere(_NO_CLIENT, advice=_NO_CLIENT_ADVICE)
        server = dialects.server_at(salesforce.PROVIDER, login_url)
    except HostNotAllowed:
        raise NotAllowedHere(_NOT_SALESFORCE, advice=_HOST_ADVICE) from None
    except ProviderError as error:
        raise _unavailable(error) from None
    uri = redirect_uri(login_url, announces_iss=server.announces_iss)
    dialect = dialects.of(salesforce.PROVIDER)
    request = dialect.authorize(server, client, uri, scopes=dialect.scopes_for(()), prompt=prompt)
    expected = Expected(login_url, server.issuer, client.client_id, uri, next_path)
    pending.remember(session, request.state, request.code_verifier, expected)
    return request.url


def expect(session: SessionBase, callback: Callback) -> tuple[Expected, Secret]:
    """Use up the state and check that the answer comes from the host we sent the person to (BI-B14, BI-B15)."""
    seen, base = pending.look(session, callback.state), redirect_uri("", announces_iss=True)
    came_to = f"{base}{callback.login_key}/" if callback.login_key else base
    server = _server(seen) if came_to == seen.redirect_uri else None  # first: after its 503 the state stays good
    expected, verifier = pending.claim(session, callback.state)
    if server is None or not oauth.is_expected_issuer(server, callback.iss):
        raise NotAllowedHere(_MIXED_UP)
    return expected, verifier


def complete(expected: Expected, verifier: Secret, code: Secret, signed_in: Member | None) -> Completed:
    """Exchange the code, learn who this is, store the grant. Raises NotAllowedHere with a sentence for the person."""
    server, since = _server(expected), clock.now()
    try:
        client = registrations.client_of(expected.login_url, expected.client_id, salesforce.PROVIDER)
        if client is None:
            raise NotAllowedHere(_NO_CLIENT, advice=_NO_CLIENT_ADVICE)
        tokens = dialects.exchange(
            salesforce.PROVIDER, server, client, code=code, verifier=verifier, redirect_uri=expected.redirect_uri
        )
    except ProviderError as error:
        raise _refused(error) from None
    return _accept(salesforce.grant_from(tokens, server, expected.client_id, since), expected, signed_in)


def _server(expected: Expected) -> oauth.Server:
    try:
        server = dialects.server_at(salesforce.PROVIDER, expected.login_url)
    except ProviderError as error:
        raise _unavailable(error) from None
    if server.issuer != expected.issuer:
        raise NotAllowedHere(_MIXED_UP)
    return server


def _accept(grant: Grant, expected: Expected, signed_in: Member | None) -> Completed:
    """Whatever goes wrong from here on, the fresh tokens are ended at Salesforce: nothing is left behind."""
    try:
        identity = salesforce.identify(grant)
        _require_scopes(grant)
        _require_same_person(identity, signed_in)
        seen = salesforce.object_access(grant)
        member, replaced = admission.admit(grant, identity, seen)
    except NotWelcome as error:
        _give_up(grant, NotAllowedHere(error.reason, status=403))
    except ProviderError as error:
        _give_up(grant, _refused(error))
    except Exception as error:  # noqa: BLE001  also a bug or a database that is away must not leave a grant nobody knows of
        _give_up(grant, error)
    for discarded_id in replaced:
        revocation.finish(discarded_id)
    _hand_over(expected.login_url, member)
    return Completed(member, expected.next)


def _hand_over(login_url: str, member: Member) -> None:
    """The app of this login host is the member's organization's. No reason to fail: the next sign-in tries again."""
    try:
        registrations.hand_over(login_url, member.organization_id)
    except (VaultError, ProviderError) as error:
        log.warning("an app was not handed over to its organization: %s", type(error).__name__)


def _give_up(grant: Grant, error: Exception) -> NoReturn:
    with suppress(ProviderError):  # the person still sees the app in Salesforce and may end it there; we hold nothing
        dialects.revoke(grant, salesforce.PROVIDER)
    with suppress(ProviderError, DatabaseError):  # where there is no database to be had, there is no log either
        refused.record(salesforce.org_id_of(grant), grant.access_token)
    raise error from None


def _require_scopes(grant: Grant) -> None:
    if "api" not in grant.scopes and "full" not in grant.scopes:
        raise NotAllowedHere("Salesforce gave no API access to this app, so nothing was connected.", status=403)


def _require_same_person(identity: Identity, signed_in: Member | None) -> None:
    if signed_in is None:
        return
    here = (signed_in.organization.salesforce_org_id, signed_in.salesforce_user_id)
    if here[0] != identity.salesforce_org_id:
        raise NotAllowedHere(
            f"You are signed in here for {signed_in.organization.name}, but you chose a user of another "
            f"organization ({identity.organization_name}) at Salesforce. Nothing was changed.",
            advice=("Sign out here first if you want to change the organization.",),
            status=409,
        )
    if here[1] != identity.salesforce_user_id:
        raise NotAllowedHere(
            "You are signed in here as another person of this organization. Nothing was changed.",
            advice=("Sign out here first, or sign out at Salesforce and choose the right user.",),
            status=409,
        )


def _unavailable(error: ProviderError) -> NotAllowedHere:
    if isinstance(error, HostNotAllowed):
        return NotAllowedHere(str(error))
    return NotAllowedHere(f"{error} Please try again in a few minutes.", status=503)


def _refused(error: ProviderError) -> NotAllowedHere:
    if isinstance(error, (Transient, RateLimited)):
        return _unavailable(error)
    if isinstance(error, NeedsReconnect):
        return NotAllowedHere(str(error), advice=("Start the sign-in again.",), cause=error.code)
    if isinstance(error, PermissionMissing):
        mended = causes.for_person(causes.of(salesforce.PROVIDER, error.code), "Salesforce", "Then sign in here again.")
        return NotAllowedHere(str(error), advice=(mended,), status=403, cause=error.code)
    return NotAllowedHere(str(error))


def said_by_salesforce(error: str, description: str) -> NotAllowedHere:
    """The sentence for an error that came back instead of a code. Salesforce's text is shown escaped, and cut."""
    text, label = f"{error} {description}".lower(), dialects.label(salesforce.PROVIDER)
    for words, code in _SAID:
        if any(word in text for word in words):
            return causes.refusal(salesforce.PROVIDER, label, code, "Then sign in here again.")
    if error == "access_denied":
        return NotAllowedHere("You did not allow the access at Salesforce, so nothing was connected.", status=403)
    return NotAllowedHere(f"Salesforce did not complete the sign-in. It said: {(description or error)[:200]}")
