"""The toggles that the sidebar reads."""

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type
from sidebar import cache

SEARCH_TTL = policy.declare(
    Toggle(
        key="search.ttl",
        kind=Merge.OVERRIDE,
        type=Type.INT,
        default=300,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        minimum=int(cache.SHORTEST),
        maximum=int(cache.LONGEST),
        label="Cards stay in memory for (seconds)",
        help="How long a person's card is kept in memory, and nowhere else, before Salesforce is asked again.",
    )
)


def card_lifetime(member: Member) -> float:
    """Seconds a card fetched now for this member may live; never above the hard cap, whatever is stored."""
    return cache.lifetime(float(policy.value_of(SEARCH_TTL.key, member)))
