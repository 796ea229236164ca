"""The toggles that tracking reads. Off until an administrator switches it on (C47, C48)."""

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type

OPENS = policy.declare(
    Toggle(
        key="track.opens",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Track opens",
        help="Outgoing mail carries a small transparent image. Recipients may block it; then there is no signal.",
    )
)
CLICKS = policy.declare(
    Toggle(
        key="track.clicks",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Track clicks",
        help="Links of outgoing mail lead through this server. Personal links (sign-in, unsubscribe) stay as they are.",
    )
)
NOTIFY = policy.declare(
    Toggle(
        key="track.notify",
        kind=Merge.OVERRIDE,
        type=Type.CHOICE,
        default="in_app",
        choices=("none", "in_app"),
        choice_labels=("Not at all", "In the sidebar"),
        scope=Scope.MEMBER,
        label="Tell me about opens and clicks",
        help="Only what a person likely did: what mail servers and security filters load by themselves does not count.",
    )
)
NETWORKS = policy.declare(
    Toggle(
        key="track.own_networks",
        kind=Merge.UNION,
        type=Type.NETWORKS,
        default=[],
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Our own networks",
        help="Opens and clicks from there are your own people's and count for nothing. For example 192.0.2.0/24.",
    )
)
RETENTION = policy.declare(
    Toggle(
        key="track.retention_days",
        kind=Merge.OVERRIDE,
        type=Type.INT,
        default=365,
        minimum=1,
        maximum=1_095,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Keep opens and clicks for (days)",
        help="What is older is deleted, with the messages it belongs to.",
    )
)


def opens(member: Member) -> bool:
    return bool(policy.value_of(OPENS.key, member))


def clicks(member: Member) -> bool:
    return bool(policy.value_of(CLICKS.key, member))
