"""Asks Salesforce who has appeared there, or got another address, since it was asked last: mail may wait (F11).

One call an hour, as the person whose mail waits; of what comes back only keyed digests are compared, in RAM."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from providers.activities import Newcomers
from providers.errors import ProviderError
from sync import parking, policies, retries, waiting
from sync.models import SyncedMailbox
from vault import clients, clock
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.appearing"
EVERY = timedelta(hours=1)
#: Their clock may be behind ours, and what was saved just then may not be found yet.
MARGIN = timedelta(minutes=5)


def ask(mailbox_id: UUID) -> list[UUID]:
    """Mailboxes whose messages are due again for it. Raises nothing of a provider's: what could not be asked now is
    asked the next time, from where this began."""
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    asked_at = clock.now()
    since = row.asked_until or waiting.begun_at(mailbox_id) or asked_at
    try:
        found = _newcomers(row, since - MARGIN)
        mailboxes = set(waiting.appeared(row.organization_id, found.addresses))
    except (ProviderError, VaultError) as error:
        _note_failure(row, error)
        return []
    parking.note_success(row, retries.SALESFORCE)
    if found.is_cut and waiting.again(mailbox_id):
        mailboxes.add(mailbox_id)
    SyncedMailbox.objects.filter(pk=row.pk).update(asked_until=asked_at)
    return sorted(mailboxes)


def _newcomers(row: SyncedMailbox, since: datetime) -> Newcomers:
    connection = clients.salesforce_connection_of(row.member)
    prefers_task = policies.prefers_task(row.member)
    return clients.activities_for(connection, PURPOSE, prefers_task=prefers_task).newcomers(since)


def _note_failure(row: SyncedMailbox, error: Exception) -> None:
    """A right that is missing in Salesforce is said of each message; here it is no trouble of the mailbox'."""
    log.info("who appeared could not be asked for mailbox %s: %s", row.pk, type(error).__name__)
    ruling = retries.rule(error, row.connection.provider)
    if ruling.answer is not retries.Answer.GIVE_UP:
        parking.note_failure(row, ruling)
