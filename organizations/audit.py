"""The audit log: a hash chain per organization, h_n = HMAC(AUDIT_KEY, h_(n-1) | row). Never holds a secret or content.

A record is part of the caller's transaction: what cannot be recorded does not happen (docs/vault.md 7)."""

import base64
import binascii
import hashlib
import hmac
import json
import logging
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BigIntegerField, BinaryField, CharField, OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from organizations import locks
from organizations.models import AuditEntry, AuditHead, Member, Organization

logger = logging.getLogger(__name__)
Fact = str | int | bool | None | list[str]
_GENESIS = b"\0" * 32
_BROKEN = b"broken"
#: "Organization" of what an operator does for the whole installation; verified like any other chain.
INSTALLATION = UUID(int=0)


class OrganizationGone(RuntimeError):
    """The organization was destroyed meanwhile; nothing is recorded for it, so nothing happens for it."""


@dataclass(frozen=True, slots=True)
class FirstBad:
    """The first row that is not as it was written, and why we know."""

    organization_id: UUID
    sequence: int
    reason: str


def key_bytes(text: str) -> bytes:
    """AUDIT_KEY as bytes: base64 of at least 32 bytes, else the text itself."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()
    return decoded if len(decoded) >= 32 else text.encode()


@lru_cache(maxsize=4)
def _key(text: str) -> bytes:
    return hashlib.sha256(b"audit chain v1" + key_bytes(text)).digest()


def _mac(*parts: bytes) -> bytes:
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.digest(_key(settings.AUDIT_KEY), framed, "sha256")


def _row_digest(previous: bytes, entry: AuditEntry) -> bytes:
    facts = json.dumps(entry.facts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    texts = (str(entry.organization_id), str(entry.sequence), at, entry.actor, entry.action, entry.target)
    return _mac(previous, *(text.encode() for text in (*texts, entry.result, facts)))


def _head_digest(organization_id: UUID, sequence: int, digest: bytes) -> bytes:
    return _mac(b"head", organization_id.bytes, str(sequence).encode(), digest)


def _clean(text: str, length: int) -> str:
    """PostgreSQL takes neither NUL nor a lone surrogate; an audit row must not fail over a name."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:length]


def _clean_fact(value: Fact) -> Fact:
    if isinstance(value, str):
        return _clean(value, 500)
    if isinstance(value, list):
        return [_clean(item, 500) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"an audit fact is a string, an integer, a bool, None or a list of strings, not {type(value)}")


def fingerprint(text: str) -> str:
    """Stands for what must not be told where it could never be erased: the same for the same text, 16 hex digits."""
    return _mac(b"fingerprint", text.encode()).hex()[:16]


def actor_name(actor: Member | str) -> str:
    return f"member:{actor.pk}" if isinstance(actor, Member) else actor


def record(
    organization_id: UUID, actor: Member | str, action: str, target: object = "", result: str = "ok", **facts: Fact
) -> AuditEntry:
    """Append one entry in the caller's transaction.

    `actor`: a Member, "task:<name>" or "operator"; `action`: dotted verb. Facts are plain values, never content."""
    cleaned = {name: _clean_fact(value) for name, value in facts.items()}
    with transaction.atomic(savepoint=False):
        at = locks.one_at_a_time("audit", organization_id)
        sequence, previous = _end_of_chain(organization_id)
        entry = AuditEntry(
            organization_id=organization_id,
            sequence=sequence + 1,
            at=at,
            actor=_clean(actor_name(actor), 80),
            action=_clean(action, 80),
            target=_clean(str(target), 120),
            result=_clean(result, 40),
            facts=cleaned,
        )
        entry.digest = _row_digest(previous, entry)
        entry.save(force_insert=True)
        _move_head(entry)
    return entry


def _end_of_chain(organization_id: UUID) -> tuple[int, bytes]:
    """Last sequence number and digest. Where somebody has tampered with the end, the next row is chained to nothing:
    work goes on, and the break stays visible instead of being signed over."""
    last = _with_head(AuditEntry.objects.filter(organization_id=organization_id)).order_by("-sequence").first()
    if last is None:
        head = AuditHead.objects.filter(organization_id=organization_id).first()
        return (head.sequence, _BROKEN) if head else _beginning(organization_id)
    digest, mac = bytes(last.digest), bytes(getattr(last, "head_mac", None) or b"")
    if hmac.compare_digest(_head_digest(organization_id, last.sequence, digest), mac):
        return last.sequence, digest
    logger.error("the end of an audit chain was tampered with: organization %s", organization_id)
    return max(last.sequence, getattr(last, "head_sequence", None) or 0), _BROKEN


