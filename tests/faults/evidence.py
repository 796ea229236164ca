"""What the oracle looks at: rows, opened values, the providers' ledgers, everything that could hold a secret.

Collected with the product's own models in a process that has its settings; judges nothing."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.models import BinaryField, Model

from organizations import audit
from organizations.models import AuditEntry
from organizations.privacy.databases import parts_of
from organizations.privacy.valkey import everything_in
from simulators.ledger import digest
from vault import answers, days, grants, keys, pending, registrations, revocation, sealing, spool
from vault.cipher import Place
from vault.models import Attempt, ClientRegistration, Connection, Credential, DayKey, DiscardedGrant, PendingSignIn

#: Shorter ones are words of the tests ("client", "fresh"), not secrets.
WORTH_LOOKING_FOR = 16


@dataclass
class Ledger:
    """One provider's `GET /_sim/ledger` (simulators/ledger.py), as dictionaries; several may be added together."""

    refreshes: list[dict[str, Any]] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)

    def add(self, told: Mapping[str, Any]) -> None:
        self.refreshes += told["refreshes"]
        self.uses += told["uses"]
        self.grants += told["grants"]


@dataclass
class Stored:
    """One sealed value with its place. `opened` is None where it does not open there, `error` says why."""

    where: str
    place: Place
    blob: bytes
    opened: bytes | None
    error: str = ""
    quarantined: bool = False

    def token(self, name: str) -> str:
        """`refresh_token` or `access_token` of a grant or a provider's answer, else ""."""
        try:
            values = json.loads(self.opened or b"{}")
        except ValueError:
            return ""
        return str(values.get(name) or "") if isinstance(values, dict) else ""


@dataclass
class Evidence:
    now: datetime
    ledger: Ledger
    stored: list[Stored]
    connections: list[Connection]
    attempts: list[Attempt]
    entries: list[AuditEntry]
    broken_chains: list[str]
    texts: dict[str, bytes]
    secrets: set[str]

    def newest(self, connection: Connection) -> Stored | None:
        """The credential that is this connection's, if there is one."""
        return next((each for each in self.stored if each.where == f"credential of {connection.pk}"), None)

    def rows_of(self, connection: Connection, *actions: str) -> list[AuditEntry]:
        return [e for e in self.entries if e.target == str(connection.pk) and (not actions or e.action in actions)]


def collect(ledger: Ledger, texts: Mapping[str, bytes], secrets: Iterable[str]) -> Evidence:
    """Everything, opened cold: no key that this process still holds in RAM is used."""
    keys.forget_all()
    opened = list(stored())
    known = {token for each in opened for name in ("refresh_token", "access_token") if (token := each.token(name))}
    return Evidence(
        now=_clock(),
        ledger=ledger,
        stored=opened,
        connections=list(Connection.objects.all()),
        attempts=list(Attempt.objects.order_by("started_at")),
        entries=list(AuditEntry.objects.order_by("organization_id", "sequence")),
        broken_chains=[str(bad) for each in audit.organization_ids() if (bad := audit.verify(each))],
        texts={**texts, **_everything_kept()},
        secrets={secret for secret in {*secrets, *known, *_own_secrets()} if len(secret) >= WORTH_LOOKING_FOR},
    )


def _clock() -> datetime:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    now: datetime = row[0]
    return now


def _own_secrets() -> Iterator[str]:
    yield from (settings.SECRET_KEY, settings.AUDIT_KEY, settings.SIGNING_KEY)
    yield from settings.TRACKING_KEY.split(",")
    yield from (settings.SALESFORCE_CLIENT_SECRET, settings.GOOGLE_CLIENT_SECRET, settings.MICROSOFT_CLIENT_SECRET)
    yield from (part.rpartition(":")[2] for part in settings.VAULT_KEK.split(","))


# -- sealed values ---------------------------------------------------------------------------------------------------


def _credentials() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in Credential.objects.select_related("connection"):
        place = grants._place(row.connection, row.id, row.connection.generation)
        yield f"credential of {row.connection_id}", place, row.sealed, False


def _answers() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in Attempt.objects.select_related("connection").filter(sealed_answer__isnull=False):
        apart = row.outcome in (answers.QUARANTINED, answers.TAMPERED)
        yield f"answer of attempt {row.pk}", answers._place(row.connection, row), row.sealed_answer, apart
    for attempt_id, blob in spool.waiting() if spool.folder().is_dir() else ():
        found = Attempt.objects.select_related("connection").filter(pk=attempt_id).first()
        if found:
            yield f"spooled answer of {attempt_id}", answers._place(found.connection, found), blob, False


