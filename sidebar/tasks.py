"""The sidebar's background work. Arguments are ids, never content; here there are none."""

from celery import shared_task

from sidebar import idempotency


@shared_task(ignore_result=True)
def purge_idempotency_keys() -> None:
    """Forget idempotency keys after their 24 hours."""
    idempotency.purge()
