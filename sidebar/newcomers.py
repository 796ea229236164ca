"""A person whom somebody adds to Salesforce here, or gives an address: mail may have waited for just that (F11)."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError

from organizations.models import Member
from providers.addresses import fold
from providers.errors import ProviderError
from sync import waiting
from vault.errors import VaultError

logger = logging.getLogger(__name__)

#: Where a person's address stands. Of an account only a person account has one.
_FIELDS = {"Contact": "Email", "Lead": "Email", "Account": "PersonEmail"}


def note(member: Member, object_name: str, values: Mapping[str, Any]) -> None:
    """After it was written. Whatever goes wrong here is no failure of that: Salesforce is asked for newcomers, too."""
    address = values.get(_FIELDS.get(object_name, ""))
    if not isinstance(address, str) or not address.strip():
        return
    try:
        waiting.appeared(member.organization_id, [fold(address.strip())])
    except (DatabaseError, ProviderError, VaultError) as error:
        logger.warning("mail that waits could not be looked up: %s", type(error).__name__)
