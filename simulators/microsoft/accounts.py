"""Who signs in at Microsoft, in which tenant, through which registered client; the scopes there are. No I/O."""

import uuid
from dataclasses import dataclass, field

from simulators.oauth.redirects import Redirects
from simulators.people import ACME, GLOBEX, INITECH, Person

#: The tenant of all personal accounts, the same everywhere.
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
GRAPH_ID = "00000003-0000-0000-c000-000000000000"
GRAPH = "https://graph.microsoft.com/"
OPENID = ("openid", "profile", "email", "offline_access")
#: What the consent page says, in Microsoft's words.
LABELS = {
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your email address",
    "offline_access": "Maintain access to data you have given it access to",
    "User.Read": "Sign you in and read your profile",
    "User.ReadBasic.All": "Read all users' basic profiles",
    "Mail.ReadBasic": "Read your basic mail",
    "Mail.Read": "Read your mail",
    "Mail.ReadWrite": "Read and write access to your mail",
    "Mail.Send": "Send mail as you",
    "Mail.Read.Shared": "Read mail you can access",
    "MailboxSettings.Read": "Read your mailbox settings",
    "MailboxSettings.ReadWrite": "Read and write to your mailbox settings",
    "Calendars.ReadBasic": "Read basic details of your calendars",
    "Calendars.Read": "Read your calendars",
    "Calendars.ReadWrite": "Have full access to your calendars",
    "Calendars.Read.Shared": "Read calendars you can access",
    "Contacts.Read": "Read your contacts",
    "People.Read": "Read your relevant people list",
    "Files.Read": "Read your files",
    "Files.ReadWrite.All": "Have full access to all files you have access to",
    "User.Read.All": "Read all users' full profiles",
    "User.RevokeSessions.All": "Revoke all sign in sessions for a user",
    "Directory.Read.All": "Read directory data",
}
ADMIN_ONLY = frozenset({"User.Read.All", "User.RevokeSessions.All", "Directory.Read.All"})
_SPELLED = {name.lower(): name for name in LABELS}


def spelled(scope: str, prefixes: tuple[str, ...]) -> str | None:
    """Graph's own spelling, without the resource; None for a scope that does not exist."""
    bare = next((scope[len(p) :] for p in prefixes if scope.lower().startswith(p.lower())), scope)
    return _SPELLED.get(bare.lower())


@dataclass
class Account:
    """`valid_from`: sessions and refresh tokens from before are revoked. `challenge`: Graph wants a fresh sign-in."""

    key: str
    oid: str
    tid: str
    email: str
    first: str
    last: str
    administrator: bool = False
    password: str = "demo"
    active: bool = True
    valid_from: float = 0.0
    challenge: bool = False
    aliases: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.oid

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass
class Tenant:
    """`user_consent`: may its people consent to apps themselves? `mfa`, `conditional_access`: asked of each sign-in
    and each refresh from now on. `sign_in_seconds`: how often to sign in anew, 0 for never."""

    id: str
    name: str
    domain: str
    user_consent: bool = True
    mfa: bool = False
    conditional_access: bool = False
    sign_in_seconds: float = 0.0

    def is_called(self, name: str) -> bool:
        return name.lower() in (self.id, self.domain, f"{self.domain.partition('.')[0]}.onmicrosoft.example")


@dataclass
class App(Redirects):
    """`secret_expired`: its secret is right, and past its end. `tenants`: of whom it is known; empty: anybody."""

    client_id: str
    client_secret: str
    name: str = "Email sidebar"
    secret_expired: bool = False
    tenants: list[str] = field(default_factory=list)


def tenants() -> dict[str, Tenant]:
    made = [
        Tenant(_id("tenant:acme.example"), "Acme Corporation", "acme.example"),
        Tenant(_id("tenant:globex.example"), "Globex", "globex.example"),
        Tenant(_id("tenant:initech.example"), "Initech", "initech.example", user_consent=False),
        Tenant(CONSUMERS, "Microsoft", "outlook.example"),
    ]
    return {each.id: each for each in made}


def people() -> dict[str, Account]:
    """By key; object and tenant ids never change."""
    consumer = Person("casey", "Casey", "Cole", "casey@outlook.example")
    found = {p.key: account_for(p) for p in (*ACME, *GLOBEX, *INITECH)}
    return found | {consumer.key: account_for(consumer, CONSUMERS)}


def account_for(person: Person, tid: str = "") -> Account:
    """In the tenant of his domain, unless said otherwise."""
    tid = tid or _id(f"tenant:{person.domain}")
    oid = _id(f"user:{person.email}")
    return Account(person.key, oid, tid, person.email, person.first, person.last, person.administrator)


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"microsoft:{name}"))


def new_id() -> str:
    return str(uuid.uuid4())