def _beginning(organization_id: UUID) -> tuple[int, bytes]:
    """A chain begins with its organization. What still runs for one that was destroyed must not begin another: the
    two went under the lock that we hold (erasing_rows.py)."""
    if organization_id != INSTALLATION and not Organization.objects.filter(pk=organization_id).exists():
        raise OrganizationGone("The organization of an audit entry is gone.")
    return 0, _GENESIS


def _with_head(rows: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """Rows and head come from one statement, hence one snapshot: an entry written meanwhile is no fault."""
    head = AuditHead.objects.filter(organization_id=OuterRef("organization_id"))
    return rows.annotate(
        head_sequence=Subquery(head.values("sequence")[:1]),
        head_mac=Subquery(head.values("mac")[:1], output_field=BinaryField()),
    )


_MOVE_HEAD = """
INSERT INTO organizations_audithead (organization_id, sequence, mac) VALUES (%s, %s, %s)
ON CONFLICT (organization_id) DO UPDATE SET sequence = excluded.sequence, mac = excluded.mac
"""


def _move_head(entry: AuditEntry) -> None:
    mac = _head_digest(entry.organization_id, entry.sequence, bytes(entry.digest))
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_HEAD, [entry.organization_id, entry.sequence, mac])


def newest_fence(organization_id: str, target: str) -> Subquery:
    """For a query over another table: the fact `fence` of the newest entry about `target` that has one, else null.

    Both arguments name fields of that table. Who puts a row back to an earlier state leaves the log ahead of it; who
    puts the log back too is found by `verify`."""
    entries = AuditEntry.objects.filter(
        organization_id=OuterRef(organization_id), target=Cast(OuterRef(target), CharField()), facts__has_key="fence"
    )
    newest = entries.order_by("-sequence").annotate(fence=Cast(KeyTextTransform("fence", "facts"), BigIntegerField()))
    return Subquery(newest.values("fence")[:1])


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, newest first. `next_before`: what to ask on with; None where there are no older ones."""

    entries: list[AuditEntry]
    next_before: int | None


def page(organization_id: UUID, *, limit: int, before: int | None = None) -> Page:
    """The newest `limit` entries, or the newest of those before a sequence number."""
    rows = AuditEntry.objects.filter(organization_id=organization_id)
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    found = list(rows.order_by("-sequence")[: limit + 1])
    entries = found[:limit]
    return Page(entries, entries[-1].sequence if len(found) > limit else None)


def verify(organization_id: UUID) -> FirstBad | None:
    """Walk the chain in one snapshot; None when every row and the head are as they were written."""
    previous, expected, last = _GENESIS, 1, None
    rows = AuditEntry.objects.filter(organization_id=organization_id).order_by("sequence", "id")
    for entry in _with_head(rows).iterator(chunk_size=1000):
        reason = _fault(entry, previous, expected)
        if reason:
            return FirstBad(organization_id, min(entry.sequence, expected), reason)
        previous, expected, last = bytes(entry.digest), expected + 1, entry
    return _fault_at_head(organization_id, last)


def _fault(entry: AuditEntry, previous: bytes, expected: int) -> str:
    if entry.sequence != expected:
        return "missing" if entry.sequence > expected else "inserted"
    if not hmac.compare_digest(_row_digest(previous, entry), bytes(entry.digest)):
        return "changed"
    return ""


def _fault_at_head(organization_id: UUID, last: AuditEntry | None) -> FirstBad | None:
    if last is None:
        return FirstBad(organization_id, 1, "missing") if _ought_to_exist(organization_id) else None
    head_sequence = getattr(last, "head_sequence", None)
    mac = _head_digest(organization_id, last.sequence, bytes(last.digest))
    if head_sequence == last.sequence and hmac.compare_digest(mac, bytes(getattr(last, "head_mac", None) or b"")):
        return None
    cut_off = head_sequence is not None and head_sequence > last.sequence
    return FirstBad(organization_id, last.sequence + 1 if cut_off else last.sequence, "missing" if cut_off else "head")


def _ought_to_exist(organization_id: UUID) -> bool:
    """An organization's founding is its first entry, so one without any has lost its log."""
    known = Organization.objects.filter(pk=organization_id).exists()
    return known or AuditHead.objects.filter(organization_id=organization_id).exists()


def organization_ids() -> list[UUID]:
    """Every organization that has, or ought to have, a chain."""
    found: set[UUID] = set(AuditEntry.objects.values_list("organization_id", flat=True).distinct())
    found |= set(AuditHead.objects.values_list("organization_id", flat=True))
    return sorted(found | set(Organization.objects.values_list("id", flat=True)))
