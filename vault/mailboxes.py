"""Connecting a mailbox and calendar at Google or Microsoft, for a member who is signed in (C1, C10).

Stores nothing before the provider has said whose it is; signs nobody in."""

from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from organizations import audit, epochs, locks
from organizations.models import Member
from providers import oauth
from providers.base import Account, Secret
from providers.errors import HostNotAllowed, NeedsReconnect, PermissionMissing, ProviderError, RateLimited, Transient
from vault import (
    causes,
    clock,
    consent,
    dialects,
    grants,
    keys,
    pending,
    registrations,
    revocation,
    states,
    withdrawals,
)
from vault.errors import KeyGone, NotAllowedHere, TokenTampered
from vault.grants import Grant
from vault.models import ENDED, Connection
from vault.pending import Expected

PROVIDERS = ("google", "microsoft")
_MOST_SCOPES, _LONGEST_SCOPE = 50, 120
_MIXED_UP = "The answer came from another provider than the one you were sent to. Nothing was connected."
_APP_CHANGED = "The app that this was begun with has been changed meanwhile. Please start again."
_SOMEBODY_ELSE = "This was begun by another person in this browser. Please start again."
_NO_MEMBER = "Your access here has been ended, so nothing was connected."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back in the browser's address, at `provider`'s own address."""

    provider: str
    state: str
    iss: str | None


def login_url(provider: str) -> str:
    """Where the operator has people sent; the real provider unless he says otherwise."""
    url: str = {"google": settings.GOOGLE_OAUTH_URL, "microsoft": settings.MICROSOFT_LOGIN_URL}[provider]
    return url


def redirect_uri(provider: str) -> str:
    """One for each provider, so that one provider's answer is never taken for the other's (RFC 9700 4.4.2)."""
    return f"{settings.PUBLIC_URL}/connect/{provider}/callback/"


def current(member: Member, provider: str) -> Connection | None:
    """The member's connection at this provider, usable or to be mended."""
    rows = Connection.objects.filter(member=member, provider=provider).exclude(state__in=ENDED)
    return rows.order_by("-connected_at").first()


def has_app(provider: str, member: Member) -> bool:
    """Whether there is one of the member's organization or of the operator's. Opens nothing: no key is needed to say
    what can be connected."""
    return registrations.is_there(login_url(provider), provider, member.organization_id)


def require_app(provider: str, member: Member) -> None:
    """Raises NotAllowedHere (400) where there is no app."""
    if not has_app(provider, member):
        name = provider.upper()
        raise NotAllowedHere(
            f"Connecting {dialects.label(provider)} is not set up here yet.",
            advice=(f"The operator registers an app there and sets {name}_CLIENT_ID and {name}_CLIENT_SECRET.",),
        )


def client_at(provider: str, member: Member) -> oauth.Client:
    """The app of the member's organization, else the operator's. Raises NotAllowedHere (400) where there is none,
    AppUnusable."""
    require_app(provider, member)
    client = registrations.client_at(login_url(provider), provider, member.organization_id)
    if client is None:
        raise NotAllowedHere(_APP_CHANGED)
    return client


def begin(session: SessionBase, member: Member, provider: str, next_path: str) -> str:
    """Return the address at the provider to send the browser to. Raises NotAllowedHere.

    Asks for what the features need that are on now, no more; the page before it has said so."""
    client, spoken = client_at(provider, member), dialects.of(provider)
    server = _server_at(provider, login_url(provider))
    row, uri = current(member, provider), redirect_uri(provider)
    hint = row.subject if row and provider == "google" else ""  # Google takes its own id here, so no address travels
    request = spoken.authorize(
        server,
        client,
        uri,
        scopes=consent.wanted(member, provider),
        prompt="" if hint else "select_account",  # people have private accounts in the same browser
        login_hint=hint,
    )
    expected = Expected(
        server.login_url, server.issuer, client.client_id, uri, next_path, provider=provider, member=str(member.pk)
    )
    pending.remember(session, request.state, request.code_verifier, expected)
    return request.url


