"""Sign-ins under way: what must come back from the provider, bound to the browser session, usable once (C1, BI-B14)."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.contrib.sessions.backends.base import SessionBase
from django.db.models.functions import Now

from providers.base import Secret
from vault import frames, keys, sealing
from vault.cipher import Place
from vault.errors import NotAllowedHere
from vault.models import SALESFORCE, PendingSignIn

LIFETIME = timedelta(minutes=10)
_SESSION_KEY = "sign_in_binding"
_STALE = "This sign-in is too old, was used already, or began in another browser. Please start again."


@dataclass(frozen=True, slots=True)
class Expected:
    """What we sent and what must match. `next` is the same-site path to go to afterwards; `member` is who began,
    where one must be signed in to begin."""

    login_url: str
    issuer: str
    client_id: str
    redirect_uri: str
    next: str
    provider: str = SALESFORCE
    member: str = ""


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


@sealing.column(PendingSignIn, "sealed_facts")
def _place(row: PendingSignIn) -> Place:
    """Bound to its browser and its state as well: who can write SQL gives a sign-in to no other browser."""
    whose = f"{bytes(row.session_hash).hex()} {bytes(row.state_hash).hex()}"
    return Place(keys.INSTANCE, "vault_pendingsignin", row.id, "sealed_facts", owner=whose)


def _binding(session: SessionBase) -> str:
    """A random value that lives in this browser's session only; "" where no sign-in began."""
    return str(session.get(_SESSION_KEY, ""))


def remember(session: SessionBase, state: Secret, code_verifier: Secret, expected: Expected) -> None:
    if not _binding(session):
        session[_SESSION_KEY] = secrets.token_urlsafe(32)
    row = PendingSignIn(state_hash=_hash(state.reveal()), session_hash=_hash(_binding(session)))
    row.sealed_facts = sealing.seal(_packed(expected, code_verifier), _place(row))
    row.save()


def _packed(expected: Expected, code_verifier: Secret) -> bytes:
    return json.dumps(asdict(expected) | {"code_verifier": code_verifier.reveal()}).encode()


def look(session: SessionBase, state: str) -> Expected:
    """What belongs to this `state`, which stays good: for what may fail without the person's doing (a provider that
    does not answer), and comes before `claim`. Raises NotAllowedHere (400)."""
    return _opened(_found(session, state))[0]


def claim(session: SessionBase, state: str) -> tuple[Expected, Secret]:
    """What belongs to this `state`, and its code verifier. Raises NotAllowedHere (400).

    The deletion decides between two callbacks at once; a state tried from another browser is not used up."""
    row = _found(session, state)
    if not PendingSignIn.objects.filter(pk=row.pk).delete()[0]:
        raise NotAllowedHere(_STALE)
    return _opened(row)


def _found(session: SessionBase, state: str) -> PendingSignIn:
    mine = PendingSignIn.objects.filter(session_hash=_hash(_binding(session)), started_at__gt=Now() - LIFETIME)
    row = mine.filter(state_hash=_hash(state)).first()
    if row is None:
        raise NotAllowedHere(_STALE)
    return row


@frames.emptied
def _opened(row: PendingSignIn) -> tuple[Expected, Secret]:
    facts = json.loads(sealing.unseal(bytes(row.sealed_facts), _place(row)))
    return Expected(**{name: facts[name] for name in Expected.__dataclass_fields__}), Secret(facts["code_verifier"])


def sweep() -> int:
    """Delete what nobody came back for."""
    return PendingSignIn.objects.filter(started_at__lte=Now() - LIFETIME).delete()[0]
