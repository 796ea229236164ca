"""One Salesforce org: its records, users, apps, grants, limits and log of calls. Knows no HTTP framework."""

import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

from simulators.clock import Clock
from simulators.faults import Faults
from simulators.front import Calls, new_calls
from simulators.ledger import Ledger
from simulators.oauth.modes import Mode
from simulators.salesforce import system_records
from simulators.salesforce.ids import make_id
from simulators.salesforce.oauth.apps import App
from simulators.salesforce.oauth.grants import Grants
from simulators.salesforce.profiles import Access, User
from simulators.salesforce.schema import load
from simulators.salesforce.seed_business import BusinessSeed
from simulators.salesforce.seed_people import PeopleSeed
from simulators.salesforce.staff import OrgPlan, Person
from simulators.salesforce.store import Store


@dataclass
class Limits:
    used: int = 0
    maximum: int = 100_000
    idle_seconds: float = 7200.0


@dataclass
class Site:
    """An Experience Cloud site: its own host, everything below a path prefix; only its members sign in there."""

    prefix: str
    api_url: str = ""
    pages_url: str = ""


class Org:
    def __init__(self, plan: OrgPlan, apps: list[App]) -> None:
        self.plan, self.key, self.name = plan, plan.key, plan.name
        self.id = make_id("00D", plan.pod, plan.number)
        self.api_url = self.pages_url = self.login_url = ""  # set when the ports are known
        self.site = Site(plan.site) if plan.site else None
        self.apps = {app.client_id: app for app in apps}
        self.grants, self.ledger = Grants(), Ledger()
        self.limits = Limits(maximum=plan.daily_calls)
        self.clock = Clock()
        self.mode = Mode(rotate=True, reuse_kills_family=True)
        self.faults = Faults()
        self.calls = new_calls()
        self.announces_issuer = True
        self.single_access: dict[str, tuple[str, str, float]] = {}  # otp -> user id, start page, deadline
        self.sessions: dict[str, str] = {}  # browser session -> user id
        self.cursors: dict[str, Any] = {}
        self.access: dict[str, Access] = {}
        self._fill()

    def _fill(self) -> None:
        self.store = Store(load(self.plan.person_accounts), self.plan.pod)
        self.store.absent = set(self.plan.absent)
        self.users: dict[str, User] = system_records.fill_system_records(self.store, self.plan, self.id)
        self.by_id = {user.id: user for user in self.users.values()}
        owners = {key: user.id for key, user in self.users.items() if key in self.plan.owners}
        PeopleSeed(self.store, self.key, owners, self.plan.number, self.plan.size).fill()
        BusinessSeed(self.store, self.key, owners, self.plan.number, self.plan.size).fill()
        self._link_partners()
        self.store.keep()
        self._first_users = copy.deepcopy(self.users)

    def restore(self) -> None:
        """Bring records and users back to what they were at the start; browser sessions and grants live on."""
        self.store.restore()
        self.store.absent = set(self.plan.absent)
        self.users = {key: user for key, user in self.users.items() if key in self._first_users}
        for key, user in self.users.items():
            user.__dict__.update(copy.deepcopy(self._first_users[key].__dict__))
        self.by_id = {user.id: user for user in self.users.values()}
        self.end_grants_of_nobody()
        self.cursors.clear()
        self.access.clear()

    def hire(self, person: Person) -> str:
        """A user more, until records are restored or the program ends; his id."""
        user = system_records.hire(self.store, person)
        self.users[user.key] = self.by_id[user.id] = user
        return user.id

    def end_grants_of_nobody(self) -> None:
        for grant in [grant for grant in self.grants.grants.values() if grant.user_id not in self.by_id]:
            self.grants.revoke(grant)

    def _link_partners(self) -> None:
        """A partner user is a contact of his company's account."""
        for user in self.users.values():
            if user.profile.user_type != "PowerPartner":
                continue
            contact = next(row for row in self.store.alive("Contact") if row.get("Email") == user.email)
            user.account_id = contact["AccountId"]
            row = self.store.tables["User"].rows[user.id]
            self.store.put("User", {**row, "ContactId": contact["Id"], "AccountId": contact["AccountId"]})

    # -- users --------------------------------------------------------------------------------------------------

    def access_of(self, user: User) -> Access:
        found = self.access.get(user.id)
        if found is None:
            found = self.access[user.id] = Access(user, self.store)
        return found

    def rights_changed(self) -> None:
        self.access.clear()

    def user_named(self, text: str) -> User | None:
        """By key, username or id."""
        wanted = text.strip().lower()
        return next((u for u in self.users.values() if wanted in (u.key, u.username.lower(), u.id.lower())), None)

    def identity_url(self, user_id: str) -> str:
        return f"{self.login_url}/id/{self.id}/{user_id}"

    # -- limits and cursors -------------------------------------------------------------------------------------

    def limit_info(self) -> str:
        return f"api-usage={self.limits.used}/{self.limits.maximum}"

    def limits_body(self) -> dict[str, Any]:
        left = max(0, self.limits.maximum - self.limits.used)
        body: dict[str, Any] = {"DailyApiRequests": {"Max": self.limits.maximum, "Remaining": left}}
        for name, most in (
            ("DataStorageMB", 1024),
            ("FileStorageMB", 1024),
            ("DailyBulkApiBatches", 15_000),
            ("HourlySyncReportRuns", 500),
            ("HourlyDashboardRefreshes", 200),
            ("SingleEmail", 5000),
        ):
            body[name] = {"Max": most, "Remaining": most}
        return body

    def keep_cursor(self, cursor: Any, most: int) -> str:
        while len(self.cursors) >= most:
            self.cursors.pop(next(iter(self.cursors)))
        locator = make_id("0r8", self.plan.pod, secrets.randbelow(62**8))
        self.cursors[locator] = cursor
        return locator


@dataclass
class LoginHost:
    """login.salesforce.com or test.salesforce.com: signs in the users of many orgs."""

    key: str
    name: str
    orgs: list[Org]
    api_url: str = ""
    pages_url: str = ""
    announces_issuer: bool = True
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    calls: Calls = field(default_factory=new_calls)
