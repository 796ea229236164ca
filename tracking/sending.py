"""What the mail client tells of a message that was prepared: that it was sent, and that its sender looks at it."""

from django.db import transaction
from django.db.models import Count, F
from django.db.models.functions import Now

from tracking import storing, telling
from tracking.classify import A_LOOK, JUST_BEFORE, LOOKING, Verdict
from tracking.hot.tokens import Kind
from tracking.models import Copy, Event, TrackedMessage


def sent(message: TrackedMessage, mark: bytes) -> None:
    """From now on what comes counts. Told twice it stays as it was, but for the mark."""
    rows = TrackedMessage.objects.filter(pk=message.pk)
    rows.filter(sent_at=None).update(sent_at=Now())
    if mark:
        rows.update(mark=mark)


def viewed_by_sender(message: TrackedMessage) -> None:
    """His own view counts for nothing: neither what comes within A_LOOK nor what has come JUST_BEFORE."""
    with transaction.atomic():
        list(Copy.objects.select_for_update().filter(message=message).order_by("pk").values_list("pk"))
        TrackedMessage.objects.filter(pk=message.pk).update(viewing_until=Now() + A_LOOK)
        own = Event.objects.filter(message_id=message.pk, kind=Kind.OPEN, verdict=Verdict.HUMAN_LIKELY)
        own = own.filter(at__gt=Now() - JUST_BEFORE)
        taken = own.order_by().values_list("copy_id").annotate(number=Count("id"))
        fewer = dict(taken)
        own.update(verdict=LOOKING.verdict, reason=LOOKING.reason)
        for copy_id, number in fewer.items():
            Copy.objects.filter(pk=copy_id).update(opens=F("opens") - number)
        storing.look_up_last(fewer)
        telling.again({message.pk} if fewer else set())
