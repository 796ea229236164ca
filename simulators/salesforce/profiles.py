"""Profiles, users and what each may see: object rights, field-level security, sharing. Changes no record."""

from dataclasses import dataclass, field

from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.store import Row, Store

ADMINISTRATOR = frozenset({"ApiEnabled", "ModifyAllData", "ViewAllData", "CustomizeApplication", "ManageUsers"})
#: Objects that everybody reads and nobody writes through his profile's object rights.
_SYSTEM = frozenset(
    {
        "User",
        "Profile",
        "UserLicense",
        "Organization",
        "PermissionSet",
        "PermissionSetAssignment",
        "RecordType",
        "UserPermissionAccess",
        "Group",
        "UserRole",
    }
)


@dataclass
class Profile:
    """`objects` maps an object to the letters of create, read, update (edit), delete; others have `default`."""

    name: str
    permissions: frozenset[str] = frozenset({"ApiEnabled"})
    objects: dict[str, str] = field(default_factory=dict)
    default: str = "crud"
    hidden: frozenset[str] = frozenset()  # "Contact.Phone"
    read_only: frozenset[str] = frozenset()
    license: str = "Salesforce"
    user_type: str = "Standard"
    id: str = ""


@dataclass
class User:
    """Someone who can sign in. `hidden` and `objects` are changes made to this user alone through /_sim."""

    key: str
    id: str
    username: str
    password: str
    profile: Profile
    first: str
    last: str
    email: str
    active: bool = True
    account_id: str | None = None
    hidden: set[str] = field(default_factory=set)
    read_only: set[str] = field(default_factory=set)
    objects: dict[str, str] = field(default_factory=dict)
    permission_sets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    def may(self, permission: str) -> bool:
        return permission in self.profile.permissions


class Access:
    """One user's eyes on an org's records."""

    def __init__(self, user: User, store: Store) -> None:
        self.user, self.store = user, store
        self._all = user.may("ViewAllData") or user.may("ModifyAllData")
        self._fields: dict[tuple[str, str], bool] = {}

    def rights(self, object_name: str) -> str:
        if object_name in _SYSTEM:
            return "ru" if object_name == "User" and self.user.may("ManageUsers") else "r"
        profile = self.user.profile
        return self.user.objects.get(object_name, profile.objects.get(object_name, profile.default))

    def reads(self, kind: ObjectType) -> bool:
        return kind.name not in self.store.absent and "r" in self.rights(kind.name)

    def shows(self, kind: ObjectType, each: FieldType) -> bool:
        """Field-level security; fields without the `p` flag cannot be hidden (Id, Name, system fields)."""
        key = (kind.name, each.name)
        known = self._fields.get(key)
        if known is None:
            known = self._fields[key] = self._shows(kind.name, each)
        return known

    def _shows(self, object_name: str, each: FieldType) -> bool:
        hidden = self.user.profile.hidden | self.user.hidden | self.store.absent
        if f"{object_name}.{each.name}" in hidden:
            return False
        if each.type == "reference" and each.has("p") and each.refers_to:
            return any("r" in self.rights(target) for target in each.refers_to)
        return True

    def edits(self, kind: ObjectType, each: FieldType, creating: bool) -> bool:
        if not self.shows(kind, each) or not each.has("c" if creating else "u"):
            return False
        return f"{kind.name}.{each.name}" not in self.user.profile.read_only | self.user.read_only

    def sees(self, kind: ObjectType, row: Row) -> bool:
        """Sharing: everything is public but private accounts with what hangs on them; partners see their account."""
        if kind.name in _SYSTEM:
            return kind.name != "UserPermissionAccess" or row.get("_user") == self.user.id
        if self._all or row.get("OwnerId") == self.user.id:
            return True
        account_id = row["Id"] if kind.name == "Account" else row.get("AccountId") or row.get("Account__c")
        if self.user.account_id is not None:
            return account_id == self.user.account_id
        return account_id not in self.store.private_accounts or self._owns(account_id)

    def _owns(self, account_id: str | None) -> bool:
        account = self.store.get(account_id)
        return account is not None and account.get("OwnerId") == self.user.id

    def changes(self, kind: ObjectType, row: Row) -> bool:
        return self.sees(kind, row) and (self.user.account_id is None or row.get("OwnerId") == self.user.id)
