"""Whose mailbox it is: the addresses that its owner sends from. They stay in RAM, and briefly."""

from collections.abc import Sequence
from uuid import UUID

from organizations.models import Member
from organizations.ramcache import RamCache
from providers.mail import Mailbox
from sync.models import SyncedMailbox

_known: RamCache[UUID, Sequence[str]] = RamCache(maxsize=5_000, ttl=300)


def addresses_of(row: SyncedMailbox, client: Mailbox) -> Sequence[str]:
    """As `asked`; asks the provider where nobody of this process has in five minutes."""
    return _known.get_or_load(row.pk, lambda: asked(row.member, client))


def asked(member: Member, client: Mailbox) -> Sequence[str]:
    """With what Salesforce has for the member."""
    return tuple(filter(None, (member.email, *client.addresses())))
