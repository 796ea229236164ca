"""A reply proves that its writer had the message before him (product.md F4). The sender's add-in sees the reply and
says so; kept is that there was one and when we heard of it, nothing of the reply itself."""

from django.db.models.functions import Now

from organizations.models import Member
from providers.addresses import base_address, fold, parse_addresses
from tracking import shown
from tracking.models import Content, Copy


def note(member: Member, in_reply_to: str, sender: str) -> None:
    """Of the member's own messages that were sent; of a stranger's, and from one who is no recipient, nothing. Told
    twice it stays as it was. Raises as Content.of."""
    mailboxes, _ = parse_addresses([sender])
    writers = {_key(mailbox.address) for mailbox in mailboxes}
    for message_id in shown.found(member, [in_reply_to]):
        seen = shown.of(member, message_id)
        content = Content.of(seen.message) if seen else Content([], [])
        theirs = [copy.pk for copy in seen.copies if _is_of(copy, content, writers)] if seen else []
        Copy.objects.filter(pk__in=theirs, replied_at=None).update(replied_at=Now())


def _is_of(copy: Copy, content: Content, writers: set[str]) -> bool:
    """Of a copy for all of them nobody knows who opened it; that somebody did is shown by any one's reply."""
    whose = content.recipients if copy.number is None else [content.recipients[copy.number]]
    return any(_key(address) in writers for address in whose)


def _key(address: str) -> str:
    """Mail to jane+news@ is answered as jane@."""
    return base_address(fold(address))
