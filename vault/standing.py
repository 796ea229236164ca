"""How a person's connections stand, in words: what the API and the dashboard show. Reads; calls no provider.

Shows the person's own address to him alone; the provider's id of him to nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.formats import date_format

from organizations.models import Member
from vault import causes, clock, consent, dialects, mailboxes, proof, purposes
from vault.consent import ScopeShown
from vault.models import ENDED, SALESFORCE, Connection, State
from vault.policies import CALENDAR, EMAIL

PROVIDERS = (SALESFORCE, *mailboxes.PROVIDERS)


@dataclass(frozen=True, slots=True)
class Status:
    """A label's `words` and `tone` ("good", "warn", "bad", ""), the `reason`, and the `advice` what to do."""

    words: str
    tone: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A scope that is wanted and not granted. `feature`: what needs it, in words; "" where every use does."""

    scope: str
    purpose: str
    feature: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One connection as its own person may see it. `is_live`: it can be used or mended; else it is being ended."""

    connection: Connection
    label: str
    account: str
    is_live: bool
    shown: proof.Shown
    status: Status
    scopes: Sequence[ScopeShown]
    missing: Sequence[Missing]
    last_use: str
    ending_advice: str


def is_live(row: Connection) -> bool:
    """Whether it can be used or mended, and so ended."""
    return row.state not in ENDED


def rows() -> QuerySet[Connection]:
    """Connections that hold or may hold a grant, newest first."""
    return Connection.objects.exclude(state=State.SHREDDED).order_by("-connected_at")


def of(member: Member) -> list[Standing]:
    """The member's connections, newest first."""
    now = clock.now()
    return [_standing(row, member, now) for row in rows().filter(member=member).select_related("member")]


def _standing(row: Connection, member: Member, now: datetime) -> Standing:
    return Standing(
        connection=row,
        label=dialects.label(row.provider),
        account=row.account or (member.username if row.provider == SALESFORCE else ""),
        is_live=is_live(row),
        shown=proof.shown(row, now),
        status=status_of(row, now),
        scopes=consent.shown(member, row.provider, row.scopes),
        missing=_missing(row) if is_live(row) else (),
        last_use=purposes.in_words(row.last_used_for),
        ending_advice=dialects.of(row.provider).ending_advice,
    )


def _missing(row: Connection) -> list[Missing]:
    spoken = dialects.of(row.provider)
    return [Missing(scope, spoken.purpose_of(scope), _feature(row.provider, scope)) for scope in consent.missing(row)]


def _feature(provider: str, scope: str) -> str:
    spoken = dialects.of(provider)
    if scope in spoken.scopes_for(()):
        return ""
    return consent.in_words([feature for feature in (EMAIL, CALENDAR) if scope in spoken.scopes_for({feature})])


def status_of(row: Connection, now: datetime) -> Status:
    """What a connection's state means to people and what to do about it. `now`: the database's time."""
    shown = proof.shown(row, now)
    words, tone, advice = _WORDS.get(shown.state, (shown.state.label, "", ""))
    if shown.state is State.DEGRADED and row.state != State.DEGRADED:
        words = "Not proven lately"
    if row.cause == causes.SEAL_BROKEN and shown.state is State.DEGRADED:
        words, tone, advice = "Cannot be opened", "bad", _WORDS[State.NEEDS_RECONNECT][2]
    advice = _mender(row, shown.state) or advice.format(provider=_label(row)) or _foretold(row)
    return Status(words, tone, shown.reason, advice)


def _foretold(row: Connection) -> str:
    """Google says so of an app in testing, for seven days, and where a person has allowed access for a time only
    (developers.google.com/identity/protocols/oauth2/web-server, `refresh_token_expires_in`)."""
    if row.ends_at is None:
        return ""
    until = f"{_label(row)} ends this connection on {date_format(row.ends_at, 'j F Y')}"
    return f"{until}: access was given for a time only, as to every app that is in testing there. Connect again then."


def _mender(row: Connection, state: State) -> str:
    """Whom to ask, and for which screen, where connecting again alone would not help."""
    cause = causes.of(row.provider, row.cause)
    passes = row.cause == causes.UNREACHABLE  # the operator hears of it; to the person it is nobody's task
    if state not in (State.DEGRADED, State.NEEDS_RECONNECT) or passes or not causes.is_for_others(cause):
        return ""
    return causes.for_person(cause, _label(row), "Then connect again." if state is State.NEEDS_RECONNECT else "")


def _label(row: Connection) -> str:
    return dialects.label(row.provider)


_WORDS = {
    State.HEALTHY: ("Connected", "good", ""),
    State.REFRESHING: ("Connected", "good", ""),
    State.DEGRADED: ("Connected, with trouble", "warn", "There is nothing to do: we keep trying."),
    State.NEEDS_RECONNECT: ("Reconnect needed", "bad", "Connect again. Your settings stay as they are."),
    State.SUSPECT: (
        "Being checked",
        "warn",
        "We ask {provider} whether this connection still works.",
    ),
    State.REVOKING: ("Being ended", "", "It is not used any more. {provider} has not confirmed the end yet."),
}


def may_connect(member: Member, provider: str) -> bool:
    """Whether there is an app for him there, the operator's or his organization's own; with Salesforce everybody signs
    in, so it has one."""
    if provider == SALESFORCE:
        return True
    return mailboxes.has_app(provider, member)
