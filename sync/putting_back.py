"""The way back for what was taken out of Salesforce: it may be saved again, and whatever sync had saved is, at once."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from organizations import audit
from organizations.models import Member
from sync import corrections, jobs
from sync.corrections import OVER, Result
from sync.models import Correction, CorrectionStep, Decision, LedgerEntry
from sync.reasons import Rule

_MAY_COME_BACK = (*OVER, Result.LEFT)


def put_back(member: Member, correction_id: UUID) -> list[UUID] | None:
    """By whoever has asked for it, or an administrator. Each message is fetched and decided on anew, as the settings
    are now. Returns mailboxes that have work now, None where there is nothing to be put back."""
    with transaction.atomic():
        rows = corrections.seen_by(member).filter(kind=Correction.Kind.UNDO).exclude(ended_at=None)
        correction = rows.select_for_update().filter(pk=correction_id).first()
        if correction is None:
            return None
        steps = list(correction.steps.filter(result__in=_MAY_COME_BACK))
        if not steps:
            return None
        _free(steps)
        CorrectionStep.objects.filter(pk__in=[step.pk for step in steps]).update(result=Result.PUT_BACK)
        audit.record(member.organization_id, member, "sync.undo_put_back", correction.pk, count=len(steps))
        return _look_again(correction.organization_id, steps)


def _free(steps: Sequence[CorrectionStep]) -> None:
    """What was deleted is written anew, under the same key; what was left to colleagues stands there."""
    gone = [step.entry_id for step in steps if step.result in OVER]
    LedgerEntry.objects.filter(pk__in=gone).update(
        undone_at=None, salesforce_id="", written_at=None, remote_version="", claimed_by=None, claimed_until=None
    )


def _look_again(organization_id: UUID, steps: Sequence[CorrectionStep]) -> list[UUID]:
    """Decisions that these steps have made."""
    moments = [step.ended_at for step in steps if step.ended_at is not None]
    rows = Decision.objects.filter(organization_id=organization_id, rule=Rule.TAKEN_BACK, decided_at__in=moments)
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for mailbox_id, message_id in rows.order_by("mailbox_id", "message_id").values_list("mailbox_id", "message_id"):
        found[mailbox_id].append(message_id)
    return [mailbox_id for mailbox_id, ids in found.items() if jobs.again(mailbox_id, ids)]
