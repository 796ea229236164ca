"""Shapes and narrow protocols that every provider adapter speaks. No behaviour, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NoReturn, Protocol, SupportsIndex


class Secret:
    """A string that cannot be printed, logged, pickled, copied, compared by accident or put into JSON or a template.

    `reveal()` is the one way out; grep for it to find every place a secret leaves its wrapper.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    reveal.alters_data = True  # type: ignore[attr-defined]  # what Django's templates do not call

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What a token endpoint answered, with what we add.

    `lifetime`: seconds from the answer on, None where the provider says nothing (Salesforce); whoever keeps it computes
    the end by the database's clock (V22). `refresh_lifetime`: seconds until the refresh token ends by itself, where
    announced. `identity`: the provider's stable id of the person, "" where the answer does not say. `account`: who that
    is, as far as a checked id_token says it (fresh exchange only). `access_token` is empty where only the refresh token
    was of use (`OAuth.parse`, `partly`)."""

    access_token: Secret
    refresh_token: Secret | None
    scopes: tuple[str, ...]
    api_url: str
    identity: str = field(default="", repr=False)
    lifetime: int | None = None
    refresh_lifetime: int | None = None
    account: "Account | None" = None


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """Whose mailbox and calendar a grant opens, as the provider itself says. `tenant`: Microsoft's directory id or
    Google's Workspace domain, "" for a private account. Only `subject` and `tenant` may be compared: names change."""

    subject: str
    name: str
    email: str
    tenant: str = ""


class TokenSource(Protocol):
    """Hands out the access token of one connection. Implemented by `vault.tokens`, nowhere else."""

    def access(self, *, rejected: Secret | None = None) -> "Access":
        """Return a usable token and its API host; `rejected` is one the provider just refused, so renew.

        Raises NeedsReconnect, Transient."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    token: Secret
    api_url: str


class Priority(Enum):
    """Who is waiting. The API budget sheds from the bottom; a user's click is never shed.

    The value is the share of the organization's daily calls up to which this kind may still call."""

    INTERACTIVE = 1.0
    BACKGROUND = 0.80
    POLLING = 0.75
    PREFETCH = 0.70


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record as this person sees it. `type` is the provider's (string, email, phone, picklist ...)."""

    name: str
    label: str
    value: Any
    type: str
    editable: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A CRM record as this person may see it. `url` opens it in the CRM's own pages."""

    object: str
    id: str
    name: str
    url: str
    fields: tuple[Field, ...] = ()
    label: str = ""  # the object's label, where records of several objects stand together (search)


@dataclass(frozen=True, slots=True)
class Group:
    """Records related to a person (Account, Opportunity, Case, Activity). `more`: there are others we left out."""

    object: str
    label: str
    records: tuple[Record, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A Contact, Lead or Person Account with what is related to it."""

    record: Record
    kind: str  # "Contact" | "Lead" | "PersonAccount"
    editable: bool
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonMatch:
    """All that was found for one address. `notes` are plain sentences on what this person may not see.

    Not `is_complete`: the provider's answer was cut before this address, so nobody may be there; never keep it."""

    address: str
    people: tuple[Person, ...] = ()
    notes: tuple[str, ...] = ()
    creatable: tuple[str, ...] = ()  # objects this person may create: "Contact", "Lead"
    is_complete: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot:
    """A record as it is now, as this person may see it. `values`: by API name. `changed_at`: aware, None where the
    object does not tell; `changed_by`: a user's id, "" likewise."""

    values: Mapping[str, Any]
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class FormField:
    """One input of a create or edit form, from describe and the person's own rights."""

    name: str
    label: str
    type: str
    required: bool
    max_length: int | None = None
    options: tuple[tuple[str, str], ...] = ()  # (value, label) of active picklist entries
    help: str = ""
    value: Any = None  # what the record holds now (edit forms)


@dataclass(frozen=True, slots=True)
class Form:
    object: str
    label: str
    fields: tuple[FormField, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """Who signed in at the provider, as the provider itself says (C11, C23, C24). Shows itself to no log."""

    salesforce_org_id: str  # 18 characters
    salesforce_user_id: str  # 18 characters
    username: str
    name: str
    email: str
    organization_name: str
    is_sandbox: bool
    is_administrator: bool  # may modify all data or customise the application
    user_type: str = ""
    profile: str = ""
    permission_sets: tuple[str, ...] = ()
    language: str = ""
    locale: str = ""
    time_zone: str = ""


class Crm(Protocol):
    """What the sidebar needs of a CRM, already authorised as one person.

    Every method raises from `providers.errors`; nothing else escapes."""

    def find_people(
        self, addresses: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> Mapping[str, PersonMatch]:
        """All people behind `addresses` (normalised addr-specs, at most 100) in one API call, keyed by address."""
        ...

    def search(self, text: str, *, limit: int = 20) -> Sequence[Record]:
        """Free-text search over every searchable object this person may see."""
        ...

    def form_for(self, object_name: str, record_id: str | None = None) -> Form:
        """The form to create (no id) or edit a record. Raises PermissionMissing where the person has no such right."""
        ...

    def create(self, object_name: str, values: Mapping[str, Any]) -> Record:
        """Create a record; Salesforce's own validation is the authority (Rejected, PermissionMissing)."""
        ...

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None: ...

    def snapshot(self, object_name: str, record_id: str, fields: Sequence[str]) -> Snapshot:
        """Those of `fields` that this person may see, as they are now. Raises NotFound, PermissionMissing."""
        ...

    def record_url(self, record_id: str) -> str:
        """The record in the CRM's own pages, for a browser that is signed in there. No call."""
        ...

    def open_url(self, record_id: str) -> Secret:
        """A one-time link that opens the record in the browser without another sign-in (scope `web`)."""
        ...


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """Where to send the person's browser, and what must come back with it."""

    url: str = field(repr=False)
    state: Secret
    code_verifier: Secret
    redirect_uri: str
