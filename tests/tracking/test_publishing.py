"""What the hot process is told, also on bad days."""

from datetime import timedelta

import pytest
from django.utils import timezone
from redis import Redis

from organizations import policy
from organizations.models import Member
from tests.tracking.test_drain import alice, set_up
from tracking import publishing
from tracking.hot.tokens import Kind
from vault import days
from vault.errors import KekUnusable, OwnTrouble

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]


@pytest.mark.parametrize("fault", [KekUnusable("sealed"), OwnTrouble("away")], ids=["unusable", "away"])
def test_who_is_switched_off_is_told_though_no_key_can_be_made(
    alice: Member, set_up: Redis, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The key service is away at midnight: yesterday's key serves on, and what was switched off is off."""
    now = timezone.now()
    publishing.publish_standing(now)
    yesterdays = set_up.get("tracking:day")
    policy.set_organization_value(alice, alice.organization_id, "track.opens", False)

    def away(_: object) -> bytes:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(days, "begin", away)
        assert publishing.publish_standing(now + timedelta(days=1))
    assert alice.organization_id.bytes + bytes([Kind.OPEN]) in set_up.smembers("tracking:off")
    assert set_up.get("tracking:day") == yesterdays
    assert publishing.publish_standing(now + timedelta(days=1))
    assert set_up.get("tracking:day") != yesterdays
