"""Who signs in at Google, for which Workspace, through which registered client. No I/O."""

from dataclasses import dataclass, field

from simulators.ledger import digest
from simulators.oauth.redirects import Redirects
from simulators.people import ACME, GLOBEX, INITECH, Person

_SIGN_IN = {
    "openid": "openid",
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
SIGN_IN_SCOPES = frozenset(_SIGN_IN.values())
_API = "https://www.googleapis.com/auth/"
#: What the consent page says of each scope, in Google's words.
LABELS = {
    "openid": "Associate you with your personal info on Google",
    _SIGN_IN["email"]: "See your primary Google Account email address",
    _SIGN_IN["profile"]: "See your personal info, including any personal info you've made publicly available",
    "https://mail.google.com/": "Read, compose, send, and permanently delete all your email from Gmail",
    f"{_API}gmail.readonly": "View your email messages and settings",
    f"{_API}gmail.metadata": "View your email message metadata such as labels and headers, but not the email body",
    f"{_API}gmail.modify": "Read, compose, and send emails from your Gmail account",
    f"{_API}gmail.send": "Send email on your behalf",
    f"{_API}gmail.compose": "Manage drafts and send emails",
    f"{_API}gmail.labels": "See and edit your email labels",
    f"{_API}gmail.settings.basic": "See, edit, create, or change your email settings and filters in Gmail",
    f"{_API}calendar": "See, edit, share, and permanently delete all the calendars you can access",
    f"{_API}calendar.readonly": "See and download any calendar you can access using your Google Calendar",
    f"{_API}calendar.events": "View and edit events on all your calendars",
    f"{_API}calendar.events.readonly": "View events on all your calendars",
    f"{_API}calendar.events.owned": "See, create, change, and delete events on Google calendars you own",
    f"{_API}calendar.events.owned.readonly": "See the events on Google calendars you own",
    f"{_API}calendar.calendarlist.readonly": "See the list of Google calendars you're subscribed to",
    f"{_API}calendar.freebusy": "View your availability in your calendars",
    f"{_API}calendar.settings.readonly": "View your Calendar settings",
    f"{_API}drive": "See, edit, create, and delete all of your Google Drive files",
    f"{_API}drive.readonly": "See and download all your Google Drive files",
    f"{_API}drive.file": "See, edit, create, and delete only the specific Google Drive files you use with this app",
    f"{_API}contacts.readonly": "See and download your contacts",
    f"{_API}directory.readonly": "See and download your organization's GSuite directory",
}


def canonical(scope: str) -> str:
    """`email` and `profile` are granted under their long names."""
    return _SIGN_IN.get(scope, scope)


@dataclass
class Account:
    """`domain` is the Workspace it belongs to, "" for a consumer's."""

    key: str
    sub: str
    email: str
    first: str
    last: str
    domain: str = ""
    password: str = "demo"
    active: bool = True
    aliases: list[str] = field(default_factory=list)  # verified: mail may be sent from them, too

    @property
    def id(self) -> str:
        return self.sub

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


@dataclass
class Workspace:
    """What its administrator decides about apps. `blocks`: no app gets in; `blocked_scopes`: none that asks for one
    of these; `reauth_seconds`: how long a sign-in lasts before a refresh is refused, 0 for ever."""

    domain: str
    name: str
    blocks: bool = False
    blocked_scopes: list[str] = field(default_factory=list)
    reauth_seconds: float = 0.0


@dataclass
class App(Redirects):
    """`publishing`: production, testing (only `test_users`, refresh tokens last seven days) or internal (only people
    of `domain`)."""

    client_id: str
    client_secret: str
    name: str = "Email sidebar"
    publishing: str = "production"
    test_users: list[str] = field(default_factory=list)
    domain: str = "acme.example"
    most_refresh_tokens: int = 100


def people() -> dict[str, Account]:
    """By key; the subject of an account never changes."""
    found = {each.key: account_for(each, each.domain) for each in (*ACME, *GLOBEX, *INITECH)}
    consumer = Person("casey", "Casey", "Cole", "casey@gmail.example")
    return found | {consumer.key: account_for(consumer, "")}


def account_for(person: Person, domain: str) -> Account:
    sub = "1" + f"{int(digest('google:' + person.email)[:20], 16):020d}"[-20:]
    return Account(person.key, sub, person.email, person.first, person.last, domain)


def workspaces() -> dict[str, Workspace]:
    made = [
        Workspace("acme.example", "Acme Corporation"),
        Workspace("globex.example", "Globex"),
        Workspace("initech.example", "Initech", blocks=True),
    ]
    return {each.domain: each for each in made}
