"""Searching, creating, changing and opening records as the member. Salesforce's answer is the authority (C15)."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError

from organizations import epochs
from organizations.models import Member
from providers.base import Crm, Form, Record, Secret
from providers.errors import ProviderError, Rejected
from sidebar import idempotency, newcomers
from sidebar.bulkhead import bulkhead
from sidebar.cache import cards
from vault.clients import ConnectionRef, crm_for, salesforce_connection_of
from vault.errors import VaultError

logger = logging.getLogger(__name__)

#: Letters and digits; Salesforce does not search for fewer.
SHORTEST_SEARCH = 2


@dataclass(frozen=True, slots=True)
class Saved:
    """A record that was written. `url` opens it in Salesforce's own pages."""

    object: str
    id: str
    url: str


def search_records(member: Member, text: str) -> list[Record]:
    """Up to 20 records of any object this member may see (C16). Never cached."""
    words = " ".join(text.split())
    with _salesforce(salesforce_connection_of(member), "sidebar.search") as crm:
        try:
            return list(crm.search(words)) if sum(map(str.isalnum, words)) >= SHORTEST_SEARCH else []
        except Rejected as error:
            if any(detail.code == "MALFORMED_SEARCH" for detail in error.details):
                return []  # nothing in these words that Salesforce would search for
            raise


def form_for(member: Member, object_name: str, record_id: str | None = None) -> Form:
    """The form to create a record, or to edit the one named, with its present values. Raises PermissionMissing."""
    with _salesforce(salesforce_connection_of(member), "sidebar.form") as crm:
        return crm.form_for(object_name, record_id)


def create_record(member: Member, object_name: str, values: Mapping[str, Any], *, key: str | None) -> Saved:
    """Create a record, once per Idempotency-Key. Raises Rejected and PermissionMissing with Salesforce's own words."""
    connection = salesforce_connection_of(member)

    def write() -> idempotency.Ids:
        with _writing(connection, "sidebar.create") as crm:
            record = crm.create(object_name, values)
        newcomers.note(member, object_name, values)
        return {"object": record.object, "id": record.id}

    payload = {"object": object_name, "values": values}
    return _saved(connection, idempotency.once(member, "records.create", key, payload, write), "sidebar.create")


def update_record(
    member: Member,
    object_name: str,
    record_id: str,
    values: Mapping[str, Any],
    *,
    key: str | None,
    before: Callable[[Crm], None] = lambda _: None,
) -> Saved:
    """Change fields of a record, once per Idempotency-Key. Raises as `create_record` does, and NotFound. `before`: runs
    right before it is written, and may refuse that; what it raises, if it is an APIException, frees the key."""
    connection = salesforce_connection_of(member)

    def write() -> idempotency.Ids:
        with _writing(connection, "sidebar.update") as crm:
            before(crm)
            crm.update(object_name, record_id, values)
        newcomers.note(member, object_name, values)
        return {"object": object_name, "id": record_id}

    payload = {"object": object_name, "id": record_id, "values": values}
    return _saved(connection, idempotency.once(member, "records.update", key, payload, write), "sidebar.update")


def open_record(member: Member, record_id: str) -> Secret:
    """A one-time link that opens the record without another sign-in (C14). Never kept."""
    with _salesforce(salesforce_connection_of(member), "sidebar.open") as crm:
        return crm.open_url(record_id)


def forget_cards(connection_id: str) -> None:
    """Drop a connection's cards, here at once and in the other processes with their next poll."""
    cards.drop_connection(connection_id)
    try:
        epochs.bump("cards", connection_id)
    except DatabaseError as error:
        # The write has happened; other processes' cards end with their lifetime.
        logger.error("a write could not be announced: %s", type(error).__name__)


@contextmanager
def _salesforce(connection: ConnectionRef, purpose: str) -> Iterator[Crm]:
    with bulkhead.waiting(str(connection.organization_id)):
        yield crm_for(connection, purpose)


@contextmanager
def _writing(connection: ConnectionRef, purpose: str) -> Iterator[Crm]:
    """A write. Unless surely nothing was written, no card of this connection may be believed any more."""
    with _salesforce(connection, purpose) as crm:
        try:
            yield crm
        except Exception as error:
            if not idempotency.nothing_written(error):
                forget_cards(str(connection.id))
            raise
        forget_cards(str(connection.id))


def _saved(connection: ConnectionRef, ids: idempotency.Ids, purpose: str) -> Saved:
    try:
        url = crm_for(connection, purpose).record_url(ids["id"])
    except (ProviderError, VaultError):
        url = ""  # it is saved; a link that cannot be made just now must not hide that
    return Saved(ids["object"], ids["id"], url)
