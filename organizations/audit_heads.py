"""The heads of all audit chains as signed log lines, to keep off the machine, and whether the chains agree with them.

Whoever holds the database and AUDIT_KEY can write a new history, but none that agrees with lines which have left. Never
holds more than ids of organizations, numbers, digests and times."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from organizations import audit, certificate
from organizations.models import AuditEntry, AuditHead

#: A logger of its own, so that an operator can ship these lines apart.
log = logging.getLogger("sidebar.audit.heads")
_KIND = "audit_head"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A head that the chain does not agree with.

    `reason`: "changed", "missing"; "unsigned" or "signature" (not one of ours, so it was not compared); "gone" (the
    whole chain is, and no certificate of destruction is known)."""

    organization_id: str
    sequence: int
    at: str
    reason: str


def emit() -> int:
    """Log the head of each chain, signed where there is a SIGNING_KEY. Returns how many."""
    ends = AuditEntry.objects.filter(organization_id=OuterRef("organization_id"), sequence=OuterRef("sequence"))
    heads = AuditHead.objects.annotate(end=Subquery(ends.values("digest")[:1]), clock=Now())
    count = 0
    for head in heads.iterator():
        digest, at = bytes(getattr(head, "end") or b""), getattr(head, "clock")  # noqa: B009  annotated above
        content = {
            "kind": _KIND,
            "organization_id": str(head.organization_id),
            "sequence": head.sequence,
            "digest": digest.hex(),
            "at": at.astimezone(UTC).isoformat(timespec="seconds"),
        }
        log.info("%s", json.dumps(_signed(content), sort_keys=True))
        count += 1
    return count


def _signed(content: dict[str, Any]) -> dict[str, Any]:
    try:
        return certificate.sign(content)
    except certificate.NoSigningKey:
        return {"certificate": content, "signature": None}


def compare(lines: Iterable[str], trusted_key: str, only: UUID | None = None) -> Iterator[Disagreement | None]:
    """For each head in `lines` (as logged, whatever stands before it on its line) None where the chain has that very
    row, or has ended with its organization, else what is wrong. `trusted_key`: the public key, base64; "" accepts
    unsigned heads only. `only`: the others' heads are left out."""
    known = {str(each) for each in audit.organization_ids()}
    destroyed = {content["organization_id"] for _, content in certificate.kept(trusted_key)}
    for line in lines:
        document = _document(line)
        if document is not None and (only is None or document["certificate"].get("organization_id") == str(only)):
            found = _compared(document, trusted_key, known)
            yield None if found and found.reason == "gone" and found.organization_id in destroyed else found


def _document(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line[line.index("{") :])
        is_head = found["certificate"]["kind"] == _KIND
    except (ValueError, KeyError, TypeError):
        return None
    return found if is_head else None


def _compared(document: dict[str, Any], trusted_key: str, known: set[str]) -> Disagreement | None:
    content = document["certificate"]
    number = content.get("sequence")
    where = str(content.get("organization_id")), number if isinstance(number, int) else 0, str(content.get("at"))
    fault = _fault_of_signature(document, trusted_key)
    if fault:
        return Disagreement(*where, fault)
    if where[0] not in known:
        return Disagreement(*where, "gone")
    row = AuditEntry.objects.filter(organization_id=where[0], sequence=where[1]).first()
    if row is None:
        return Disagreement(*where, "missing")
    return None if bytes(row.digest).hex() == content.get("digest") else Disagreement(*where, "changed")


def _fault_of_signature(document: dict[str, Any], trusted_key: str) -> str:
    """Who has a key takes no unsigned head: anybody could have written it."""
    if document.get("signature") is None:
        return "unsigned" if trusted_key else ""
    try:
        certificate.verify(document, trusted_key)
    except certificate.CertificateInvalid:
        return "signature"
    return ""
