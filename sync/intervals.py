"""How often a mailbox is looked at, whatever its provider tells us meanwhile: push is a hint, this is the truth."""

from datetime import timedelta

from django.db.models.functions import Now

from organizations import policy
from organizations.policy import Merge, Scope, Toggle, Type
from sync.models import Subscription, SyncedMailbox

#: Where push works (sync.md 12).
WITH_PUSH = timedelta(minutes=15)
INTERVAL = policy.declare(
    Toggle(
        key="sync.interval",
        kind=Merge.OVERRIDE,
        type=Type.INT,
        default=5,
        minimum=1,
        maximum=120,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Look for new mail every (minutes)",
        help="Where Google or Microsoft tell us of new mail at once, we still look every 15 minutes.",
    )
)


def of(mailbox: SyncedMailbox) -> timedelta:
    if _has_push(mailbox):
        return WITH_PUSH
    return timedelta(minutes=policy.organization_value_of(INTERVAL.key, mailbox.organization_id))


def _has_push(mailbox: SyncedMailbox) -> bool:
    return Subscription.objects.filter(mailbox=mailbox, expires_at__gt=Now()).exists()
