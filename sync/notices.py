"""Who is to be told by mail that a mailbox is in trouble: its person and the administrators, once a day while it is.

Whom to tell stands in a row before it is done, and is looked for every few minutes: whoever dies in between costs
delay."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from organizations import policy, postbox
from organizations.models import Member, Role
from organizations.policy import Merge, Scope, Toggle, Type
from sync import notice_letters, standing
from sync.models import Decision, Job, Notice, SyncedMailbox, Tally
from sync.notice_letters import Line
from sync.standing import Trouble
from vault import clock

log = logging.getLogger("sidebar.sync")

DAY = timedelta(days=1)
#: A look at a mailbox that is older than this is no reason to worry in itself; `standing` knows its own interval.
UNSEEN = timedelta(minutes=30)
#: Whoever was told is told of nothing else before that: many mailboxes in trouble are few mails.
PAUSE = timedelta(hours=1)
#: Longer than a mail server may take; who dies meanwhile leaves it to the next.
CLAIM = timedelta(minutes=2)
#: Recipients of one run.
MOST = 200
_ADMINISTRATORS = (Role.PRIMARY_ADMIN, Role.ADMIN)
TELL_ADMINISTRATORS = policy.declare(
    Toggle(
        key="notify.admins",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=True,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Tell administrators when email sync stands still",
        help="By mail, once a day for each trouble. The person whose mailbox it is is always told.",
    )
)


def note() -> int:
    """Write down whom to tell of what. Asks no provider. Returns how many mailboxes are in trouble."""
    if not postbox.is_set_up():
        return 0
    count = 0
    for row in _suspects().select_related("member", "connection").iterator(chunk_size=500):
        found = [each.trouble for each in standing.troubles(row) if each.trouble]
        for trouble in found:
            _put_down(row, trouble)
        count += bool(found)
    return count


def _suspects() -> QuerySet[SyncedMailbox]:
    """Those that need a closer look. One query, whatever their number."""
    rows = SyncedMailbox.objects.filter(is_on=True, member__is_active=True, organization__ending_since=None)
    mine = {"mailbox": OuterRef("pk")}
    yesterday = clock.now().date() - DAY
    return rows.filter(
        Q(parked_until__gt=Now())
        | Q(polled_at__lt=Now() - UNSEEN)
        | Q(polled_at=None, starts_at__lt=Now() - UNSEEN)
        | Exists(standing.late(Job.objects.filter(**mine)))
        | Exists(standing.failed(Decision.objects.filter(**mine)))
        | Exists(Tally.objects.filter(**mine, missed__gt=0, day__gte=yesterday))
    )


def _put_down(row: SyncedMailbox, trouble: Trouble) -> None:
    about = {"organization_id": row.organization_id, "mailbox": row, "trouble": trouble}
    rows = [Notice(**about, recipient=each) for each in _recipients(row)]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    there = Notice.objects.filter(mailbox=row, trouble=trouble)
    there.update(seen_at=Now())
    untold = Q(sent_at=None) | Q(sent_at__lt=Now() - DAY)  # None: mended before anybody was told, and here again
    there.filter(untold, is_due=False).update(is_due=True)


def _recipients(row: SyncedMailbox) -> Iterable[Member]:
    who = Q(pk=row.member_id)
    if policy.organization_value_of(TELL_ADMINISTRATORS.key, row.organization_id):
        who |= Q(role__in=_ADMINISTRATORS, is_confirmed=True)
    return Member.objects.filter(who, organization_id=row.organization_id, is_active=True).exclude(email="")


def send() -> int:
    """Tell them. Returns how many were told. A server that does not answer is tried again at the next run."""
    if not postbox.is_set_up():
        return 0
    told = 0
    for recipient_id in _due().values_list("recipient_id", flat=True).distinct().order_by()[:MOST]:
        try:
            told += _tell(recipient_id)
        except postbox.NotSent as error:
            log.warning("%s", error)
            if error.is_server:
                break
    return told


def _due() -> QuerySet[Notice]:
    unclaimed = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    rows = Notice.objects.filter(unclaimed, is_due=True, recipient__is_active=True)
    recent = Notice.objects.filter(recipient=OuterRef("recipient"), sent_at__gt=Now() - PAUSE)
    return rows.exclude(Exists(recent))


def _tell(recipient_id: UUID) -> bool:
    """Whether there was anything left to tell. Raises postbox.NotSent where the server is to be asked again."""
    rows = _claimed(recipient_id)
    current = [(row, line) for row in rows if (line := _line(row)) is not None]
    over = [row.pk for row in rows if row.pk not in {each.pk for each, _ in current}]
    Notice.objects.filter(pk__in=over).update(is_due=False, claimed_until=None)
    if current:
        _send(rows[0].recipient, [row for row, _ in current], [line for _, line in current])
    return bool(current)


def _claimed(recipient_id: UUID) -> list[Notice]:
    with transaction.atomic():
        mine = _due().filter(recipient_id=recipient_id).order_by("pk")
        ids = list(mine.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True))
        Notice.objects.filter(pk__in=ids).update(claimed_until=Now() + CLAIM)
    related = ("recipient__organization", "mailbox__member", "mailbox__connection")
    return list(Notice.objects.filter(pk__in=ids).select_related(*related).order_by("pk"))


def _line(row: Notice) -> Line | None:
    """As it is now; None where it is mended, or is this recipient's business no more."""
    is_own = row.mailbox.member_id == row.recipient_id
    if not row.mailbox.is_on or not (is_own or row.recipient.is_administrator):
        return None
    found = next((each for each in standing.troubles(row.mailbox) if each.trouble == row.trouble), None)
    return Line(row.mailbox, Trouble(row.trouble), found.sentence, is_own) if found else None


def _send(recipient: Member, rows: list[Notice], lines: list[Line]) -> None:
    letter = notice_letters.letter(recipient, lines)
    name = uuid5(recipient.pk, " ".join(f"{row.pk}:{row.times}" for row in rows))
    try:
        postbox.send(recipient.email, letter.subject, letter.text, f"{name}@{postbox.domain()}")
    except postbox.NotSent as error:
        if not error.is_final:
            raise
        log.warning("%s", error)  # this address takes nothing: not before tomorrow
    mine = Notice.objects.filter(pk__in=[row.pk for row in rows])
    mine.update(is_due=False, sent_at=Now(), times=F("times") + 1, claimed_until=None)
