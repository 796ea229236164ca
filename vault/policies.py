"""The toggles that decide what people are asked to allow at Google and Microsoft (C10). Syncing itself is not here."""

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type

EMAIL = "email"
CALENDAR = "calendar"


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
AUTOLOG = policy.declare(
    Toggle(
        key="email.autolog.enabled",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Log outgoing email",
        help="What is sent is saved although email sync is off, and whether it is a reply or not.",
    )
)
FORCE_AUTOLOG = policy.declare(
    Toggle(
        key="email.autolog.force",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=False,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Log outgoing email for everybody",
        help="Nobody can switch it off for themselves, and only the organization's own filters hold for it. "
        "A conversation that is kept private stays private.",
    )
)
TRY_OUT = policy.declare(
    Toggle(
        key="email.sync.try_out",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=False,
        scope=Scope.MEMBER,
        label="Try email sync out",
        help="Connecting asks for your mail, so that a dry run can tell what email sync would save. Nothing is saved.",
    )
)


def is_logging_forced(member: Member) -> bool:
    return bool(policy.organization_value_of(FORCE_AUTOLOG.key, member.organization_id))


def logs_outgoing(member: Member) -> bool:
    """Whether what this member sends is saved, whether his mailbox is synced or not."""
    return is_logging_forced(member) or bool(policy.value_of(AUTOLOG.key, member))


def syncs_mail(member: Member) -> bool:
    """Whether anything of this member's mail is saved in Salesforce."""
    return bool(policy.value_of("email.sync.enabled", member)) or logs_outgoing(member)


def features_of(member: Member) -> frozenset[str]:
    """Which of "email" and "calendar" a member has to allow for what is on, or tried out; from RAM when warm."""
    outwards, inwards = policy.value_of("cal.sync.to_sf", member), policy.value_of("cal.sync.from_sf", member)
    is_read = syncs_mail(member) or policy.value_of(TRY_OUT.key, member)
    is_on = {EMAIL: is_read, CALENDAR: outwards or inwards}
    return frozenset(feature for feature, on in is_on.items() if on)
