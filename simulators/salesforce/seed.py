"""What both seeds share: adding a record as if it had been made some days ago, and days counted from today."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.salesforce.automation import after_save, before_save
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Row, Store


class Seed:
    """Adds records to one org, always the same for the same number."""

    def __init__(self, store: Store, key: str, owners: dict[str, str], number: int, size: float) -> None:
        self.store, self.key, self.owners, self.size = store, key, owners, size
        self.random = random.Random(number)  # the same records each time is the point
        self.now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.accounts: dict[str, Row] = {}
        self.by_email: dict[str, Row] = {}

    def add(self, name: str, values: dict[str, Any], days_ago: float = 400.0, owner: str | None = None) -> Row:
        when = stamp(self.now - timedelta(days=days_ago))
        owner_id = owner or self.random.choice(list(self.owners.values()))
        row: Row = {"Id": self.store.new_id(name), "IsDeleted": False, "OwnerId": owner_id}
        row |= {k: v for k, v in values.items() if v not in ("", None)}
        row |= {
            "CreatedDate": when,
            "LastModifiedDate": when,
            "SystemModstamp": when,
            "CreatedById": owner_id,
            "LastModifiedById": owner_id,
        }
        if name in ("CampaignMember", "OpportunityContactRole"):
            del row["OwnerId"]
        before_save(self.store, name, row, None)
        self.store.put(name, row)
        after_save(self.store, name, row)
        return self.store.tables[name].rows[row["Id"]]

    def _day(self, offset: int) -> str:
        return (self.now + timedelta(days=offset)).date().isoformat()
