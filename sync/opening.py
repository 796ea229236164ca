"""Where a person reads one of his mails, or a record it may stand with: found out when he asks, and kept nowhere."""

from uuid import UUID

from organizations.models import Member
from sync import access, decisions
from vault import clients

PURPOSE = "sync.open"


def mail_address(member: Member, decision_id: UUID) -> str | None:
    """In a browser, at his mail provider. None where it is no mail of his. Raises NotFound, and what `access` does."""
    row = decisions.of_member(member).filter(pk=decision_id).select_related("mailbox__member", "mailbox__connection")
    found = row.first()
    return access.mailbox_of(found.mailbox, PURPOSE).web_address(found.message_id) if found else None


def record_address(member: Member, record_id: str) -> str:
    """In his Salesforce, which decides whether he may see it. Raises what `clients.crm_for` does."""
    return clients.crm_for(clients.salesforce_connection_of(member), PURPOSE).record_url(record_id)
