"""Sync's lines of `manage.py doctor`: what keeps a mail single in each Salesforce, as far as that was described, and
whether providers tell us of new mail. Asks nobody."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import Now

from organizations.registries import Finding, Level, connection_examiners, doctor_checks
from providers.activities import Capabilities, KeyForm
from sync import subscriptions
from sync.models import Subscription, SyncedMailbox
from vault import clients, dialects
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


#: By provider. Sources: developers.google.com/workspace/gmail/api/guides/push ("my-project-identifier" must be the
#: project that executes the watch request); learn.microsoft.com/graph/change-notifications-delivery-webhooks.
_UNTOLD = {
    "google": "GOOGLE_PUBSUB_TOPIC has to be a topic of the Google Cloud project whose app people connect with, and "
    "gmail-api-push@system.gserviceaccount.com has to be allowed to publish to it. Where an organization has an app of "
    "its own at Google there is nothing to mend. docs/sync.md (Being told) has each step.",
    "microsoft": "Microsoft has to reach PUBLIC_URL/hooks/microsoft/graph/ from the internet, by https with a "
    "certificate that everybody trusts, and has to be answered within ten seconds. docs/sync.md (Being told) has more.",
}


@doctor_checks.register("sync.push")
def push() -> Iterator[Finding]:
    """By provider, in numbers. Nothing where neither has a way to us: then nobody expects it."""
    counted = subscriptions.untold().values_list("connection__provider").annotate(number=Count("pk")).order_by()
    untold = dict(counted)
    for provider, number in sorted(untold.items()):
        yield Finding(
            Level.WARNING, f"{_by_looks(provider)}: {number} mailbox{'es' if number > 1 else ''}.", _UNTOLD[provider]
        )
    live = Subscription.objects.filter(expires_at__gt=Now(), mailbox__is_on=True)
    told = live.values("mailbox").distinct().count()
    if told and not untold:
        yield Finding(Level.OK, f"Mailboxes whose provider tells us of new mail at once: {told}.")


def _by_looks(provider: str) -> str:
    return f"New mail comes by regular looks only, as {dialects.label(provider)} does not tell us of it"


@connection_examiners.register("sync.push")
def examine_push(connection_id: UUID) -> Iterator[Finding]:
    row = subscriptions.untold().filter(connection=connection_id).select_related("connection").first()
    if row is not None:
        yield Finding(Level.WARNING, f"{_by_looks(row.connection.provider)}.", _UNTOLD[row.connection.provider])


@connection_examiners.register("sync.salesforce")
def examine(connection_id: UUID) -> Iterator[Finding]:
    found = clients.described_filing(connection_id)
    if found is None:
        return
    if not found.record:
        yield Finding(Level.ERROR, "Its person may add neither mails nor tasks in Salesforce.", _PAGE)
    for note in found.notes:
        yield Finding(Level.WARNING, note, _PAGE)
