"""People who file mail at the simulated Salesforce, one for each way in which an organization keeps it single."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from providers.activities import Correspondent, EmailRecord, KeyForm, Role
from providers.base import Priority
from providers.salesforce.activities import SalesforceActivities
from providers.salesforce.transport import Wire
from tests.providers.simulated import VERSION, Someone, paths, someone
from tests.simulators.running import Running

SENT = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
KEY = "MZXW6YTBOI" * 5
#: (org, user): each keeps a mail single in a way of its own.
FORMS = {
    KeyForm.FIELD: ("acme", "alice"),
    KeyForm.LEDGER: ("sandbox", "alice"),
    KeyForm.LOOKUP: ("globex", "charlie"),
}
_signed_in: dict[tuple[str, str], Someone] = {}


def forget() -> None:
    """Another module's tests may have ended these grants."""
    _signed_in.clear()


class Desk:
    """Somebody's Activities, and what is in his Salesforce."""

    def __init__(self, salesforce: Running, org: str, user: str, absent: Sequence[str] | None = None) -> None:
        self.salesforce, self.org, self.user = salesforce, org, user
        here = (salesforce.org(org)["api_url"], user)
        if here not in _signed_in:
            _signed_in[here] = someone(salesforce, user, org)
        if absent is not None:
            salesforce.sim("features", {"absent": list(absent)}, org)
        self.me = _signed_in[here].afresh()
        if absent is not None:
            self.me.store.kept = None  # described with other features
        self.activities = self.client()
        self.activities.capabilities()
        salesforce.reset(only=["calls"])

    def client(self, **options: Any) -> SalesforceActivities:
        me = self.me
        return SalesforceActivities(me.tokens, me.store, me.budget, me.session, VERSION, **options)

    def wire(self) -> Wire:
        me = self.me
        return Wire(me.tokens, me.session, me.budget, VERSION, Priority.INTERACTIVE)

    def rows(self, kind: str, **values: Any) -> list[dict[str, Any]]:
        found = self.salesforce.sim(f"state?object={kind}", org=self.org)["records"][kind]
        alive = [row for row in found if not row.get("IsDeleted")]
        return [row for row in alive if all(row.get(name) == value for name, value in values.items())]

    def ids(self, kind: str, number: int) -> list[dict[str, Any]]:
        rows = [row for row in self.rows(kind) if row.get("Email") and not row.get("IsConverted")]
        return rows[:number]

    def calls(self) -> int:
        return len(paths(self.salesforce, self.org))

    def mails(self, kind: str) -> list[dict[str, Any]]:
        """Those that this test has filed."""
        return [row for row in self.rows(kind) if "Unmistakable" in str(row.get("Subject"))]


def fault(desk: Desk, path: str = "/services/data/v62.0/composite/graph", **values: Any) -> None:
    desk.salesforce.sim("faults", {"path": path, **values}, desk.org)


def mail(*people: Correspondent, **changes: Any) -> EmailRecord:
    values = {"subject": "Unmistakable offer", "text": "Dear Jane,\n\nsee below.", "message_id": "<one@mail.example>"}
    return EmailRecord(sent_at=SENT, correspondents=people, **{"is_incoming": False, **values, **changes})


def to(row: dict[str, Any], role: Role = Role.TO) -> Correspondent:
    return Correspondent(role, row["Email"], "Somebody", row["Id"])


def main(desk: Desk) -> str:
    return desk.activities.capabilities().record
