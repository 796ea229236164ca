"""Signals that rooms below send and rooms above receive. Sent inside the transaction that changes things."""

from django.dispatch import Signal

#: kwargs: member. Access has been ended by an administrator.
member_deactivated = Signal()
