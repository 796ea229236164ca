"""The demo orgs: who works there, with which profile; and the system records that say so. Passwords are `demo`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from simulators.salesforce.ids import make_id
from simulators.salesforce.profiles import ADMINISTRATOR, Profile, User
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.store import Store

PROFILES = {
    "System Administrator": Profile("System Administrator", ADMINISTRATOR),
    "Standard User": Profile("Standard User"),
    "Sales Rep": Profile(
        "Sales Rep", objects={"Opportunity": "", "OpportunityContactRole": "", "Account": "cru", "Contact": "cru",
                              "Lead": "cru", "Case": "cru"},
        # Two contact fields; a person account shows the same fields of the contact behind it under other names.
        hidden=frozenset({"Contact.MobilePhone", "Contact.Department", "Account.PersonMobilePhone",
                          "Account.PersonDepartment"}),
        read_only=frozenset({"Contact.LeadSource", "Account.PersonLeadSource"}),
    ),
    "No API": Profile("No API", permissions=frozenset()),
    "Read Only": Profile("Read Only", default="r"),
    "Partner Community User": Profile(
        "Partner Community User", objects={"Opportunity": "r", "Case": "cru", "Lead": "cru", "Contact": "cru", "Account": "r"},
        default="r", license="Partner Community", user_type="PowerPartner",
    ),
}  # fmt: skip


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


ACME = OrgPlan(
    "acme", "Acme Corporation", "Ac", 40_501, "EU42",
    (
        Person("alice", "Alice", "Anderson", "alice@acme.example", "System Administrator", permission_sets=("Sidebar_Users",)),
        Person("bob", "Bob", "Brown", "bob@acme.example", "Sales Rep", "Europe/Berlin", "de_DE", "de"),
        Person("erin", "Erin", "Eriksen", "erin@acme.example", "Standard User", "America/New_York", "en_US"),
        Person("dana", "Dana", "Davies", "dana@acme.example", "No API"),
        Person("rita", "Rita", "Reyes", "rita@acme.example", "Read Only"),
        Person("pat", "Pat", "Partridge", "pat@partner-co.example", "Partner Community User", "America/Los_Angeles", "en_US"),
    ),
    ("alice", "bob", "erin"), person_accounts=True, size=1.6, site="/partners",
)  # fmt: skip
SANDBOX = OrgPlan(
    "sandbox", "Acme Corporation", "Sb", 40_777, "EU42S",
    (
        Person("alice", "Alice", "Anderson", "alice@acme.example", "System Administrator", suffix=".uat"),
        Person("bob", "Bob", "Brown", "bob@acme.example", "Sales Rep", "Europe/Berlin", "de_DE", "de", ".uat"),
    ),
    ("alice", "bob"), is_sandbox=True, person_accounts=True, size=0.1, daily_calls=5_000, login="test",
)  # fmt: skip
GLOBEX = OrgPlan(
    "globex", "Globex", "Gx", 51_204, "NA99",
    (
        Person("charlie", "Charlie", "Chen", "charlie@globex.example", "System Administrator", "America/New_York", "en_US"),
        Person("gina", "Gina", "Garcia", "gina@globex.example", "Standard User", "America/Los_Angeles", "en_US"),
    ),
    ("charlie", "gina"), size=0.4, daily_calls=15_000, edition="Developer Edition", country="United States",
)  # fmt: skip
PLANS = (ACME, SANDBOX, GLOBEX)


def fill_system_records(store: Store, plan: OrgPlan, org_id: str) -> dict[str, User]:
    """Organization, profiles, permission sets and users of an org; returns the users by key."""
    when = stamp(datetime.now(UTC) - timedelta(days=2000))
    first_user = make_id("005", plan.pod, 1)
    stamps = {"CreatedDate": when, "LastModifiedDate": when, "SystemModstamp": when, "CreatedById": first_user,
              "LastModifiedById": first_user}  # fmt: skip
    _organization(store, plan, org_id, stamps)
    profiles = {name: _profile(store, profile, stamps) for name, profile in PROFILES.items()}
    extra = _permission_set(store, "Sidebar_Users", "Sidebar Users", None, frozenset({"ApiEnabled"}), stamps)
    if plan.person_accounts:
        for name, label, person in (
            ("Business_Account", "Business Account", False),
            ("PersonAccount", "Person Account", True),
        ):
            store.put("RecordType", {"Id": store.new_id("RecordType"), "Name": label, "DeveloperName": name,
                                     "SobjectType": "Account", "IsActive": True, "IsPersonType": person, **stamps})  # fmt: skip
    return {person.key: _user(store, person, profiles[person.profile], extra, stamps) for person in plan.people}


def _organization(store: Store, plan: OrgPlan, org_id: str, stamps: dict[str, str]) -> None:
    store.put("Organization", {
        "Id": org_id, "Name": plan.name, "Country": plan.country, "DefaultLocaleSidKey": "en_GB",
        "TimeZoneSidKey": "Europe/London", "LanguageLocaleKey": "en_US", "OrganizationType": plan.edition,
        "InstanceName": plan.instance, "IsSandbox": plan.is_sandbox, "FiscalYearStartMonth": 1, **stamps,
    })  # fmt: skip
    store.put("Group", {"Id": store.new_id("Group"), "Name": "New Leads", "DeveloperName": "New_Leads", "Type": "Queue",
                        **stamps})  # fmt: skip


def _profile(store: Store, template: Profile, stamps: dict[str, str]) -> Profile:
    license_id = next((r["Id"] for r in store.alive("UserLicense") if r["Name"] == template.license), None)
    if license_id is None:
        license_id = store.new_id("UserLicense")
        store.put("UserLicense", {"Id": license_id, "Name": template.license,
                                  "LicenseDefinitionKey": "SFDC" if template.license == "Salesforce" else "PID_PARTNER"})  # fmt: skip
    profile = Profile(**{**template.__dict__, "id": store.new_id("Profile")})
    granted = {f"Permissions{p}": p in profile.permissions for p in ADMINISTRATOR}
    store.put("Profile", {"Id": profile.id, "Name": profile.name, "UserLicenseId": license_id,
                          "UserType": profile.user_type, **granted, **stamps})  # fmt: skip
    _permission_set(store, f"X00e{profile.id[-6:]}", profile.name, profile.id, profile.permissions, stamps)
    return profile


def _permission_set(
    store: Store, name: str, label: str, profile_id: str | None, permissions: frozenset[str], stamps: dict[str, str]
) -> str:
    record_id = store.new_id("PermissionSet")
    granted = {f"Permissions{p}": p in permissions for p in ADMINISTRATOR if p != "ManageUsers"}
    store.put("PermissionSet", {
        "Id": record_id, "Name": name, "Label": label, "ProfileId": profile_id, "IsOwnedByProfile": profile_id is not None,
        "IsCustom": profile_id is None, "Type": "Profile" if profile_id else "Regular", **granted, **stamps,
    })  # fmt: skip
    return record_id


def _user(store: Store, person: Person, profile: Profile, extra_set: str, stamps: dict[str, str]) -> User:
    user_id = store.new_id("User")
    user = User(person.key, user_id, person.email + person.suffix, "demo", profile, person.first, person.last,
                person.email, permission_sets=person.permission_sets)  # fmt: skip
    store.put("User", {
        "Id": user_id, "Username": user.username, "FirstName": person.first, "LastName": person.last, "Name": user.name,
        "Email": person.email, "Alias": person.key, "CommunityNickname": person.key, "IsActive": True,
        "TimeZoneSidKey": person.zone, "LocaleSidKey": person.locale, "LanguageLocaleKey": person.language,
        "EmailEncodingKey": "UTF-8", "ProfileId": profile.id, "UserType": profile.user_type, **stamps,
    })  # fmt: skip
    own = next(row["Id"] for row in store.alive("PermissionSet") if row.get("ProfileId") == profile.id)
    for set_id in (own, *([extra_set] if person.permission_sets else [])):
        store.put("PermissionSetAssignment", {
            "Id": store.new_id("PermissionSetAssignment"), "PermissionSetId": set_id, "AssigneeId": user_id,
            "IsActive": True, "SystemModstamp": stamps["SystemModstamp"],
        })  # fmt: skip
    granted = {f"Permissions{p}": p in profile.permissions for p in ADMINISTRATOR}
    store.put("UserPermissionAccess", {"Id": store.new_id("UserPermissionAccess"), "_user": user_id, **granted})
    return user
