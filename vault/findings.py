"""Lines of `manage.py doctor` about clocks, proofs, incidents, restores and the spool. Changes nothing."""

from collections.abc import Iterator
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from django.db.models import Count, Min
from django.db.models.functions import Now

from organizations.registries import Finding, Level, doctor_checks
from providers import http
from providers.errors import ProviderError
from vault import causes, clock, dialects, incidents, proof, spool, states, suspicion
from vault.models import Connection, Incident, State

_HOSTS = 5
_ADVICE = "Let it take its time from the network (chrony, systemd-timesyncd)."
_LATELY = timedelta(days=7)
_CONCERNED = "The people concerned connect again; the audit log (incident.recorded) names the connections."
_WHO = "`manage.py after_restore --list` names the people; whose state is needs_reconnect connects again."


@doctor_checks.register("vault.clock")
def clocks() -> Iterator[Finding]:
    """V22: this machine's clock, the database's, and those of the providers' hosts that grants live at."""
    off = clock.skew()
    if abs(off) > clock.ALARM:
        text = f"This machine's clock differs from the database's by {abs(off):.0f} seconds."
        yield Finding(Level.WARNING, text, _ADVICE)
    else:
        yield Finding(Level.OK, "This machine's clock and the database's agree.")
    yield from _providers_clocks()


def _providers_clocks() -> Iterator[Finding]:
    known = Connection.objects.order_by("provider").values_list("provider", "login_url").distinct()
    for provider, login_url in known[:_HOSTS]:
        off = _difference(provider, login_url)
        if off is not None and abs(off) > clock.ALARM:
            text = f"The database's clock differs from {dialects.label(provider)}'s by {abs(off):.0f} seconds."
            yield Finding(Level.WARNING, text, _ADVICE)


def _difference(provider: str, login_url: str) -> float | None:
    """Seconds between the database and the Date of a provider's own answer; None where there is none: anybody may
    have written the date of an error page."""
    url = dialects.of(provider).metadata_url(login_url)
    try:
        answer = http.ask(dialects.session_for(provider), "GET", url, is_write=False)
        said = parsedate_to_datetime(answer.headers["Date"])
    except (ProviderError, KeyError, ValueError):
        return None
    if answer.status_code != 200:
        return None
    return (clock.now() - (said if said.tzinfo else said.replace(tzinfo=UTC))).total_seconds()


@doctor_checks.register("vault.proof")
def proofs() -> Iterator[Finding]:
    """Healthy, and for more than a day nobody could ask the provider."""
    rows = Connection.objects.filter(state__in=(State.HEALTHY, State.REFRESHING), member__is_active=True)
    count = rows.exclude(last_success_at__gt=Now() - proof.GOOD_FOR).count()
    if count:
        advice = "Is the worker running (`vault.tasks.look_after_grants`), and does it reach the providers?"
        yield Finding(Level.WARNING, f"Connections not proven to work within a day: {count}.", advice)


@doctor_checks.register("vault.ending")
def foretold() -> Iterator[Finding]:
    """Whom a provider has told, when he connected, that the grant ends by itself: at Google an app in testing."""
    rows = Connection.objects.filter(ends_at__isnull=False, state__in=states.USABLE)
    for provider, count, first in rows.values_list("provider").annotate(count=Count("pk"), first=Min("ends_at")):
        text = f"Connections that {dialects.label(provider)} ends by itself: {count}, the first on {first:%Y-%m-%d}."
        yield Finding(Level.WARNING, text, causes.advice(causes.of(provider, "ended")))


@doctor_checks.register("vault.incidents")
def lately() -> Iterator[Finding]:
    """V13: how many of each kind within the last week; of a restore, which concerns all, in how many organizations."""
    recent = Incident.objects.filter(at__gt=Now() - _LATELY).values_list("kind")
    counted = recent.annotate(count=Count("pk"), organizations=Count("organization", distinct=True))
    for kind, count, organizations in counted.order_by("kind"):
        many, advice = f"{count} within seven days", _CONCERNED
        if kind == incidents.RESTORED:
            many, advice = f"organizations concerned within seven days: {organizations}", _WHO
        yield Finding(Level.WARNING, f"{incidents.SENTENCES[kind]} ({many})", advice)


@doctor_checks.register("vault.restore")
def restored() -> Iterator[Finding]:
    """V20: what is left of the last restore."""
    counted = suspicion.concerned().order_by("state").values_list("state").annotate(count=Count("pk"))
    for state, count in counted:
        yield Finding(Level.WARNING, f"Grants of a restored database in state {state}: {count}.", _WHO)


@doctor_checks.register("vault.spool")
def kept_apart() -> Iterator[Finding]:
    """V5: an answer that nobody can put down while the database is away is lost, and the grant may be with it."""
    if told := spool.trouble():
        advice = "Give the folder to the user as whom the web and worker processes run (chown -R), mode 700."
        yield Finding(Level.ERROR, f"{told} An answer that comes while the database is away would be lost.", advice)
