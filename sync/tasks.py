"""Sync's background work. Arguments are ids of mailboxes: what there is to do for one stands in its tables.

A mailbox is worked at for a few seconds and goes to the end of the queue, so that a full one keeps no other waiting."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import shared_task
from kombu.exceptions import OperationalError

from sync import carriers, listing, mailboxes, parking, pull, retention, subscriptions, sweep
from sync import work as working

#: Seconds after which a wake-up call is of no use: the sweep has made another.
_STALE = 60


def wake(task: Any, ids: Iterable[UUID]) -> None:
    """A queue that is away costs delay: the sweep comes again."""
    with suppress(OperationalError):
        for mailbox_id in ids:
            task.apply_async(args=[str(mailbox_id)], expires=_STALE)


@shared_task(ignore_result=True)
def poll(mailbox_id: str) -> None:
    has_more = pull.pull(UUID(mailbox_id))
    wake(work, sweep.to_work_of(UUID(mailbox_id)))
    if has_more:
        wake(poll, [UUID(mailbox_id)])


@shared_task(ignore_result=True)
def work(mailbox_id: str) -> None:
    make = carriers.current()
    if make is not None and working.work(UUID(mailbox_id), make):
        wake(work, sweep.to_work_of(UUID(mailbox_id)))


@shared_task(ignore_result=True)
def list_more(mailbox_id: str) -> None:
    has_more = listing.proceed(UUID(mailbox_id))
    wake(work, sweep.to_work_of(UUID(mailbox_id)))
    if has_more:
        wake(list_more, [UUID(mailbox_id)])


@shared_task(ignore_result=True)
def look_after_subscription(mailbox_id: str) -> None:
    subscriptions.look_after(UUID(mailbox_id))


@shared_task(ignore_result=True)
def look_around() -> None:
    """The sweep."""
    parking.unpark_mended()
    wake(poll, sweep.to_poll())
    wake(work, sweep.to_work())
    wake(list_more, sweep.to_list())
    wake(look_after_subscription, sweep.to_subscribe())


@shared_task(ignore_result=True)
def follow_settings() -> None:
    mailboxes.follow_settings()


@shared_task(ignore_result=True)
def forget_old() -> None:
    parking.forget_old_pauses()
    retention.forget_old()
