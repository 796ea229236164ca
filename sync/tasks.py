"""Sync's background work. Arguments are ids of mailboxes: what there is to do for one stands in its tables.

A mailbox is worked at for a few seconds and goes to the end of the queue, so that a full one keeps no other waiting."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from sync import (
    appearing,
    carriers,
    correcting,
    corrections,
    listing,
    mailboxes,
    noted,
    notices,
    noting,
    parking,
    pull,
    retention,
    silence,
    subscriptions,
    sweep,
)
from sync import work as working

#: Seconds after which a wake-up call is of no use: the sweep has made another.
_STALE = 60


def wake(task: Any, ids: Iterable[UUID]) -> None:
    """A queue that is away costs delay: the sweep comes again."""
    with suppress(OperationalError):
        for mailbox_id in ids:
            task.apply_async(args=[str(mailbox_id)], expires=_STALE)


def wake_once_more(task: Any, mailbox_id: UUID, seconds: float) -> None:
    """A little later, whatever came of the first time."""
    with suppress(OperationalError):
        task.apply_async(args=[str(mailbox_id)], countdown=seconds, expires=_STALE)


@shared_task(ignore_result=True)
def poll(mailbox_id: str) -> None:
    """What it finds is carried out at once, unless there is more: a single mail waits in the queue once, not twice."""
    has_more = pull.pull(UUID(mailbox_id)) or sweep.is_wanted(UUID(mailbox_id))
    found = sweep.to_work_of(UUID(mailbox_id))
    if has_more:
        wake(work, found)
        wake(poll, [UUID(mailbox_id)])
    else:
        for each in found:
            work(str(each))


@shared_task(ignore_result=True)
def work(mailbox_id: str) -> None:
    """Asks at the end whatever it has left: who brings jobs for a mailbox that is worked at leaves them to that."""
    make = carriers.current()
    if make is not None:
        working.work(UUID(mailbox_id), make)
        wake(work, sweep.to_work_of(UUID(mailbox_id)))


@shared_task(ignore_result=True)
def list_more(mailbox_id: str) -> None:
    has_more = listing.proceed(UUID(mailbox_id))
    wake(work, sweep.to_work_of(UUID(mailbox_id)))
    if has_more:
        wake(list_more, [UUID(mailbox_id)])


@shared_task(ignore_result=True)
def look_after_subscription(mailbox_id: str) -> None:
    if subscriptions.look_after(UUID(mailbox_id)):
        wake(poll, [UUID(mailbox_id)])


@shared_task(ignore_result=True)
def compare(mailbox_id: str) -> None:
    has_more = silence.compare(UUID(mailbox_id))
    wake(work, sweep.to_work_of(UUID(mailbox_id)))
    if has_more:
        wake(compare, [UUID(mailbox_id)])


@shared_task(ignore_result=True)
def ask_who_appeared(mailbox_id: str) -> None:
    wake(work, appearing.ask(UUID(mailbox_id)))


@shared_task(ignore_result=True)
def correct(correction_id: str) -> None:
    if correcting.proceed(UUID(correction_id)):
        wake(correct, [UUID(correction_id)])


@shared_task(ignore_result=True)
def look_around() -> None:
    """The sweep."""
    parking.unpark_mended()
    wake(poll, sweep.to_poll())
    wake(work, sweep.to_work())
    wake(list_more, sweep.to_list())
    wake(look_after_subscription, sweep.to_subscribe())
    wake(correct, corrections.to_go_on())
    wake(compare, sweep.to_compare())
    wake(ask_who_appeared, sweep.to_ask())


@shared_task(ignore_result=True)
def note_seen() -> None:
    noted.look_for_undone()
    wake(note_seen_of, noted.due())


@shared_task(ignore_result=True)
def note_seen_of(member_id: str) -> None:
    if noting.note(UUID(member_id)):
        wake(note_seen_of, [UUID(member_id)])


@shared_task(ignore_result=True)
def follow_settings() -> None:
    mailboxes.follow_settings()


@shared_task(ignore_result=True)
def tell_of_trouble() -> None:
    notices.note()
    notices.send()


@shared_task(ignore_result=True)
def forget_old() -> None:
    parking.forget_old_pauses()
    retention.forget_old()
