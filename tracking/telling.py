"""What other products are told of tracked mails: that one was sent, that something came of one, and how much by now."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.db.models import Max, Sum

from organizations import signals
from organizations.models import Member
from organizations.registries import Seen, seen_counters
from tracking.models import Copy, TrackedMessage
from tracking.storing import Change, Row


def sent(member: Member, message: TrackedMessage, message_id: str) -> None:
    """Outside a transaction."""
    signals.mail_sent.send(sender=TrackedMessage, member=member, mail_id=message.pk, message_id=message_id)


def seen(arrived: Iterable[Row], changes: Mapping[UUID, Change]) -> None:
    """In the transaction that counts them; only what people did, likely."""
    by_people = {copy_id for copy_id, change in changes.items() if change.opens or change.clicks}
    again({row.message_id for row in arrived if row.copy_id in by_people})


def again(mail_ids: Collection[UUID]) -> None:
    if mail_ids:
        signals.mail_seen.send(sender=TrackedMessage, mail_ids=mail_ids)


@seen_counters.register("tracking")
def counted(mail_ids: Collection[UUID]) -> Mapping[UUID, Seen]:
    rows = Copy.objects.filter(message_id__in=list(mail_ids)).order_by().values("message_id")
    found = rows.annotate(opened=Sum("opens"), clicked=Sum("clicks"), latest=Max("last_at"))
    return {row["message_id"]: Seen(row["opened"], row["clicked"], row["latest"]) for row in found}