def expect(session: SessionBase, member: Member, answer: Answer) -> tuple[Expected, Secret]:
    """Use up the state; check that it is this member's, and the answer that of the provider asked (BI-B14, BI-B15)."""
    seen = pending.look(session, answer.state)
    is_theirs = (seen.provider, seen.redirect_uri) == (answer.provider, redirect_uri(answer.provider))
    server = _server(seen) if is_theirs else None  # first: where it does not answer (503), the state stays good
    expected, verifier = pending.claim(session, answer.state)
    if server is None or not oauth.is_expected_issuer(server, answer.iss):
        raise NotAllowedHere(_MIXED_UP)
    if expected.member != str(member.pk):
        raise NotAllowedHere(_SOMEBODY_ELSE, status=409)
    return expected, verifier


def complete(expected: Expected, verifier: Secret, code: Secret, member: Member) -> Connection:
    """Exchange the code, learn whose mailbox this is, store the grant. Raises NotAllowedHere with a sentence."""
    provider, server, since = expected.provider, _server(expected), clock.now()
    client = registrations.client_of(expected.login_url, expected.client_id, provider)
    if client is None:
        raise NotAllowedHere(_APP_CHANGED)
    try:
        tokens = dialects.exchange(
            provider, server, client, code=code, verifier=verifier, redirect_uri=expected.redirect_uri
        )
    except ProviderError as error:
        raise _refused(provider, error) from None
    grant = dialects.grant_from(tokens, server, client.client_id, since)
    try:
        account = dialects.account(provider, tokens)
    except ProviderError as error:
        _give_up(provider, "", grant, _refused(provider, error))
    row = _accept(provider, account, grant, member)
    if withdrawals.may_have_met(provider, account.subject, client.client_id, since):
        states.question(row.pk, row.generation)
    return row


def _server_at(provider: str, url: str) -> oauth.Server:
    try:
        return dialects.server_at(provider, url)
    except ProviderError as error:
        raise _refused(provider, error) from None


def _server(expected: Expected) -> oauth.Server:
    server = _server_at(expected.provider, expected.login_url)
    if server.issuer != expected.issuer:
        raise NotAllowedHere(_MIXED_UP)
    return server


def _accept(provider: str, account: Account, grant: Grant, member: Member) -> Connection:
    """Whatever goes wrong from here on, the fresh tokens are not left behind."""
    try:
        _require_lasting(provider, grant)
        _require_active(Member.objects.filter(pk=member.pk))  # else a key would be made for who has been destroyed
        _open_keys(member, provider, account)
        row, replaced = _store(provider, account, grant, member)
    except Exception as error:  # noqa: BLE001  also a bug or a database that is away must not leave a grant nobody knows of
        _give_up(provider, account.subject, grant, error)
    for discarded_id in replaced:
        revocation.finish(discarded_id)
    return row


def _open_keys(member: Member, provider: str, account: Account) -> None:
    """Before the transaction, since a key service is asked over HTTP; also that of a grant which is to be replaced."""
    mine = Connection.objects.filter(organization_id=member.organization_id, provider=provider, subject=account.subject)
    for connection_id in mine.values_list("pk", flat=True):
        with suppress(TokenTampered, KeyGone):  # no reason not to connect anew
            grants.open_keys(connection_id)
    keys.primary_key(member.organization_id)


def _give_up(provider: str, subject: str, grant: Grant, error: Exception) -> NoReturn:
    """End the fresh tokens at the provider, unless that would end a colleague's working connection too, or our
    database is away and cannot say. The person still sees the app there and may end it; we hold nothing."""
    with suppress(ProviderError, DatabaseError):
        withdrawals.end(grant, provider, subject)
    raise error from None


def _require_lasting(provider: str, grant: Grant) -> None:
    """All use is in the background, where nobody is there to consent again when an access token has run out."""
    label = dialects.label(provider)
    if grant.refresh_token is None:
        raise NotAllowedHere(
            f"{label} gave no lasting access, so nothing was connected.",
            advice=(f"Remove this app in your {label} account's list of connected apps, then connect again.",),
            status=403,
        )
    if len(grant.scopes) > _MOST_SCOPES or any(len(scope) > _LONGEST_SCOPE for scope in grant.scopes):
        raise NotAllowedHere(f"{label}'s answer names more scopes than it can.")


