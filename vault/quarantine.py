"""Answers that were kept apart for a person to look at, and what is done with them in the end (docs/vault.md 6).

The same person's tokens (V12) end with his grant; a stranger's (V11), and what does not open (V19), are wiped after 30
days: ending them could end a grant that is none of ours to end. Calls no provider."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from providers.base import TokenSet
from vault import answers, cipher, keys
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Attempt, Connection, Credential

#: How long an answer that is kept apart may be looked at.
KEPT = timedelta(days=30)


def over() -> QuerySet[Attempt]:
    """Those whose grant has been replaced or ended, or that have been kept long enough."""
    current = Credential.objects.filter(connection=OuterRef("connection"), grant_id=OuterRef("grant_id"))
    return _apart().filter(~Exists(current) | Q(ended_at__lt=Now() - KEPT))


def open_keys(connection_id: UUID) -> None:
    """Before the transaction in which `take_out` is called, as `grants.open_keys`. Raises Transient, KekUnusable."""
    for attempt in _apart().filter(connection_id=connection_id).select_related("connection"):
        with suppress(KeyGone, TokenTampered):
            keys.key_by_id(cipher.key_id_of(bytes(attempt.sealed_answer or b"")), attempt.connection.organization_id)


def take_out(row: Connection, like: Grant) -> list[Grant]:
    """Wipe what was kept apart of the same person; returns it, to be put down for revocation where `like` would be.

    In a transaction that holds the row's lock. `like`: the connection's grant; without identity, one made up."""
    found = list[Grant]()
    for attempt in _apart().select_related("connection").filter(connection=row):
        tokens = _his(attempt, row, like)
        if tokens is None:
            Attempt.objects.filter(pk=attempt.pk).update(outcome=answers.FOREIGN)
            continue
        answers.wipe(attempt)
        if tokens.refresh_token is not None:
            found.append(like.renewed(id=uuid4(), access_token=tokens.access_token, refresh_token=tokens.refresh_token))
    return found


def _his(attempt: Attempt, row: Connection, like: Grant) -> TokenSet | None:
    try:
        tokens = answers.remnant(attempt)
    except (KeyGone, TokenTampered):
        return None
    if like.identity or not tokens.identity:
        return tokens if answers.is_same_person(tokens, like, row.provider) else None
    return tokens if tokens.identity.rpartition("/")[2] == row.subject else None  # Salesforce: .../organization/user


def forget() -> None:
    """Wipe what nobody may look at any more."""
    rows = Attempt.objects.filter(outcome__in=(answers.FOREIGN, answers.TAMPERED), sealed_answer__isnull=False)
    rows.filter(ended_at__lt=Now() - KEPT).update(sealed_answer=None)


def _apart() -> QuerySet[Attempt]:
    return Attempt.objects.filter(outcome=answers.QUARANTINED, sealed_answer__isnull=False)
