"""When a sender's own look may have loaded the image, and when it was a reader."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tracking.classify import A_LOOK
from tracking.copies import Message
from tracking.surroundings import _is_looking

SHOWN = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "is_looking"), [(-16, False), (-15, True), (0, True), (30, True), (31, False)])
def test_a_look_is_as_long_as_loading_takes(seconds: int, is_looking: bool) -> None:
    """From both sides: a sender who watches his message for long is to hear of its readers meanwhile."""
    message = Message(uuid.uuid4(), uuid.uuid4(), SHOWN - timedelta(days=1), SHOWN + A_LOOK)
    assert _is_looking(message, SHOWN + timedelta(seconds=seconds)) is is_looking


def test_who_never_looked_is_not_looking() -> None:
    message = Message(uuid.uuid4(), uuid.uuid4(), SHOWN, None)
    assert not _is_looking(message, SHOWN)
