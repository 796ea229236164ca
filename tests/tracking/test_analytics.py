"""What is told of many messages agrees with what is told of each."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.organizations import people
from tests.tracking.test_shown import a_message
from tracking import analytics
from tracking.models import Copy

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def test_a_reply_is_the_last_signal_too() -> None:
    """Also where no image was ever asked for: else "No signal" would stand beside a message that was answered."""
    alice = people.everybody()[0]
    now = timezone.now()
    _, (jane, joe, _) = a_message(alice, "jane@x.example", "joe@x.example", "jim@x.example")
    span = analytics.Span(now - timedelta(days=1), now + timedelta(days=1))

    def last() -> object:
        (line,) = analytics.lines(analytics.own(alice, span))
        return line.last_at

    assert last() is None
    Copy.objects.filter(pk=jane.pk).update(replied_at=now - timedelta(hours=2))
    assert last() == now - timedelta(hours=2)
    Copy.objects.filter(pk=joe.pk).update(opens=1, last_at=now - timedelta(hours=1))
    assert last() == now - timedelta(hours=1)
