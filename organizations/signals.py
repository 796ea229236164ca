"""Signals that rooms below send and rooms above receive, or one product sends and another receives. Sent inside the
transaction that changes things, where nothing else is said."""

from django.dispatch import Signal

#: kwargs: member. Access has been ended by an administrator.
member_deactivated = Signal()

#: kwargs: member, mail_id (a UUID of tracking's), message_id (its header, as the mail client has it; not to be kept).
#: Outside a transaction: a tracked mail has been sent.
mail_sent = Signal()

#: kwargs: mail_ids. People did something with these tracked mails, likely, or it turned out that they did not.
mail_seen = Signal()
