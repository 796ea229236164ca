"""A Crm for rules that need no Salesforce: remembers what it was asked, answers or fails as a test says."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from providers.base import (
    Field,
    Form,
    FormField,
    Group,
    Person,
    PersonMatch,
    Priority,
    Record,
    Secret,
    Snapshot,
)

URL = "https://acme.my.salesforce.example"


def person_of(address: str, seen_by: str) -> PersonMatch:
    """A contact whose name says who looks, so that a mix-up shows."""
    fields = (
        Field("Name", "Name", f"{address} as {seen_by} sees it", "string", True),
        Field("Email", "Email", address, "email", True),
    )
    record = Record("Contact", "003000000000001AAA", f"Contact {address}", f"{URL}/003000000000001AAA", fields)
    deal = Record("Opportunity", "006000000000001AAA", f"Deal for {seen_by}", f"{URL}/006000000000001AAA")
    groups = (Group("Opportunity", "Opportunities", (deal,), more=True),)
    return PersonMatch(address, (Person(record, "Contact", True, groups),), ("A note.",), ("Contact", "Lead"))


class RememberingCrm:
    """`failing`: raised instead of an answer. `before`: called first, in the calling thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lookups: list[tuple[list[str], Priority]] = []
        self.calls: list[tuple[Any, ...]] = []
        self.failing: Exception | None = None
        self.there: dict[str, Snapshot] = {}  # records as somebody else has left them
        self.before: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    def _note(self, *call: Any) -> None:
        with self._lock:
            self.calls.append(call)
        self.before()
        if self.failing:
            raise self.failing

    def find_people(
        self, addresses: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> Mapping[str, PersonMatch]:
        self.lookups.append((list(addresses), priority))
        self._note("find_people")
        return {
            address: PersonMatch(address) if address.startswith("nobody") else person_of(address, self.name)
            for address in addresses
        }

    def search(self, text: str, *, limit: int = 20) -> Sequence[Record]:
        self._note("search", text)
        return [Record("Account", "001000000000001AAA", "Acme", f"{URL}/001000000000001AAA", (), "Company")]

    def form_for(self, object_name: str, record_id: str | None = None) -> Form:
        self._note("form_for", object_name, record_id)
        status = FormField("Status", "Status", "picklist", True, None, (("New", "New"),), "Pick one.", record_id)
        return Form(object_name, "Person", (FormField("LastName", "Last name", "string", True, 80), status))

    def create(self, object_name: str, values: Mapping[str, Any]) -> Record:
        self._note("create", object_name, dict(values))
        return Record(object_name, "003000000000002AAA", "New", f"{URL}/003000000000002AAA")

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None:
        self._note("update", object_name, record_id, dict(values))

    def snapshot(self, object_name: str, record_id: str, fields: Sequence[str]) -> Snapshot:
        self._note("snapshot", object_name, record_id)
        return self.there.get(record_id, Snapshot({}))

    def record_url(self, record_id: str) -> str:
        return f"{URL}/{record_id}"

    def open_url(self, record_id: str) -> Secret:
        self._note("open_url", record_id)
        return Secret(f"{URL}/secur/frontdoor.jsp?otp=once-{record_id}")

    @property
    def writes(self) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] in ("create", "update")]
