"""Drops cards, in this process, when what a person sees changed, or his sign-in ended, in any process.

A sign-in drops nothing: the same person sees the same records, and his next look-up shall not cost a call."""

from organizations import epochs
from sidebar.cache import cards


def _cards_changed(connection_id: str) -> None:
    cards.drop_connection(connection_id)


def _tokens_changed(member_id: str) -> None:
    cards.drop_member(member_id)


epochs.on_change("cards", _cards_changed)
epochs.on_change("token", _tokens_changed)
