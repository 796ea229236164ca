"""Emails that another program has saved in Salesforce (F7: a second tool): known by Message-ID and sender there, and by
having no place in our ledger. They are left to it: no second activity, and nothing of theirs is ever changed."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from providers.activities import Copy, Role
from providers.addresses import fold
from providers.mail import Heading
from sync import ledger
from sync.mime import heading as headers
from sync.mime.fields import Fields
from sync.rules import Candidate

Copies = Mapping[str, tuple[Copy, ...]]


def message_id_of(heading: Heading) -> str:
    """With its <>, as a Letter has it; "" where none is usable."""
    given = [(name, value.encode("utf-8", "replace")) for name, value in heading.headers if name == "message-id"]
    return headers.message_id(Fields(given, set()))


class Elsewhere:
    """`copies`: what `Activities.people` has found. `ours`: ids of our own activities by Message-ID, "" among them
    where one is on its way or was taken back: then the ledger decides."""

    def __init__(self, copies: Copies, ours: Mapping[str, Collection[str]]) -> None:
        self._senders = {message_id: _senders(found, ours.get(message_id, ())) for message_id, found in copies.items()}

    def has(self, message_id: str, candidate: Candidate) -> bool:
        """From the same sender: whoever forges a Message-ID keeps no other mail out."""
        return bool(self._senders.get(message_id, set()).intersection(_senders_of(candidate)))


def elsewhere(organization_id: UUID, copies: Copies) -> Elsewhere:
    """Raises as ledger.marks_of."""
    return Elsewhere(copies, _ours(organization_id, copies) if copies else {})


def _senders(copies: Iterable[Copy], ours: Collection[str]) -> set[str]:
    return set() if "" in ours else {fold(copy.sender) for copy in copies if copy.id not in ours}


def _senders_of(candidate: Candidate) -> Iterable[str]:
    return (party.address for party in candidate.envelope.parties if party.role is Role.FROM)


def _ours(organization_id: UUID, copies: Copies) -> dict[str, set[str]]:
    marks = ledger.marks_of(organization_id)
    by_mark = {marks.of_message_id(message_id): message_id for message_id in copies}
    return {by_mark[mark]: found for mark, found in ledger.records_of(organization_id, by_mark).items()}
