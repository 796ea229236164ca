"""What is forgotten, and when. The ledger stays: it is what keeps a mail from being written twice (C61)."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from sync.models import Correction, Decision, Job, Listing, NotedMail, Notice, Tally, Waiting
from vault import clock

#: A message of which we are told again after so long is looked at once more; its key makes that no second record.
KEPT = timedelta(days=90)
#: Longer than a trouble that comes back within a day, of which nobody is told twice.
NOTICED = timedelta(days=2)
BATCH = 1_000


def forget_old() -> None:
    Waiting.objects.filter(until__lt=Now()).delete()
    NotedMail.objects.filter(created_at__lt=Now() - KEPT).delete()
    Listing.objects.filter(ended_at__lt=Now() - KEPT).delete()
    Correction.objects.filter(ended_at__lt=Now() - KEPT).delete()
    Tally.objects.filter(day__lt=(clock.now() - KEPT).date()).delete()
    Notice.objects.filter(seen_at__lt=Now() - NOTICED).delete()
    while _forget_some():
        pass


def _forget_some() -> bool:
    """A decision goes with its job: neither stays behind to be taken for the other's."""
    old = Job.objects.filter(state=Job.State.DONE, created_at__lt=Now() - KEPT)
    with transaction.atomic():
        rows = list(old.select_for_update(skip_locked=True)[:BATCH])
        for mailbox_id in {row.mailbox_id for row in rows}:
            ids = [row.message_id for row in rows if row.mailbox_id == mailbox_id]
            Decision.objects.filter(mailbox_id=mailbox_id, message_id__in=ids).delete()
        Job.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows) == BATCH
