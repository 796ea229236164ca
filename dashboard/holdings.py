"""What we hold about a person, said in words: profile and cookies. Reads; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from organizations import policy
from organizations.models import Member
from tracking.models import TrackedMessage
from tracking.policies import RETENTION


@dataclass(frozen=True, slots=True)
class Held:
    """One thing we hold. `why` says what it is used for."""

    label: str
    value: object
    why: str


@dataclass(frozen=True, slots=True)
class Cookie:
    name: str
    purpose: str
    lifetime: str


def about(member: Member) -> Sequence[Held]:
    """The member's profile and Salesforce configuration, as copied at sign-in and daily (C23, C24), and what he had
    tracked."""
    days = policy.organization_value_of(RETENTION.key, member.organization_id)
    return (
        Held("Name", member.name, "Shown to you and to your administrators"),
        Held("E-mail", member.email, "To know which domain is your own; nobody is identified by it"),
        Held("Salesforce user name", member.username, "Invitations and the whitelist name people by it"),
        Held("Salesforce user", member.salesforce_user_id, "Identifies you, together with your Salesforce org"),
        Held("User type", member.user_type, "Says what your licence can see"),
        Held("Profile", member.profile, "Explains what you may not see"),
        Held("Permission sets", ", ".join(member.permission_sets), "Explain what you may not see"),
        Held("Language", member.language, "Labels in your language"),
        Held("Locale", member.locale, "Dates and amounts as you are used to"),
        Held("Time zone", member.time_zone, "Times in your own zone"),
        Held(
            "Tracked messages",
            TrackedMessage.objects.filter(organization_id=member.organization_id, member_id=member.pk).count(),
            f"Recipients and links of each, sealed, to show you what came of it; deleted after {days} days",
        ),
    )


def cookies() -> Sequence[Cookie]:
    hours = settings.SESSION_COOKIE_AGE // 3600
    return (
        Cookie(
            settings.SESSION_COOKIE_NAME,
            "Keeps you signed in on the dashboard.",
            f"{hours} hours, or until you sign out",
        ),
        Cookie(settings.CSRF_COOKIE_NAME, "Proves that a form you send came from our own page.", "One year"),
    )
