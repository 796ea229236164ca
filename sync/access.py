"""The way to a synced mailbox' provider: its person's connection, used for what it was granted for."""

from providers.mail import Mailbox
from sync.models import SyncedMailbox
from vault import clients
from vault.errors import ConnectRequired


def mailbox_of(row: SyncedMailbox, purpose: str) -> Mailbox:
    """Raises NeedsReconnect, PermissionMissing, Transient, VaultError; ConnectRequired, too, where the person has
    connected another account instead: its mail is another mailbox'."""
    provider = row.connection.provider
    found = clients.connection_of(row.member, provider, "email")
    if found.id != row.connection_id:
        raise ConnectRequired(provider)
    return clients.mailbox_for(found, purpose)
