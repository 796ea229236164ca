"""Background work of the vault. Arguments are ids; the rules live in the modules called here."""

from uuid import UUID

from celery import shared_task

from vault import clock, incidents, probe, suspicion, turns, upkeep


@shared_task(ignore_result=True)
def finish_revocations() -> None:
    """Try again to end discarded grants at their providers, and those of people who were sent away."""
    upkeep.finish_revocations()


@shared_task(ignore_result=True)
def end_grants_of(member_id: str) -> None:
    """End what a member has connected whose access was ended."""
    upkeep.end_grants_of(UUID(member_id))


@shared_task(ignore_result=True)
def sweep() -> None:
    """Settle what crashes left behind; forget sign-ins nobody finished and attempts long past."""
    upkeep.sweep()


@shared_task(ignore_result=True)
def refresh_object_access() -> None:
    """Once a day and person: what he may see, and his profile (C23, C24)."""
    for connection_id in upkeep.due_for_access():
        refresh_object_access_of.delay(str(connection_id))


@shared_task(ignore_result=True)
def refresh_object_access_of(connection_id: str) -> None:
    upkeep.refresh_access(UUID(connection_id))


@shared_task(ignore_result=True)
def keep_grants_alive() -> None:
    """Salesforce ends refresh tokens that idle for 30 days: use each at least every 7."""
    for connection_id in upkeep.due_for_renewal():
        keep_grant_alive.delay(str(connection_id))


@shared_task(ignore_result=True)
def keep_grant_alive(connection_id: str) -> None:
    upkeep.keep_alive(UUID(connection_id))


@shared_task(ignore_result=True)
def look_after_grants() -> None:
    """Choose what is to be renewed ahead of need and what is to be proven; each grant is a task of its own."""
    incidents.spread()
    for connection_id, generation in turns.to_renew():
        renew_grant.delay(str(connection_id), generation)
    for connection_id in turns.to_prove():
        prove_grant.delay(str(connection_id))


@shared_task(ignore_result=True)
def renew_grant(connection_id: str, generation: int) -> None:
    upkeep.renew_ahead(UUID(connection_id), generation)


@shared_task(ignore_result=True)
def prove_grant(connection_id: str) -> None:
    probe.probe(UUID(connection_id))


@shared_task(ignore_result=True)
def keep_marks() -> None:
    """Let the marks rise that show a restored database, and say it when this machine's clock is off."""
    suspicion.look()
    clock.warn()
