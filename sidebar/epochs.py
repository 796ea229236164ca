"""Drops cards, in this process, when a grant, a person's rights or an organization's policy changed in any process."""

from organizations import epochs
from sidebar.cache import cards


def _connection_changed(key: str) -> None:
    cards.drop_connection(key)


def _member_changed(key: str) -> None:
    if key == "*":
        cards.drop_connection("*")
    else:
        cards.drop_where(lambda owner: owner.member_id == key)


def _organization_changed(key: str) -> None:
    if key == "*":
        cards.drop_connection("*")
    else:
        cards.drop_where(lambda owner: owner.organization_id == key)


epochs.on_change("connection", _connection_changed)
epochs.on_change("member", _member_changed)
epochs.on_change("organization", _organization_changed)
