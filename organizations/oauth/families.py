"""Token families: all the tokens that came of one sign-in. They are revoked together and die after 30 days."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_grant_model, get_refresh_token_model

from organizations import epochs
from organizations.models import Device, Member, UsedCode

#: However often it was rotated; the toolkit's own expiry slides along with each rotation (ASVS 10.4.8).
LIFETIME = timedelta(days=30)


def revoke(family: UUID, member_id: object) -> None:
    """Kill every token of a family, in every process."""
    with transaction.atomic():
        Device.objects.filter(family=family).delete()  # waits for a renewal under way, whose tokens would outlive this
        get_refresh_token_model().revoke_family(family)
        epochs.bump("token", member_id)


def revoke_all_of(member: Member) -> None:
    """Kill every token and open code of a member, in every process."""
    with transaction.atomic():
        get_grant_model().objects.filter(user=member).delete()  # first, as waiting for a code that is being redeemed
        Device.objects.filter(member=member).delete()
        now = timezone.now()
        live = get_refresh_token_model().objects.filter(user=member, revoked=None)
        live.update(revoked=now, updated=now)
        get_access_token_model().objects.filter(user=member).delete()
        epochs.bump("token", member.pk)


def lock(family: UUID) -> None:
    """One at a time, in this transaction: whoever renews, and whoever ends. Taken before any token's row."""
    Device.objects.select_for_update().filter(family=family).first()


def is_alive(family: UUID) -> bool:
    return bool(get_refresh_token_model().objects.filter(token_family=family, revoked=None).exists())


def is_too_old(family: UUID) -> bool:
    oldest: datetime | None = (
        get_refresh_token_model().objects.filter(token_family=family).aggregate(at=Min("created"))["at"]
    )
    return oldest is None or oldest + LIFETIME <= timezone.now()


def forget_dead(member: Member) -> None:
    """Delete what this member's former families left behind; done when a new one begins, so nothing piles up."""
    long_ago = timezone.now() - LIFETIME - timedelta(days=1)
    get_refresh_token_model().objects.filter(user=member, revoked__lt=long_ago).delete()
    get_grant_model().objects.filter(user=member, expires__lt=timezone.now()).delete()
    UsedCode.objects.filter(member=member, used_at__lt=long_ago).delete()
    unrefreshed = get_refresh_token_model().objects.filter(user=member, created__lt=long_ago, revoked=None)
    get_access_token_model().objects.filter(user=member, refresh_token__in=unrefreshed).delete()
    get_access_token_model().objects.filter(user=member, expires__lt=timezone.now(), refresh_token=None).delete()
    unrefreshed.filter(access_token=None).delete()
