"""One connection, examined at its provider now, for `manage.py doctor --connection`. Uses the grant as any product
does, so a refusal reaches the connection's state; prints neither secret nor address."""

from collections.abc import Iterator
from uuid import UUID

from organizations.registries import Finding, Level, connection_examiners, doctor_pages
from providers.errors import HostNotAllowed, NeedsReconnect, ProviderError, RateLimited, Transient
from vault import causes, consent, dialects, grants, outbound, salesforce, standing, states
from vault.errors import (
    AppUnusable,
    ConnectRequired,
    KekUnusable,
    KeyGone,
    NotAllowedHere,
    TokenTampered,
    VaultError,
)
from vault.models import Connection, Credential
from vault.tokens import ConnectionTokens

PURPOSE = "vault.doctor"
_AGAIN = "The person connects again. If it is more than one connection: a restore? (docs/vault.md 6)"
#: What to do about what the vault itself raises, the special before the general.
_OURS: dict[type[VaultError], str] = {
    KekUnusable: "Give every process the key that was used (VAULT_KEK, docs/vault.md 3); a new one opens nothing.",
    TokenTampered: f"It was changed or put back: the audit log shows since when. {_AGAIN}",
    KeyGone: f"Was the key store restored or emptied? {_AGAIN}",
    AppUnusable: "Store the app anew: `manage.py salesforce_app` or `mail_app`. The connection stays as it is.",
    ConnectRequired: "It has just been ended. The person connects again, if it is still wanted.",
    NotAllowedHere: "Ask again in a minute.",
    VaultError: "`manage.py doctor` looks at keys and databases, the log says more.",
}


@connection_examiners.register("vault")
def examine(connection_id: UUID) -> Iterator[Finding]:
    row = Connection.objects.select_related("member").filter(pk=connection_id).first()
    if row is None:
        return
    label = dialects.label(row.provider)
    yield Finding(Level.OK, f"A connection to {label}, state {row.state}, granted scopes: {len(row.scopes)}.")
    if not row.member.is_active:
        yield Finding(Level.WARNING, "Its person has no access here any more; nothing uses it.", "Members page.")
    absent = consent.missing(row)
    if absent:
        yield _told(row, "scope_missing", Level.WARNING, f"Missing: {' '.join(absent)}.")
    yield _asked(row) if row.state in states.USABLE else _told(row, row.cause, Level.ERROR, row.reason)


def _asked(row: Connection) -> Finding:
    return _unopened(row) or _used(row)


def _unopened(row: Connection) -> Finding | None:
    """Why what is stored does not open; then nobody need be asked. A key service that is away is no provider."""
    try:
        grants.load(row)
    except VaultError as error:
        return _ours(error)
    except Credential.DoesNotExist:
        return _ours(ConnectRequired(row.provider))
    except Transient as error:
        return Finding(Level.ERROR, str(error), "Until it answers nothing opens; connections stay as they are.")
    return None


def _used(row: Connection) -> Finding:
    label = dialects.label(row.provider)
    try:
        _use(row)
    except NeedsReconnect as error:
        return _told(row, error.code or _stored_cause(row), Level.ERROR, str(error))
    except HostNotAllowed:
        return _told(row, "host_not_allowed", Level.ERROR, "")
    except RateLimited as error:
        return Finding(Level.WARNING, str(error), f"Wait; {label} lets us ask again in {error.retry_after:.0f} s.")
    except Transient as error:
        return _told(row, error.code, Level.ERROR, str(error))
    except ProviderError as error:
        return _told(row, error.code, Level.ERROR, str(error))
    except VaultError as error:
        return _ours(error)
    return Finding(Level.OK, f"{label} accepts it just now.")


def _ours(error: VaultError) -> Finding:
    advice = next(advice for kind, advice in _OURS.items() if isinstance(error, kind))
    text = "What is stored of it does not open. " if isinstance(error, (TokenTampered, KeyGone)) else ""
    return Finding(Level.ERROR, f"{text}{error}", advice)


def _use(row: Connection) -> None:
    """A token, renewed if refused; at Salesforce also one API call: signing in and using the API are two rights."""
    tokens = ConnectionTokens(row.pk, PURPOSE)
    access = tokens.access()
    outbound.give_back_database()
    session = dialects.session_for(row.provider)
    if not dialects.of(row.provider).works(access.token, access.api_url, session, row.subject):
        tokens.access(rejected=access.token)
    if row.provider == salesforce.PROVIDER:
        salesforce.current_access(tokens, row.organization_id)


def _stored_cause(row: Connection) -> str:
    return Connection.objects.values_list("cause", flat=True).get(pk=row.pk)


def _told(row: Connection, code: str, level: Level, message: str) -> Finding:
    cause = causes.of(row.provider, code)
    return Finding(level, f"{message} {cause.words}".strip(), causes.advice(cause))


@doctor_pages.register("vault")
def page() -> str:
    """docs/doctor.md."""
    tables = [_table("Any provider", causes.anywhere())]
    tables += [_table(dialects.label(name), causes.only_at(name)) for name in standing.PROVIDERS]
    return "\n".join([_INTRODUCTION, *tables])


_INTRODUCTION = """\
# The doctor

`manage.py doctor` looks at configuration, keys, databases, queue, processes, clocks, tracking, the app at each
provider, and at every connection in trouble, grouped by cause. It prints a line for each finding and what to do about
it, and ends with code 1 when something is wrong. `manage.py doctor --connection ID` asks that connection's provider
now. Neither prints a secret or an address.

Below: each cause that is known by a code, who mends it, and where. Made by `manage.py doctor --screens` from
`vault/causes.py`.
"""


def _where(cause: causes.Cause) -> str:
    return f"{cause.screen} {cause.hint}".strip()


def _table(title: str, known: dict[str, causes.Cause]) -> str:
    rows = [f"| `{code or '-'}` | {each.words} | {each.who} | {_where(each)} |" for code, each in sorted(known.items())]
    return "\n".join([f"## {title}\n", "| cause | what it means | mended by | where |", "|---|---|---|---|", *rows, ""])
