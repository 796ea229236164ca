"""The toggles that decide what people are asked to allow at Google and Microsoft (C10). Syncing itself is not here."""

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Toggle, Type

EMAIL, CALENDAR = "email", "calendar"


def _switch(key: str, label: str, help: str) -> None:  # noqa: A002  the toggle's own name for it
    policy.declare(Toggle(key=key, kind=Merge.OVERRIDE, type=Type.BOOL, default=False, label=label, help=help))


_switch(
    "email.sync.enabled",
    "Email sync",
    "Log e-mails with people who are in Salesforce. While it is on, connecting Google or Microsoft asks for your mail.",
)
_switch(
    "cal.sync.to_sf",
    "Calendar to Salesforce",
    "Copy events of your calendar to Salesforce. While it is on, connecting asks for your calendar.",
)
_switch(
    "cal.sync.from_sf",
    "Salesforce to calendar",
    "Copy Salesforce events to your calendar. While it is on, connecting asks for your calendar.",
)


def features_of(member: Member) -> frozenset[str]:
    """Which of "email" and "calendar" are on for this member; from RAM when warm."""
    outwards, inwards = policy.value_of("cal.sync.to_sf", member), policy.value_of("cal.sync.from_sf", member)
    is_on = {EMAIL: policy.value_of("email.sync.enabled", member), CALENDAR: outwards or inwards}
    return frozenset(feature for feature, on in is_on.items() if on)
