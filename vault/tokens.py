"""Hands out the access token of one connection; renews it when the provider refuses it. Nobody else reads one."""

from datetime import datetime
from math import inf
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from providers.base import Access, Secret
from providers.errors import FreshTokenRefused
from vault import dialects, grants, leases, outbound, renewal, settling, states
from vault.errors import ConnectRequired, KeyGone, TokenTampered
from vault.flights import Flights
from vault.grants import Grant
from vault.leases import Lease
from vault.models import SALESFORCE, Connection

_ROUNDS = 3
#: Seconds of life below which a token is not handed out any more: it would run out on its way.
_TOO_SHORT = 10.0
_reads: Flights[tuple[UUID, str], Lease] = Flights(renewal.DEADLINE)
#: A thousand callers whose token was refused must not each ask the database what has become of it.
_newer: Flights[tuple[UUID, str, str], Lease] = Flights(renewal.DEADLINE)


class ConnectionTokens:
    """providers.base.TokenSource for one connection. `purpose` is what the audit log and the person are told."""

    def __init__(self, connection_id: UUID, purpose: str) -> None:
        self._connection_id = connection_id
        self._purpose = purpose
        #: Of the grant whose token `access` has last handed out: what a refusal of it is about.
        self.generation: int | None = None
        self._has_renewed = False

    def access(self, *, rejected: Secret | None = None) -> Access:
        """A usable token and its API host; no query while a lease is held.

        Raises NeedsReconnect, Transient (FreshTokenRefused where what is refused was renewed a moment ago), and
        ConnectRequired once disconnected."""
        lease = self.lease(rejected)
        outbound.give_back_database()
        self.generation = lease.generation
        return lease.access

    def lease(self, rejected: Secret | None = None) -> Lease:
        """As `access`. What does not open any more is told (V19): to the person, an administrator and the log."""
        try:
            return self._any_lease(rejected)
        except (TokenTampered, KeyGone) as error:
            error.provider = states.seal_broken(self._connection_id)
            raise

    def _any_lease(self, rejected: Secret | None) -> Lease:
        held = leases.held(self._connection_id, self._purpose, rejected)
        if held is not None:
            return held
        if rejected is None:
            return self._lease()
        key = (self._connection_id, self._purpose, grants.fingerprint(rejected))
        return _newer.run(key, lambda: self._lease_newer_than(rejected))

    def _lease(self) -> Lease:
        """Threads that miss at once share one look-up and one audit row."""
        key = (self._connection_id, self._purpose)
        return _reads.run(key, lambda: leases.take(*key, self._read))

    def _read(self) -> Lease:
        row, grant = _usable(self._connection_id)
        if _seconds_left(row, grant) <= _TOO_SHORT:
            renewal.renew(row.pk, beyond=row.generation, purpose=self._purpose)
            row, grant = _usable(self._connection_id)
        return leases.write(row, grant, self._purpose, _seconds_left(row, grant))

    def _lease_newer_than(self, rejected: Secret) -> Lease:
        """Renew only if the refused token is still the newest: someone may have renewed while we were using it."""
        for _ in range(_ROUNDS):
            row, grant = _usable(self._connection_id)
            if grants.same(grant.access_token, rejected):
                if self._has_renewed and renewal.is_recent(row):
                    break
                self._has_renewed = True
                renewal.renew(row.pk, beyond=row.generation, purpose=self._purpose)
                continue
            leases.drop_token(self._connection_id, rejected)
            lease = self._lease()
            if not grants.same(lease.access.token, rejected):  # else a look-up was under way since before the renewal
                return lease
        raise self._refuses_fresh(rejected)

    def _refuses_fresh(self, rejected: Secret) -> FreshTokenRefused:
        """What was renewed a moment ago is refused: no verdict on the grant, and no reason to renew on and on. Said of
        the newest generation, unless it has just been changed."""
        row, grant = _usable(self._connection_id)
        error = FreshTokenRefused(row.provider, dialects.label(row.provider))
        if grants.same(grant.access_token, rejected):
            self.generation = row.generation
            states.doubt(row.pk, row.generation, error)
        return error


def _usable(connection_id: UUID) -> tuple[Connection, Grant]:
    """The row and its unsealed grant. Settles first what a crash has left behind."""
    settling.settle_pending(connection_id)
    row = Connection.objects.annotate(clock=Now(), is_his=F("member__is_active")).filter(pk=connection_id).first()
    if row is None:
        raise ConnectRequired(SALESFORCE)  # rows go only with their organization: signing in is what is left
    states.require_usable(row)
    if not getattr(row, "is_his"):  # noqa: B009  annotated above; sent away, and offboarding.py comes in a moment (I7)
        raise ConnectRequired(row.provider)
    return row, grants.load(row)


def _seconds_left(row: Connection, grant: Grant) -> float:
    """By the database's clock: a host whose own is wrong must neither renew for nothing nor use up a token (V22).

    Infinite where the provider announces no end."""
    clock: datetime = getattr(row, "clock")  # noqa: B009  annotated above
    return inf if grant.expires_at is None else (grant.expires_at - clock).total_seconds()
