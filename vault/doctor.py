"""The vault's lines of `manage.py doctor`: keys, the apps at the providers, connections in trouble by cause.

Registered in ready(). Calls providers, and stores nothing; clocks, proofs and incidents are in findings.py."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.db.models.functions import Now

from organizations.models import Organization
from organizations.registries import Finding, Level, doctor_checks
from providers.errors import HostNotAllowed, ProviderError
from vault import (
    causes,
    checks,
    connect,
    consent,
    dialects,
    holders,
    keys,
    mailboxes,
    refused,
    registrations,
    salesforce,
)
from vault.errors import KekUnusable, VaultError
from vault.models import (
    ClientRegistration,
    Connection,
    DatabaseMark,
    DataKey,
    DayKey,
    DiscardedGrant,
    LiveProcess,
    State,
)
from vault.routers import KEY_STORE

_TROUBLED = (State.NEEDS_RECONNECT, State.DEGRADED)
#: Connections looked through for scopes that a feature needs, at most.
_MOST = 5_000
_BEAT_WITHIN = timedelta(minutes=3)


@doctor_checks.register("vault.key")
def key() -> Iterator[Finding]:
    try:
        keys.verify_kek()
    except KekUnusable as error:
        yield Finding(Level.ERROR, str(error), "Restore the key that was used; a new one opens nothing.")
    except ProviderError as error:
        yield Finding(Level.ERROR, str(error), "The key service holds the key: without it nothing opens.")
    else:
        yield Finding(Level.OK, "The vault's key opens what is stored.")
    for message, advice in checks.kept_unwisely():
        yield Finding(Level.WARNING, message, advice)


@doctor_checks.register("vault.orphans")
def orphans() -> Iterator[Finding]:
    """Data keys that outlive their organization would undo its destruction."""
    kept = set(DataKey.objects.using(KEY_STORE).values_list("organization_id", flat=True).distinct())
    here = (Organization, DayKey)  # a day's pair has a key of its own, which goes with its day (days.py)
    gone = kept.difference([keys.INSTANCE], *(model.objects.values_list("pk", flat=True) for model in here))
    if gone:
        advice = "Was the key store restored from before a destruction? Then delete these keys again (docs/vault.md 7)."
        yield Finding(Level.WARNING, f"Data keys of organizations that are not here: {len(gone)}.", advice)


@doctor_checks.register("vault.processes")
def processes() -> Iterator[Finding]:
    living = Counter(name.split(" ")[0] for name in holders.living().values_list("name", flat=True))
    for role, start in (("web", "granian"), ("worker", "celery -A config worker")):
        if living[role]:
            yield Finding(Level.OK, f"Live {role} processes: {living[role]}.")
        else:
            yield Finding(Level.ERROR, f"No {role} process has been heard of for a minute.", f"Start one: {start} ...")
    silent = LiveProcess.objects.exclude(pk__in=holders.living().values("pk")).count()
    if silent:
        yield Finding(Level.WARNING, f"Processes not heard of for a minute: {silent}.", "They ended without good-bye.")
    yield _beat()


def _beat() -> Finding:
    if DatabaseMark.objects.filter(moved_at__gt=Now() - _BEAT_WITHIN).exists():
        return Finding(Level.OK, "Periodic tasks run.")
    return Finding(Level.ERROR, "No periodic task has run for three minutes.", "Start one: celery -A config beat")


@doctor_checks.register("vault.apps")
def apps() -> Iterator[Finding]:
    """For each provider: is there an app, does its host answer, and which redirect URI has to be registered there."""
    yield from _salesforce_app()
    for provider in mailboxes.PROVIDERS:
        yield from _mailbox_app(provider)


@doctor_checks.register("vault.stored_apps")
def stored_apps() -> Iterator[Finding]:
    with suppress(KekUnusable, ProviderError):  # then `key` says why nothing opens
        yield from map(_unusable_app, registrations.unusable())


def _unusable_app(row: ClientRegistration) -> Finding:
    """Nobody connects or renews with it until then; the connections stay as they are."""
    command = "salesforce_app" if row.provider == salesforce.PROVIDER else "mail_app"
    whose = f" of organization {row.organization_id}" if row.organization_id else ""
    message = f"{dialects.label(row.provider)}: the app stored for {row.login_url}{whose} does not open."
    advice = f"It was changed, put back, or its key is gone. Store it anew: `manage.py {command} --client-id ...`."
    return Finding(Level.ERROR, message, advice)


def _salesforce_app() -> Iterator[Finding]:
    of_customers = ClientRegistration.objects.filter(provider=salesforce.PROVIDER)
    if not registrations.is_there("") and not of_customers.exists():
        advice = "Set SALESFORCE_CLIENT_ID, or store a customer's own app with `manage.py salesforce_app`."
        yield Finding(Level.ERROR, "No Salesforce app is configured, so nobody can sign in.", advice)
        return
    found = [_reach(salesforce.PROVIDER, login_url, connect.redirect_uri) for login_url in salesforce.login_choices()]
    some_answer = any(finding.level == Level.OK for finding in found)
    for finding in found:  # who uses only his own org need not reach the others
        yield replace(finding, level=Level.WARNING) if some_answer and finding.level != Level.OK else finding


def _mailbox_app(provider: str) -> Iterator[Finding]:
    label = dialects.label(provider)
    if not getattr(settings, f"{provider.upper()}_CLIENT_ID"):
        own = ClientRegistration.objects.filter(provider=provider).count()
        told = f"No {label} app for everybody is configured; organizations with one of their own: {own}."
        yield Finding(Level.OK if own else Level.WARNING, told, f"Set {provider.upper()}_CLIENT_ID and its secret.")
    else:
        yield _reach(provider, mailboxes.login_url(provider), lambda *_, **__: mailboxes.redirect_uri(provider))


def _reach(provider: str, login_url: str, uri: object) -> Finding:
    label = dialects.label(provider)
    try:
        server = dialects.server_at(provider, login_url)
    except HostNotAllowed:
        return _cause(provider, "host_not_allowed", Level.ERROR, f"{label}: {login_url} cannot be used.")
    except (ProviderError, VaultError):
        return _cause(provider, "unreachable", Level.ERROR, f"{label}: {login_url} cannot be reached.")
    where = uri(login_url, announces_iss=server.announces_iss) if callable(uri) else ""
    return Finding(Level.OK, f"{label}: {login_url} answers. Redirect URI to register there: {where}")


def _cause(provider: str, code: str, level: Level, message: str) -> Finding:
    cause = causes.of(provider, code)
    return Finding(level, f"{message} {cause.words}", causes.advice(cause))


@doctor_checks.register("vault.connections")
def connections() -> Iterator[Finding]:
    found = Connection.objects.values_list("state").annotate(count=Count("pk")).order_by("state")
    told = ", ".join(f"{count} {state}" for state, count in found) or "none yet"
    yield Finding(Level.OK, f"Connections: {told}.")
    yield from in_trouble()
    waiting = DiscardedGrant.objects.count()
    if waiting:
        yield Finding(Level.WARNING, f"Grants not yet revoked at their provider: {waiting}.", "They are retried.")


def in_trouble() -> Iterator[Finding]:
    """Grouped by what is wrong; an active member's only, since nothing is to be mended for the others."""
    rows = Connection.objects.filter(state__in=_TROUBLED, member__is_active=True)
    kinds = rows.values_list("provider", "state", "cause").annotate(count=Count("pk")).order_by("-count", "state")
    for provider, state, code, count in kinds:
        same = rows.filter(provider=provider, state=state, cause=code)
        some = [str(pk) for pk in same.values_list("pk", flat=True)[:3]]
        message = f"{dialects.label(provider)}: {count} in trouble ({', '.join(some)}{' ...' if count > 3 else ''})."
        known = code or (causes.PASSING if state == State.DEGRADED else "")
        yield _cause(provider, known, Level.WARNING, message)


@doctor_checks.register("vault.scopes")
def scopes() -> Iterator[Finding]:
    """Features that are on, and not covered by what the person has granted."""
    live = Connection.objects.filter(state=State.HEALTHY, member__is_active=True).select_related("member")
    lacking = Counter(row.provider for row in live[:_MOST] if consent.missing(row))
    for provider, count in lacking.items():
        yield _cause(provider, "scope_missing", Level.WARNING, f"{dialects.label(provider)}: {count}.")


@doctor_checks.register("vault.sign_ins")
def sign_ins() -> Iterator[Finding]:
    """What kept people from getting in at all within the last week: there is no connection yet that could tell."""
    for provider, code, count in refused.lately():
        message = f"{dialects.label(provider)}: sign-ins refused within a week: {count}."
        yield _cause(provider, code, Level.WARNING, message)
