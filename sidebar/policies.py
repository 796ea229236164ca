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
SIGNATURES = policy.declare(
    Toggle(
        key="signature.extract",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Fill in new contacts from signatures",
        help="A new Lead's or Contact's form starts with what the sender's signature says: title, company, numbers. "
        "The mail is read here, by this server alone, and nothing of it is kept.",
    )
)


def card_lifetime(member: Member) -> float:
    """Seconds a card fetched now for this member may live; never above the hard cap, whatever is stored."""
    return cache.lifetime(float(policy.value_of(SEARCH_TTL.key, member)))


def may_read_signatures(member: Member) -> bool:
    """Whether the organization and the member have both switched it on (C70)."""
    return bool(policy.value_of(SIGNATURES.key, member))
