"""Several jobs are locked in one order by whoever changes them, so that nobody waits for somebody who waits for him."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from sync import intake, jobs
from sync.conclusions import Task
from sync.models import Decision, Job
from tests.sync.conftest import Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
COUNT = 6


def of_descending_ids(alice: Post, state: str) -> list[Task]:
    """As they lie in the table, and by their message, the first is the last by its id."""
    whose = {"organization": alice.member.organization, "mailbox": alice.mailbox}
    held = (
        {"lease_by": uuid4(), "lease_until": Now() + timedelta(minutes=1), "crashes": 1} if state == "running" else {}
    )
    rows = [
        Job.objects.create(id=UUID(int=number), **whose, message_id=f"m{COUNT - number}", state=state, **held)
        for number in range(COUNT, 0, -1)
    ]
    made = [Job.objects.get(pk=row.pk) for row in rows]
    about = (alice.member.organization_id, alice.mailbox.pk)
    return [Task(row.pk, row.lease_by or uuid4(), *about, row.message_id, True, False, 0, 0, 1) for row in made]


def _again(tasks: Sequence[Task]) -> None:
    jobs.again(tasks[0].mailbox_id, [task.message_id for task in tasks])


@pytest.mark.parametrize(
    ("change", "state"),
    [(jobs.prolong, "running"), (jobs.looked_at, "running"), (jobs.put_back, "running"), (_again, "done")],
)
def test_whoever_waits_for_the_first_holds_none_of_the_others(
    alice: Post, change: Callable[[Sequence[Task]], object], state: str
) -> None:
    tasks = of_descending_ids(alice, state)
    before = list(Job.objects.order_by("pk").values_list("state", "lease_until", "crashes"))
    assert_in_order(lambda: change(tasks))
    changed = list(Job.objects.order_by("pk").values_list("state", "lease_until", "crashes"))
    assert len([None for one, other in zip(before, changed, strict=True) if one != other]) == COUNT


def test_so_does_whoever_takes_a_list_in(alice: Post) -> None:
    tasks = of_descending_ids(alice, "done")
    about = {"organization": alice.member.organization, "mailbox": alice.mailbox, "outcome": "ignored"}
    for task in tasks:
        Decision.objects.create(**about, message_id=task.message_id, rule="before_start")

    def listed() -> None:
        with transaction.atomic():
            intake.take_in_listed(alice.mailbox, [task.message_id for task in tasks])

    assert_in_order(listed)
    assert Job.objects.filter(state="due").count() == COUNT


def assert_in_order(change: Callable[[], object]) -> None:
    def changed() -> None:
        try:
            change()
        finally:
            connection.close()

    other = threading.Thread(target=changed)
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=UUID(int=1))
        other.start()
        other.join(0.7)
        assert other.is_alive()
        rest = Job.objects.exclude(pk=UUID(int=1)).select_for_update(nowait=True).order_by("pk")
        assert len(list(rest)) == COUNT - 1
    other.join()
