"""The demo orgs: who works there, and with which profile. Passwords are `demo`."""

from dataclasses import dataclass, field

from simulators.salesforce.profiles import ADMINISTRATOR, Profile

PROFILES = {
    "System Administrator": Profile("System Administrator", ADMINISTRATOR),
    "Standard User": Profile("Standard User"),
    "Sales Rep": Profile(
        "Sales Rep",
        objects={
            "Opportunity": "",
            "OpportunityContactRole": "",
            "Account": "cru",
            "Contact": "cru",
            "Lead": "cru",
            "Case": "cru",
        },
        # Two contact fields; a person account shows the same fields of the contact behind it under other names.
        hidden=frozenset(
            {"Contact.MobilePhone", "Contact.Department", "Account.PersonMobilePhone", "Account.PersonDepartment"}
        ),
        read_only=frozenset({"Contact.LeadSource", "Account.PersonLeadSource"}),
    ),
    "No API": Profile("No API", permissions=frozenset()),
    "Read Only": Profile("Read Only", default="r"),
    "Partner Community User": Profile(
        "Partner Community User",
        objects={"Opportunity": "r", "Case": "cru", "Lead": "cru", "Contact": "cru", "Account": "r"},
        default="r",
        license="Partner Community",
        user_type="PowerPartner",
    ),
}


@dataclass(frozen=True)
class Person:
    key: str
    first: str
    last: str
    email: str
    profile: str
    zone: str = "Europe/London"
    locale: str = "en_GB"
    language: str = "en_US"
    suffix: str = ""  # sandbox usernames end in the sandbox's name
    permission_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class OrgPlan:
    key: str
    name: str
    pod: str
    number: int
    instance: str
    people: tuple[Person, ...]
    owners: tuple[str, ...]
    is_sandbox: bool = False
    person_accounts: bool = False
    edition: str = "Enterprise Edition"
    size: float = 1.0
    daily_calls: int = 100_000
    site: str = ""
    login: str = "login"
    country: str = "United Kingdom"
    profiles: dict[str, Profile] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()  # objects and fields that this org does not have: "Task.Sync_Key__c"


_KEYS = frozenset({"Task.Sync_Key__c", "EmailMessage.Sync_Key__c", "ContentVersion.Sync_Key__c"})
_SEEN = frozenset(
    f"{name}.{field}"
    for name in ("Task", "EmailMessage")
    for field in ("Sync_Opens__c", "Sync_Clicks__c", "Sync_Seen_At__c")
)
_LEDGER = frozenset({"Sync_Ledger__c"})
_ENHANCED_EMAIL = frozenset({"EmailMessage", "EmailMessageRelation"})
_SHARED_ACTIVITIES = frozenset({"TaskRelation", "TaskWhoRelation"})

ACME = OrgPlan(
    "acme",
    "Acme Corporation",
    "Ac",
    40_501,
    "EU42",
    (
        Person(
            "alice",
            "Alice",
            "Anderson",
            "alice@acme.example",
            "System Administrator",
            permission_sets=("Sidebar_Users",),
        ),
        Person("bob", "Bob", "Brown", "bob@acme.example", "Sales Rep", "Europe/Berlin", "de_DE", "de"),
        Person("erin", "Erin", "Eriksen", "erin@acme.example", "Standard User", "America/New_York", "en_US"),
        Person("dana", "Dana", "Davies", "dana@acme.example", "No API"),
        Person("rita", "Rita", "Reyes", "rita@acme.example", "Read Only"),
        Person(
            "pat",
            "Pat",
            "Partridge",
            "pat@partner-co.example",
            "Partner Community User",
            "America/Los_Angeles",
            "en_US",
        ),
    ),
    ("alice", "bob", "erin"),
    person_accounts=True,
    size=1.6,
    site="/partners",
    absent=_LEDGER,
)
SANDBOX = OrgPlan(
    "sandbox",
    "Acme Corporation",
    "Sb",
    40_777,
    "EU42S",
    (
        Person("alice", "Alice", "Anderson", "alice@acme.example", "System Administrator", suffix=".uat"),
        Person("bob", "Bob", "Brown", "bob@acme.example", "Sales Rep", "Europe/Berlin", "de_DE", "de", ".uat"),
    ),
    ("alice", "bob"),
    is_sandbox=True,
    person_accounts=True,
    size=0.1,
    daily_calls=5_000,
    login="test",
    absent=_KEYS | _SEEN,
)
GLOBEX = OrgPlan(
    "globex",
    "Globex",
    "Gx",
    51_204,
    "NA99",
    (
        Person(
            "charlie", "Charlie", "Chen", "charlie@globex.example", "System Administrator", "America/New_York", "en_US"
        ),
        Person("gina", "Gina", "Garcia", "gina@globex.example", "Standard User", "America/Los_Angeles", "en_US"),
    ),
    ("charlie", "gina"),
    size=0.4,
    daily_calls=15_000,
    edition="Developer Edition",
    country="United States",
    absent=_KEYS | _SEEN | _LEDGER | _ENHANCED_EMAIL | _SHARED_ACTIVITIES,
)
PLANS = (ACME, SANDBOX, GLOBEX)
