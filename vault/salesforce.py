"""How the vault puts together a Salesforce client for one connection."""

from uuid import UUID

from providers.base import Crm


def crm(connection_id: UUID, organization_id: UUID, purpose: str) -> Crm:
    raise NotImplementedError
