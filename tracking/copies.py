"""What is known of the copies that a batch of hits is about: held until it is stored, read at once, without the cost of
model objects. Changes nothing."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

#: As text: thousands of ids in a list would be a placeholder each.
_COPIES = "SELECT id, message_id FROM tracking_copy WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
_MESSAGES = """
SELECT id, organization_id, sent_at, viewing_until FROM tracking_trackedmessage WHERE id = ANY(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Message:
    id: UUID
    organization_id: UUID
    sent_at: datetime | None
    viewing_until: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """A copy that is here."""

    id: UUID
    message: Message


def known(ids: Collection[bytes]) -> dict[bytes, Known]:
    """By the 16 bytes of their ids, as tokens have them; those that are not here any more are left out.

    In the caller's transaction, which holds them from then on, in one order, so that two workers wait for each other in
    turn. What deletes them, or says that the sender looks at them, comes before or after."""
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, [_array(each.hex() for each in ids)])
        copies: list[tuple[UUID, UUID]] = cursor.fetchall()
        cursor.execute(_MESSAGES, [_array({message.hex for _, message in copies})])
        messages = {row[0]: Message(*row) for row in cursor.fetchall()}
    return {id_.bytes: Known(id_, messages[message]) for id_, message in copies if message in messages}


def _array(ids: Iterable[str]) -> str:
    return "{" + ",".join(ids) + "}"
