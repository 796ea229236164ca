"""Emails that another program has saved in Salesforce (F7: a second tool): known there by Message-ID, sender, subject
and day, and not in our ledger at all. They are left to it: no second activity, and nothing of theirs is changed."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from providers.activities import Copy, Role
from providers.addresses import fold
from providers.mail import Heading
from sync import ledger
from sync.mime import heading as headers
from sync.mime.fields import Fields
from sync.rules import Candidate

Copies = Mapping[str, tuple[Copy, ...]]
#: Programs keep the time of sending or of receipt, some in a zone of their own.
NEAR = timedelta(days=1)
#: Characters of a subject that are compared: fewer than Salesforce keeps, and one that was cut is the same.
LONGEST = 200


def message_id_of(heading: Heading) -> str:
    """With its <>, as a Letter has it; "" where none is usable."""
    return headers.message_id(_fields(heading, "message-id"))


def times_of(heading: Heading) -> tuple[datetime, ...]:
    """When it was received and, where it says so, sent."""
    sent_at = headers.sent_at(_fields(heading, "date"), None, set())
    return (heading.received_at, sent_at) if sent_at else (heading.received_at,)


def _fields(heading: Heading, wanted: str) -> Fields:
    return Fields(
        [(name, value.encode("utf-8", "replace")) for name, value in heading.headers if name == wanted], set()
    )


class Elsewhere:
    """`copies`: what `Activities.people` has found. `ours`: Message-IDs that our ledger knows; it decides on them."""

    def __init__(self, copies: Copies, ours: Collection[str]) -> None:
        self._copies = {message_id: found for message_id, found in copies.items() if message_id not in ours}

    def has(self, message_id: str, candidate: Candidate, times: Collection[datetime]) -> bool:
        """`times`: when it was sent, and when received; either may have been kept. Sender, subject and day are the
        same, too: whoever forges a Message-ID, or uses one again, keeps no other mail out."""
        envelope = candidate.envelope
        senders = {party.address for party in envelope.parties if party.role is Role.FROM}
        return any(
            fold(copy.sender) in senders
            and _one(copy.subject) == _one(envelope.subject)
            and copy.sent_at is not None
            and any(abs(copy.sent_at - at) < NEAR for at in times)
            for copy in self._copies.get(message_id, ())
        )


def elsewhere(organization_id: UUID, copies: Copies) -> Elsewhere:
    """Raises as ledger.marks_of."""
    return Elsewhere(copies, _ours(organization_id, copies) if copies else ())


def _one(subject: str) -> str:
    return " ".join(subject.split()).casefold()[:LONGEST]


def _ours(organization_id: UUID, copies: Copies) -> set[str]:
    marks = ledger.marks_of(organization_id)
    by_mark = {marks.of_message_id(message_id): message_id for message_id in copies}
    return {by_mark[mark] for mark in ledger.known(organization_id, by_mark)}
