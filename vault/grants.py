"""What is inside a sealed credential, and how it goes in and out of its row. Calls no provider."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import F

from organizations import audit
from providers.base import Secret
from vault import cipher, clock, frames, keys, sealing
from vault.cipher import Place
from vault.errors import KeyGone, TokenTampered
from vault.models import Connection, Credential


@dataclass(frozen=True, slots=True)
class Grant:
    """A token set with the hosts it is for. They are sealed together, so that someone who can only write SQL can
    point a token neither at another person nor at another host."""

    access_token: Secret
    refresh_token: Secret | None
    client_id: str
    login_url: str
    issuer: str
    token_endpoint: str
    revocation_endpoint: str
    api_url: str
    page_url: str
    #: The provider's stable id of the person; an answer with another one is quarantined (V11).
    identity: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    #: When the refresh token ends by itself, as announced at consent; renewals do not move it.
    ends_at: datetime | None = None
    id: UUID = field(default_factory=uuid4)
    #: Whose it is here, from when it is first stored: a row that names another member does not get it.
    member: UUID | None = None

    def to_json(self) -> bytes:
        texts = {name: getattr(self, name) for name in _TEXTS}
        return json.dumps(
            texts
            | {
                "access_token": self.access_token.reveal(),
                "refresh_token": self.refresh_token.reveal() if self.refresh_token else None,
                "scopes": self.scopes,
                "expires_at": self.expires_at.isoformat() if self.expires_at else None,
                "ends_at": self.ends_at.isoformat() if self.ends_at else None,
                "id": str(self.id),
                "member": str(self.member) if self.member else None,
            }
        ).encode()

    @classmethod
    @frames.emptied
    def from_json(cls, data: bytes) -> "Grant":
        values = json.loads(data)
        return cls(
            access_token=Secret(values["access_token"]),
            refresh_token=Secret(values["refresh_token"]) if values["refresh_token"] else None,
            scopes=tuple(values["scopes"]),
            expires_at=datetime.fromisoformat(values["expires_at"]) if values["expires_at"] else None,
            ends_at=datetime.fromisoformat(values["ends_at"]) if values["ends_at"] else None,
            id=UUID(values["id"]),
            member=UUID(values["member"]) if values["member"] else None,
            **{name: values[name] for name in _TEXTS},
        )

    def renewed(self, **changes: object) -> "Grant":
        """The same grant after a refresh."""
        return replace(self, **changes)  # type: ignore[arg-type]


_TEXTS = (
    "client_id",
    "login_url",
    "issuer",
    "token_endpoint",
    "revocation_endpoint",
    "api_url",
    "page_url",
    "identity",
)


def _place(connection: Connection, credential_id: UUID, generation: int) -> Place:
    return Place(
        organization_id=connection.organization_id,
        table="vault_credential",
        row_id=credential_id,
        column="sealed",
        provider=connection.provider,
        generation=generation,
        owner=str(connection.pk),
    )


@sealing.column(Credential, "sealed")
def place_of(row: Credential) -> Place:
    return _place(row.connection, row.id, row.generation)


def load(connection: Connection) -> Grant:
    """Unseal the newest grant, and bring `connection` to its generation: another process may just have renewed.

    Raises TokenTampered, KeyGone, Credential.DoesNotExist; KekUnusable and Transient as the key's provider does."""
    credential = _read(connection.pk)
    connection.generation = credential.generation
    place = _place(connection, credential.id, credential.generation)
    grant = Grant.from_json(sealing.unseal(bytes(credential.sealed), place))
    if grant.id != credential.grant_id:
        raise TokenTampered("A credential names another grant than it holds.")
    if {connection.member_id, getattr(credential, "owner")} != {grant.member}:  # noqa: B009  annotated by `_read`
        raise TokenTampered("A connection names another member than its grant was given to.")
    return grant


def open_keys(connection_id: UUID) -> None:
    """Call before a transaction that opens or stores this connection's grant: a key service is asked over HTTP, and
    that has no place in one. Raises as `load` does; silent where nothing is stored."""
    rows = Credential.objects.filter(connection_id=connection_id).values_list("sealed", "connection__organization_id")
    for blob, organization_id in rows:
        keys.key_by_id(cipher.key_id_of(bytes(blob)), organization_id)
        keys.primary_key(organization_id)


def _read(connection_id: UUID) -> Credential:
    """In one statement, hence of one moment: the credential, its connection's generation, and the newest one that the
    audit log knows of. The log gives away both rows put back together to an earlier state."""
    fence = audit.newest_fence("connection__organization_id", "connection_id")
    current, owner = F("connection__generation"), F("connection__member_id")
    rows = Credential.objects.annotate(current=current, owner=owner, fence=fence)
    credential = rows.get(connection_id=connection_id)
    if credential.generation != credential.current:
        raise TokenTampered("A credential is of another generation than its connection.")
    if credential.fence is not None and credential.fence > credential.current:
        raise TokenTampered("A connection was put back to an earlier generation than the audit log knows of.")
    return credential


def load_if_any(connection: Connection) -> Grant | None:
    """The grant, or None where there is none that opens: for ending it, never for using it."""
    try:
        return load(connection)
    except (Credential.DoesNotExist, TokenTampered, KeyGone):
        return None


def store(connection: Connection, grant: Grant) -> None:
    """Seal `grant` as the next generation. Call in a transaction that holds the connection's row lock; saves both.

    Raises TokenTampered where it is another member's: between two looks somebody has moved the row."""
    if grant.member not in (None, connection.member_id):
        raise TokenTampered("A connection names another member than its grant was given to.")
    grant = grant.renewed(member=connection.member_id)
    credential = Credential.objects.filter(connection_id=connection.pk).first() or Credential(connection=connection)
    connection.generation += 1
    credential.generation, credential.grant_id = connection.generation, grant.id
    credential.sealed = sealing.seal(grant.to_json(), _place(connection, credential.id, connection.generation))
    credential.save()
    connection.renew_at = _due(connection.pk, grant)
    connection.ends_at = grant.ends_at
    connection.save(update_fields=["generation", "renew_at", "ends_at"])


#: The part of its announced life after which a token is renewed ahead of need: from here to here, by connection.
EARLIEST, LATEST = 0.75, 0.85


def _due(connection_id: UUID, grant: Grant) -> datetime | None:
    """When to renew, spread by the connection's id so that those who connected together do not come together."""
    if grant.expires_at is None:
        return None
    spread = int.from_bytes(hashlib.sha256(connection_id.bytes).digest()[:4], "big") / 2**32
    now = clock.now()
    left = max((grant.expires_at - now).total_seconds(), 0.0)
    return now + timedelta(seconds=left * (EARLIEST + (LATEST - EARLIEST) * spread))


def fingerprint(token: Secret) -> str:
    """Names a token in the audit log without telling it: a keyed hash, as Vault does."""
    key = hashlib.sha256(b"token fingerprint v1" + settings.AUDIT_KEY.encode()).digest()
    return hmac.digest(key, token.reveal().encode(), "sha256").hex()[:16]


def same(one: Secret, other: Secret) -> bool:
    return hmac.compare_digest(one.reveal().encode(), other.reveal().encode())
