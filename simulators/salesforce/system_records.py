"""The records with which an org describes itself: Organization, profiles, permission sets, users."""

from datetime import UTC, datetime, timedelta

from simulators.salesforce.ids import make_id
from simulators.salesforce.profiles import ADMINISTRATOR, Profile, User
from simulators.salesforce.soql.dates import stamp
from simulators.salesforce.staff import PROFILES, OrgPlan, Person
from simulators.salesforce.store import Store


def fill_system_records(store: Store, plan: OrgPlan, org_id: str) -> dict[str, User]:
    """Organization, profiles, permission sets and users of an org; returns the users by key."""
    when = stamp(datetime.now(UTC) - timedelta(days=2000))
    first_user = make_id("005", plan.pod, 1)
    stamps = {
        "CreatedDate": when,
        "LastModifiedDate": when,
        "SystemModstamp": when,
        "CreatedById": first_user,
        "LastModifiedById": first_user,
    }
    _organization(store, plan, org_id, stamps)
    profiles = {name: _profile(store, profile, stamps) for name, profile in PROFILES.items()}
    extra = _permission_set(store, "Sidebar_Users", "Sidebar Users", None, frozenset({"ApiEnabled"}), stamps)
    if plan.person_accounts:
        for name, label, person in (
            ("Business_Account", "Business Account", False),
            ("PersonAccount", "Person Account", True),
        ):
            store.put(
                "RecordType",
                {
                    "Id": store.new_id("RecordType"),
                    "Name": label,
                    "DeveloperName": name,
                    "SobjectType": "Account",
                    "IsActive": True,
                    "IsPersonType": person,
                    **stamps,
                },
            )
    return {person.key: _user(store, person, profiles[person.profile], extra, stamps) for person in plan.people}


def hire(store: Store, person: Person) -> User:
    """A user more. Raises StopIteration for a profile that does not exist."""
    row = next(row for row in store.alive("Profile") if row["Name"] == person.profile)
    profile = Profile(**{**PROFILES[person.profile].__dict__, "id": row["Id"]})
    stamps = {name: row[name] for name in ("CreatedDate", "LastModifiedDate", "CreatedById", "LastModifiedById")}
    return _user(store, person, profile, "", {**stamps, "SystemModstamp": row["SystemModstamp"]})


def _organization(store: Store, plan: OrgPlan, org_id: str, stamps: dict[str, str]) -> None:
    store.put(
        "Organization",
        {
            "Id": org_id,
            "Name": plan.name,
            "Country": plan.country,
            "DefaultLocaleSidKey": "en_GB",
            "TimeZoneSidKey": "Europe/London",
            "LanguageLocaleKey": "en_US",
            "OrganizationType": plan.edition,
            "InstanceName": plan.instance,
            "IsSandbox": plan.is_sandbox,
            "FiscalYearStartMonth": 1,
            **stamps,
        },
    )
    store.put(
        "Group",
        {"Id": store.new_id("Group"), "Name": "New Leads", "DeveloperName": "New_Leads", "Type": "Queue", **stamps},
    )


def _profile(store: Store, template: Profile, stamps: dict[str, str]) -> Profile:
    license_id = next((r["Id"] for r in store.alive("UserLicense") if r["Name"] == template.license), None)
    if license_id is None:
        license_id = store.new_id("UserLicense")
        store.put(
            "UserLicense",
            {
                "Id": license_id,
                "Name": template.license,
                "LicenseDefinitionKey": "SFDC" if template.license == "Salesforce" else "PID_PARTNER",
            },
        )
    profile = Profile(**{**template.__dict__, "id": store.new_id("Profile")})
    granted = {f"Permissions{p}": p in profile.permissions for p in ADMINISTRATOR}
    store.put(
        "Profile",
        {
            "Id": profile.id,
            "Name": profile.name,
            "UserLicenseId": license_id,
            "UserType": profile.user_type,
            **granted,
            **stamps,
        },
    )
    _permission_set(store, f"X00e{profile.id[-6:]}", profile.name, profile.id, profile.permissions, stamps)
    return profile


def _permission_set(
    store: Store, name: str, label: str, profile_id: str | None, permissions: frozenset[str], stamps: dict[str, str]
) -> str:
    record_id = store.new_id("PermissionSet")
    granted = {f"Permissions{p}": p in permissions for p in ADMINISTRATOR if p != "ManageUsers"}
    store.put(
        "PermissionSet",
        {
            "Id": record_id,
            "Name": name,
            "Label": label,
            "ProfileId": profile_id,
            "IsOwnedByProfile": profile_id is not None,
            "IsCustom": profile_id is None,
            "Type": "Profile" if profile_id else "Regular",
            **granted,
            **stamps,
        },
    )
    return record_id


def _user(store: Store, person: Person, profile: Profile, extra_set: str, stamps: dict[str, str]) -> User:
    user_id = store.new_id("User")
    user = User(
        person.key,
        user_id,
        person.email + person.suffix,
        "demo",
        profile,
        person.first,
        person.last,
        person.email,
        permission_sets=person.permission_sets,
    )
    store.put(
        "User",
        {
            "Id": user_id,
            "Username": user.username,
            "FirstName": person.first,
            "LastName": person.last,
            "Name": user.name,
            "Email": person.email,
            "Alias": person.key,
            "CommunityNickname": person.key,
            "IsActive": True,
            "TimeZoneSidKey": person.zone,
            "LocaleSidKey": person.locale,
            "LanguageLocaleKey": person.language,
            "EmailEncodingKey": "UTF-8",
            "ProfileId": profile.id,
            "UserType": profile.user_type,
            **stamps,
        },
    )
    _grant_rights(store, user, [extra_set] if person.permission_sets else [], stamps["SystemModstamp"])
    return user


def _grant_rights(store: Store, user: User, extra_sets: list[str], stamped: str) -> None:
    """The set that belongs to the person's profile, others, and what all of them allow."""
    profile = user.profile
    own = next(row["Id"] for row in store.alive("PermissionSet") if row.get("ProfileId") == profile.id)
    for set_id in (own, *extra_sets):
        store.put(
            "PermissionSetAssignment",
            {
                "Id": store.new_id("PermissionSetAssignment"),
                "PermissionSetId": set_id,
                "AssigneeId": user.id,
                "IsActive": True,
                "SystemModstamp": stamped,
            },
        )
    granted = {f"Permissions{p}": p in profile.permissions for p in ADMINISTRATOR}
    store.put("UserPermissionAccess", {"Id": store.new_id("UserPermissionAccess"), "_user": user.id, **granted})
