"""A CRM client whose calls reach the connection's state: what was answered proves it, a fresh token refused puts it in
doubt. Never ends a grant: only the token endpoint's verdict does (I6)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from providers.base import Crm, Form, PersonMatch, Priority, Record, Secret
from providers.errors import FreshTokenRefused
from vault import states
from vault.tokens import ConnectionTokens

T = TypeVar("T")


def note_refusal(connection_id: UUID, tokens: ConnectionTokens, error: FreshTokenRefused) -> None:
    """Even a token that was renewed a moment ago is refused: say so, and renew no more for a while.

    Says so of the generation that these calls were made with, and asks for no other: the person may have connected
    again meanwhile (V8)."""
    if tokens.generation is not None:
        states.doubt(connection_id, tokens.generation, error)


class Watched:
    """providers.base.Crm that passes everything on and looks at how each call ends."""

    def __init__(
        self, crm: Crm, on_success: Callable[[], None], on_refusal: Callable[[FreshTokenRefused], None]
    ) -> None:
        self._crm = crm
        self._on_success = on_success
        self._on_refusal = on_refusal

    def _watch(self, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except FreshTokenRefused as error:
            self._on_refusal(error)
            raise
        self._on_success()
        return answer

    def find_people(
        self, addresses: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> Mapping[str, PersonMatch]:
        return self._watch(lambda: self._crm.find_people(addresses, priority=priority))

    def search(self, text: str, *, limit: int = 20) -> Sequence[Record]:
        return self._watch(lambda: self._crm.search(text, limit=limit))

    def form_for(self, object_name: str, record_id: str | None = None) -> Form:
        return self._watch(lambda: self._crm.form_for(object_name, record_id))

    def create(self, object_name: str, values: Mapping[str, Any]) -> Record:
        return self._watch(lambda: self._crm.create(object_name, values))

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None:
        self._watch(lambda: self._crm.update(object_name, record_id, values))

    def record_url(self, record_id: str) -> str:
        return self._crm.record_url(record_id)  # no call, so it proves nothing

    def open_url(self, record_id: str) -> Secret:
        return self._watch(lambda: self._crm.open_url(record_id))