def _require_active(rows: QuerySet[Member]) -> None:
    """As stored now: the person may have been away at the provider for minutes. Raises NotAllowedHere (403).

    What ends an organization switches its members off in the same commit (organizations/erasing.py), so whoever holds
    the member's row holds off both."""
    if not [row for row in rows.select_related("organization") if _may_connect(row)]:
        raise NotAllowedHere(_NO_MEMBER, status=403)


def _may_connect(member: Member) -> bool:
    return member.is_active and member.organization.ending_since is None


@transaction.atomic
def _store(provider: str, account: Account, grant: Grant, member: Member) -> tuple[Connection, list[UUID]]:
    """Connection and sealed grant, all or nothing. Returns the row and the grants to revoke."""
    locks.one_at_a_time("connect", f"{provider} {member.pk}")  # else two windows could connect two accounts at once
    row = _locked_row(provider, account, grant, member)
    mine = Member.objects.filter(pk=member.pk)
    _require_active(mine.select_for_update(of=("self",), no_key=True))  # after the connection's row, as everywhere
    earlier = grants.load_if_any(row) if row.generation else None
    row.member, row.login_url, row.scopes = member, grant.login_url, list(grant.scopes)
    row.account, row.client_id = account.email[:320], grant.client_id
    row.save(update_fields=["member", "login_url", "scopes", "account", "client_id"])
    grants.store(row, grant)
    states.mend(row)
    Connection.objects.filter(pk=row.pk).update(connected_at=Now())
    _record(row, grant, member, replaced=earlier is not None)
    return row, [revocation.discard(row, earlier)] if earlier and earlier.id != grant.id else []


def _locked_row(provider: str, account: Account, grant: Grant, member: Member) -> Connection:
    """The one row of this account in this organization (V15), ours to write. Raises NotAllowedHere (409)."""
    key = {"organization_id": member.organization_id, "provider": provider, "subject": account.subject}
    Connection.objects.get_or_create(**key, defaults={"member": member, "login_url": grant.login_url})
    row = Connection.objects.select_for_update(of=("self",)).get(**key)
    if row.member_id != member.pk and row.state not in ENDED:
        raise NotAllowedHere(
            f"A colleague has connected this {dialects.label(provider)} account already. Nothing was changed.",
            advice=("One mailbox is connected once. The colleague can disconnect it, then you can connect it.",),
            status=409,
        )
    others = Connection.objects.filter(member=member, provider=provider).exclude(pk=row.pk).exclude(state__in=ENDED)
    if others.exists():
        raise NotAllowedHere(
            f"You chose another {dialects.label(provider)} account than the one that is connected here. "
            "Nothing was changed.",
            advice=("Start again and choose the account that is connected, or disconnect that one first.",),
            status=409,
        )
    return row


def _record(row: Connection, grant: Grant, member: Member, *, replaced: bool) -> None:
    epochs.bump("member", member.pk)  # what processes hold of "which connection is his" (clients); before the audit
    audit.record(
        row.organization_id,
        member,
        "connection.connected",
        row.pk,
        provider=row.provider,
        login_url=row.login_url,
        scopes=list(grant.scopes),
        missing=list(consent.missing(row)),
        unused=list(consent.unused(member, row.provider, grant.scopes)),
        fence=row.generation,
        token=grants.fingerprint(grant.access_token),
        replaced=replaced,
    )
    epochs.bump("connection", row.pk)


def _refused(provider: str, error: ProviderError) -> NotAllowedHere:
    """A failure of the provider as the sentence that the person reads."""
    if isinstance(error, (Transient, RateLimited)):
        return NotAllowedHere(f"{error} Please try again in a few minutes.", status=503)
    if isinstance(error, HostNotAllowed):
        return NotAllowedHere(str(error))
    if isinstance(error, NeedsReconnect):
        text = f"{dialects.label(provider)} did not accept this sign-in." if error.code in ("", "ended") else str(error)
        return NotAllowedHere(text, advice=("Please start again.",), cause=error.code)
    if isinstance(error, PermissionMissing):
        mended = causes.for_person(causes.of(provider, error.code), dialects.label(provider), "Then connect again.")
        return NotAllowedHere(str(error), advice=(mended,), status=403, cause=error.code)
    return NotAllowedHere(str(error))
