"""Which conversation a message belongs to, as keyed digests of Message-IDs, and whether something of it was saved."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Q

from providers.mail import Heading
from sync.conversations import NOTHING, Said
from sync.ledger import Marks, marks_of
from sync.letters import Letter
from sync.models import LedgerEntry
from sync.rules import Rulebook, Thread

_ID = re.compile(r"<[^<>\s]{1,253}>")
#: Of the messages that one refers to: the first, which began the conversation, and the last ones.
_LAST = 20
_NAMES = ("references", "in-reply-to")


def mark_of(letter: Letter, marks: Marks) -> bytes | None:
    """Of the message that began the conversation, as far as this one says; None where it has no usable id at all."""
    first = next(iter(letter.references), letter.in_reply_to or letter.message_id)
    return marks.of_message_id(first) if first else None


def known(
    organization_id: UUID, headings: Sequence[Heading], said: Mapping[str, Said], rulebook: Rulebook
) -> Mapping[str, Thread]:
    """What is known of each message's conversation, by message id. `said`: by thread. What was saved before is asked
    only where it decides something. Raises as ledger.marks_of."""
    replies_only = rulebook.incoming.replies_only or rulebook.outgoing.replies_only
    saved = logged(organization_id, headings, marks_of(organization_id)) if replies_only else set()
    return {heading.id: _thread(said.get(heading.thread_id, NOTHING), heading.id in saved) for heading in headings}


def _thread(said: Said, is_logged: bool) -> Thread:
    return Thread(said.is_private, is_logged, said.person_ids)


def logged(organization_id: UUID, headings: Sequence[Heading], marks: Marks) -> set[str]:
    """The provider's ids of those messages that answer one which is in Salesforce. One query for all of them."""
    referred = {heading.id: [marks.of_message_id(each) for each in _referred(heading)] for heading in headings}
    wanted = {mark for found in referred.values() for mark in found}
    there = _known(organization_id, wanted) if wanted else set()
    return {name for name, found in referred.items() if there.intersection(found)}


def _known(organization_id: UUID, wanted: set[bytes]) -> set[bytes]:
    is_of = Q(message_mark__in=wanted) | Q(thread_mark__in=wanted)
    rows = LedgerEntry.objects.filter(is_of, organization_id=organization_id, undone_at=None).exclude(salesforce_id="")
    found = rows.values_list("message_mark", "thread_mark")
    return {bytes(mark) for pair in found for mark in pair if mark is not None}


def _referred(heading: Heading) -> list[str]:
    ids = [each for name, value in heading.headers if name in _NAMES for each in _ID.findall(value)]
    return list(dict.fromkeys([*ids[:1], *ids[-_LAST:]]))
