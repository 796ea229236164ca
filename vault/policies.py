"""The toggles that decide what people are asked to allow at Google and Microsoft (C10). Syncing itself is not here."""

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Toggle, Type

EMAIL, CALENDAR = "email", "calendar"


def _switch(key: str, label: str, help: str) -> Toggle:  # noqa: A002  the toggle's own name for it
    return policy.declare(Toggle(key=key, kind=Merge.OVERRIDE, type=Type.BOOL, default=False, label=label, help=help))


EMAIL_SYNC = _switch(
    "email.sync.enabled",
    "Email sync",
    "Log e-mails with people who are in Salesforce. While it is on, connecting Google or Microsoft asks for your mail.",
)
EVENTS_TO_SALESFORCE = _switch(
    "cal.sync.to_sf",
    "Calendar to Salesforce",
    "Copy events of your calendar to Salesforce. While it is on, connecting asks for your calendar.",
)
EVENTS_FROM_SALESFORCE = _switch(
    "cal.sync.from_sf",
    "Salesforce to calendar",
    "Copy Salesforce events to your calendar. While it is on, connecting asks for your calendar.",
)

#: Feature -> the toggles of which one at least must be on.
_NEEDS = {EMAIL: (EMAIL_SYNC,), CALENDAR: (EVENTS_TO_SALESFORCE, EVENTS_FROM_SALESFORCE)}


def features_of(member: Member) -> frozenset[str]:
    """Which of "email" and "calendar" are on for this member; from RAM when warm."""
    return frozenset(
        feature for feature, toggles in _NEEDS.items() if any(policy.value_of(toggle.key, member) for toggle in toggles)
    )
