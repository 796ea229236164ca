"""Sync's lines of `manage.py doctor`: what keeps a mail single in each Salesforce, as far as that was described. Asks
nobody."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from organizations.registries import Finding, Level, connection_examiners, doctor_checks
from providers.activities import Capabilities, KeyForm
from sync.models import SyncedMailbox
from vault import clients
from vault.models import SALESFORCE, Connection
from vault.states import USABLE

_PAGE = "docs/salesforce-setup.md says what its administrator adds."
#: Organizations, and people of one, that are looked through at most.
_MOST, _MOST_PEOPLE = 5_000, 20


@doctor_checks.register("sync.salesforce")
def salesforce() -> Iterator[Finding]:
    """By organization, in numbers; `doctor --connection` tells of one person."""
    synced = SyncedMailbox.objects.filter(is_on=True).order_by().values_list("organization_id", flat=True).distinct()
    found = [_described(organization) for organization in synced[:_MOST]]
    counted = Counter(_state(each) for each in found)
    for state, (level, message) in _SENTENCES.items():
        if counted[state]:
            yield Finding(level, f"{message}: {counted[state]}.", "" if level is Level.OK else _PAGE)


def _described(organization_id: UUID) -> Capabilities | None:
    """As the first person of whom it is known may file."""
    people = Connection.objects.filter(organization_id=organization_id, provider=SALESFORCE, state__in=USABLE)
    known = (clients.described_filing(each) for each in people.values_list("pk", flat=True)[:_MOST_PEOPLE])
    return next((each for each in known if each is not None), None)


def _state(found: Capabilities | None) -> str:
    if found is None:
        return "unknown"
    if not found.record:
        return "closed"
    if found.key_form is KeyForm.LOOKUP:
        return "unkept"
    return "files" if found.can_attach and not found.is_attachment_keyed else "kept"


_SENTENCES = {
    "kept": (Level.OK, "Organizations whose Salesforce keeps each mail single"),
    "unknown": (Level.OK, "Organizations whose Salesforce was not asked yet how it keeps a mail single"),
    "files": (Level.WARNING, "Organizations whose Salesforce keeps each mail single, but not each attachment"),
    "unkept": (
        Level.WARNING,
        "Organizations whose Salesforce would take the same mail twice, so that we look for it",
    ),
    "closed": (Level.ERROR, "Organizations whose Salesforce lets nobody file a mail"),
}


@connection_examiners.register("sync.salesforce")
def examine(connection_id: UUID) -> Iterator[Finding]:
    found = clients.described_filing(connection_id)
    if found is None:
        return
    if not found.record:
        yield Finding(Level.ERROR, "Its person may add neither mails nor tasks in Salesforce.", _PAGE)
    for note in found.notes:
        yield Finding(Level.WARNING, note, _PAGE)
