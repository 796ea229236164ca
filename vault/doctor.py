"""The vault's lines of `manage.py doctor`. Registered in ready()."""

from collections.abc import Iterator

from django.db.models import Count

from organizations.registries import Finding, Level, doctor_checks
from vault import keys, registrations, salesforce
from vault.errors import KekUnusable
from vault.models import ClientRegistration, Connection, DiscardedGrant, State


@doctor_checks.register("vault.key")
def key() -> Iterator[Finding]:
    try:
        keys.verify_kek()
    except KekUnusable as error:
        yield Finding(Level.ERROR, str(error), "Restore the key that was used; a new one opens nothing.")
    else:
        yield Finding(Level.OK, "The vault's key opens what is stored.")


@doctor_checks.register("vault.salesforce_app")
def app() -> Iterator[Finding]:
    if registrations.client_at("") is None and not ClientRegistration.objects.exists():
        advice = "Set SALESFORCE_CLIENT_ID, or store a customer's own app with `manage.py salesforce_app`."
        yield Finding(Level.ERROR, "No Salesforce app is configured, so nobody can sign in.", advice)
    else:
        yield Finding(
            Level.OK, f"A Salesforce app is configured; login hosts offered: {len(salesforce.login_choices())}."
        )


@doctor_checks.register("vault.connections")
def connections() -> Iterator[Finding]:
    found = Connection.objects.values_list("state").annotate(count=Count("pk"))
    for state, count in found.order_by("state"):
        level = Level.WARNING if state in (State.NEEDS_RECONNECT, State.DEGRADED) else Level.OK
        yield Finding(level, f"Connections in state {state}: {count}.")
    waiting = DiscardedGrant.objects.count()
    if waiting:
        yield Finding(Level.WARNING, f"Grants not yet revoked at their provider: {waiting}.", "They are retried.")
