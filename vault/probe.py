"""Asks a provider whether a grant still works, where nobody has found out otherwise within a day (docs/vault.md 6).

Costs no API call. A token that is refused is renewed, as at any other use."""

import logging
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Greatest, Now

from providers.base import Access
from providers.errors import FreshTokenRefused, NeedsReconnect, ProviderError, RateLimited, Transient
from vault import causes, dialects, leases, outbound, proof, renewal, states
from vault.errors import AppUnusable, ConnectRequired, KekUnusable, KeyGone, OwnTrouble, TokenTampered, VaultError
from vault.models import Connection, State
from vault.tokens import ConnectionTokens

log = logging.getLogger("sidebar.vault")

PURPOSE = "vault.probe"
#: A probe that got no answer is made again after this long, doubling; one that got an answer, a day later.
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=15), timedelta(hours=6)


def probe(connection_id: UUID) -> None:
    """Find out, and keep what was found: proven, in need of its person, or not to be had just now."""
    row = Connection.objects.filter(pk=connection_id, member__is_active=True).first()
    if row is None:
        return
    try:
        _ask(row)
    except (NeedsReconnect, ConnectRequired):
        return  # the state says so already
    except (OwnTrouble, KekUnusable) as error:  # says nothing of the grant: its turn comes again in a moment
        log.info("a probe was put off: %s", type(error).__name__)
    except (TokenTampered, KeyGone):  # told by whoever met it (states.seal_broken): not asked for again before long
        _wait(row, _LONGEST_WAIT)
    except AppUnusable:  # the operator's to mend, and no fault of the grant: nothing is said of it
        _wait(row, _FIRST_WAIT)
    except (ProviderError, VaultError) as error:
        _put_off(row, error)
    except Exception as error:  # noqa: BLE001  a mistake of ours; it may quote what it met, so its name only
        log.error("probing a connection failed: %s", type(error).__name__)
        _wait(row, _FIRST_WAIT)


def _ask(row: Connection) -> None:
    tokens, reopened = ConnectionTokens(row.pk, PURPOSE), row.cause == causes.SEAL_BROKEN
    if reopened:
        leases.forget(row.pk, PURPOSE)
    access = tokens.access()
    if not _works(row, access) and not _works(row, tokens.access(rejected=access.token)):
        if tokens.generation is not None:
            error = FreshTokenRefused(row.provider, dialects.label(row.provider))
            states.doubt(row.pk, tokens.generation, error)
        return
    renewal.give_up_lost(row.pk)
    proof.note(row.pk, reopened=reopened)
    Connection.objects.filter(pk=row.pk).update(probe_at=None)


def _works(row: Connection, access: Access) -> bool:
    outbound.give_back_database()
    session = dialects.session_for(row.provider)
    return dialects.of(row.provider).works(access.token, access.api_url, session, row.subject)


def _wait(row: Connection, wait: timedelta) -> None:
    """Not asked again before. That a renewal lost its holder needs no provider to be told (I10)."""
    renewal.give_up_lost(row.pk)
    Connection.objects.filter(pk=row.pk).update(probe_at=Now() + wait)


def _put_off(row: Connection, error: ProviderError | VaultError) -> None:
    """Nobody could be asked: said in words, and nobody is asked again before the provider wants it."""
    renewal.give_up_lost(row.pk)
    wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(row.failures, 8))
    asked = timedelta(seconds=error.retry_after if isinstance(error, (RateLimited, Transient)) else 0.0)
    mine = Connection.objects.filter(pk=row.pk, generation=row.generation)
    mine.update(probe_at=Now() + max(wait, asked), retry_at=Greatest("retry_at", Now() + asked))
    told = {"reason": str(error)[:200], "cause": getattr(error, "code", "")}
    mine.filter(state=State.HEALTHY).update(state=State.DEGRADED, **told)  # else a graver one is told
    mine.filter(state=State.DEGRADED).update(failures=min(row.failures + 1, 1_000))