def _discarded() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in DiscardedGrant.objects.select_related("connection"):
        yield f"discarded grant {row.pk}", revocation._place(row, row.connection), row.sealed, False


def _sign_ins() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in PendingSignIn.objects.all():
        yield f"sign-in {row.pk}", pending._place(row), row.sealed_facts, False


def _clients() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in ClientRegistration.objects.filter(sealed_secret__isnull=False):
        yield f"client {row.pk}", registrations._place(row), row.sealed_secret, False


def _days() -> Iterator[tuple[str, Place, Any, bool]]:
    for row in DayKey.objects.all():
        yield f"key of {row.day}", days._place(row), row.sealed_private, False


def _entrusted(table: str) -> Callable[[], Iterator[tuple[str, Place, Any, bool]]]:
    """What a room above has the vault seal for it (vault/entrusted.py)."""

    def read() -> Iterator[tuple[str, Place, Any, bool]]:
        (column,) = (each for each in sealing.COLUMNS if each.model._meta.db_table == table)
        for row in column.model._default_manager.exclude(**{column.name: None}):
            yield f"{table} {row.pk}", column.place_of(row), getattr(row, column.name), False

    return read


#: Column -> who reads it. A sealed column that is missing here fails `test_every_sealed_column_is_looked_at`.
READERS: dict[str, Callable[[], Iterator[tuple[str, Place, Any, bool]]]] = {
    "vault_credential.sealed": _credentials,
    "vault_attempt.sealed_answer": _answers,
    "vault_discardedgrant.sealed": _discarded,
    "vault_pendingsignin.sealed_facts": _sign_ins,
    "vault_clientregistration.sealed_secret": _clients,
    "vault_daykey.sealed_private": _days,
    "tracking_trackedmessage.sealed": _entrusted("tracking_trackedmessage"),
    "tracking_withdrawntarget.sealed": _entrusted("tracking_withdrawntarget"),
    "sync_pepper.sealed": _entrusted("sync_pepper"),
}


def sealed_columns() -> set[str]:
    """Every column of the product whose name says that it is sealed."""
    models: list[type[Model]] = list(apps.get_models())
    fields = ((model._meta.db_table, each) for model in models for each in model._meta.get_fields())
    return {f"{t}.{f.name}" for t, f in fields if isinstance(f, BinaryField) and f.name.startswith("sealed")}


def stored() -> Iterator[Stored]:
    for read in READERS.values():
        for where, place, sealed, apart in read():
            blob = bytes(sealed)
            try:
                yield Stored(where, place, blob, sealing.unseal(blob, place), quarantined=apart)
            except Exception as error:  # noqa: BLE001  whatever it is, it does not open
                yield Stored(where, place, blob, None, type(error).__name__, quarantined=apart)


# -- what could hold a secret ----------------------------------------------------------------------------------------


def _everything_kept() -> dict[str, bytes]:
    found = {f"database {alias}": dump(alias) for alias in ("default", "keys")}
    found["valkey"] = valkey_dump(settings.REDIS_URL)
    return {**found, **files_below(Path(settings.VAULT_SPOOL_DIR))}


def dump(alias: str) -> bytes:
    """Every row of every table as text; a file where the database is one."""
    if connections[alias].vendor != "postgresql":
        return Path(str(connections[alias].settings_dict["NAME"])).read_bytes()
    with connections[alias].cursor() as cursor:
        return rows_as_text(cursor)


def rows_as_text(cursor: Any) -> bytes:
    """Of a PostgreSQL database. Bytes come as hex and raw, what PostgreSQL or Django had compressed unpacked."""
    parts: list[bytes] = []
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in cursor.fetchall():
        cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  names from the catalogue
        parts += [part for row in cursor.fetchall() for value in row for part in parts_of(value, table)]
    return b"\n".join(parts)


def valkey_dump(url: str) -> bytes:
    """Every key with its values as they were put in: in a DUMP they would be compressed, and a token cut in pieces."""
    return b"\n".join(part for *_, parts in everything_in(url) for part in parts)


def files_below(folder: Path) -> dict[str, bytes]:
    found = sorted(folder.rglob("*")) if folder.is_dir() else []
    return {str(path): path.read_bytes() for path in found if path.is_file()}


def digests(stored: Iterable[Stored], name: str) -> set[str]:
    return {digest(token) for each in stored if (token := each.token(name))}
