"""Where a person's add-ins are signed in: a short label and two times for each, and their end (C3).

Keeps no user agent: that tells browsers apart better than anybody here has to know."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from oauth2_provider.models import get_refresh_token_model

from organizations import audit
from organizations.models import Application, Device, Member
from organizations.oauth import families

#: Last use is for people's eyes: one write an hour at most.
_NOTED_EVERY = timedelta(hours=1)
#: What a user agent says, in the order in which to believe it: Edge calls itself Chrome, and both Safari.
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}


def system_of(user_agent: str) -> str:
    """ "Windows, Edge", "macOS", or "" where nothing is known by name."""
    return ", ".join(filter(None, (_first(_SYSTEMS, user_agent), _first(_BROWSERS, user_agent))))


def _first(names: dict[str, str], text: str) -> str:
    return next((name for sign, name in names.items() if sign in text), "")


def begin(family: UUID, member: Member, application: Application, user_agent: str) -> None:
    """An add-in has just signed in."""
    Device.objects.create(family=family, member=member, application=application, system=system_of(user_agent))


def note_use(family: UUID) -> None:
    """The add-in has renewed its token, as each does every ten minutes while it is used."""
    now = timezone.now()
    Device.objects.filter(family=family, last_used_at__lt=now - _NOTED_EVERY).update(last_used_at=now)


def of(member: Member) -> QuerySet[Device]:
    """The member's signed-in add-ins, newest first."""
    alive = Device.objects.filter(member=member, signed_in_at__gt=timezone.now() - families.LIFETIME)
    return alive.select_related("application").order_by("-signed_in_at")


def label(device: Device) -> str:
    """ "Outlook task pane on Windows, Edge"."""
    name = device.application.name
    return f"{name} on {device.system}" if device.system else name


def family_of(token_digest: str) -> UUID | None:
    """The sign-in that an access token came of."""
    rows = get_refresh_token_model().objects.filter(access_token__token_checksum=token_digest)
    family: UUID | None = rows.values_list("token_family", flat=True).first()
    return family


def sign_out(member: Member, family: UUID) -> bool:
    """End one sign-in, in every process within seconds; the others go on. False where the member has no such one."""
    with transaction.atomic():
        if not of(member).filter(family=family).exists():
            return False
        families.revoke(family, member.pk)
        audit.record(member.organization_id, member, "device.signed_out", family)
    return True


def sign_out_everywhere(member: Member) -> None:
    """End every sign-in of the member: all add-ins, all browsers, this one too. What is connected stays."""
    with transaction.atomic():
        Member.objects.filter(pk=member.pk).update(session_key_seed=secrets.token_hex())
        families.revoke_all_of(member)
        audit.record(member.organization_id, member, "device.signed_out_everywhere", member.pk)


def forget_ended() -> None:
    """What is too old to be used is not listed; here it goes."""
    Device.objects.filter(signed_in_at__lt=timezone.now() - families.LIFETIME).delete()
