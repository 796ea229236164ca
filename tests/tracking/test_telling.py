"""What other products hear of tracked mails: that one was sent, that people did something with it, and how much."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings
from redis import Redis

from organizations import signals
from organizations.models import Member
from organizations.registries import Seen
from tests.tracking.recorded_agents import APPLE_PRIVACY
from tests.tracking.test_drain import a_copy, a_hit, alice, arrive, set_up
from tracking import drain, sending, telling
from tracking.hot.tokens import Kind
from tracking.models import Copy

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]


@pytest.fixture
def told() -> Iterator[list[set[UUID]]]:
    heard: list[set[UUID]] = []

    def hear(*, mail_ids: set[UUID], **_: Any) -> None:
        heard.append(set(mail_ids))

    signals.mail_seen.connect(hear)
    yield heard
    signals.mail_seen.disconnect(hear)


def test_each_batch_names_the_mails_that_people_saw_once(
    alice: Member,
    settings: Settings,
    told: list[set[UUID]],
) -> None:
    first, second, third = a_copy(alice), a_copy(alice), a_copy(alice)
    other = Copy.objects.create(message=first.message, number=None)
    arrive(
        settings, a_hit(first), a_hit(other), a_hit(second, Kind.CLICK, 1), a_hit(third, agent=APPLE_PRIVACY), times=2
    )
    drain.drain_events("one")
    assert told == [{first.message_id, second.message_id}]
    arrive(settings, a_hit(third, agent=APPLE_PRIVACY))
    drain.drain_events("one")
    assert len(told) == 1


def test_counts_are_those_of_all_copies(alice: Member, settings: Settings, set_up: Redis) -> None:
    first = a_copy(alice)
    other = Copy.objects.create(message=first.message, number=None)
    arrive(settings, a_hit(first), a_hit(other), a_hit(other, Kind.CLICK, 1))
    drain.drain_events("one")
    other.refresh_from_db()
    assert telling.counted([first.message_id]) == {first.message_id: Seen(2, 1, other.last_at)}
    assert telling.counted([]) == {}


def test_his_own_look_takes_an_open_back_and_is_told(
    alice: Member,
    settings: Settings,
    told: list[set[UUID]],
) -> None:
    copy = a_copy(alice)
    arrive(settings, a_hit(copy))
    drain.drain_events("one")
    sending.viewed_by_sender(copy.message)
    assert told == [{copy.message_id}, {copy.message_id}]
    assert telling.counted([copy.message_id])[copy.message_id].opens == 0
    sending.viewed_by_sender(copy.message)
    assert len(told) == 2
