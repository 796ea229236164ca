"""People signed in at the simulated Salesforce, each with a client of his own."""

from dataclasses import dataclass, replace

from providers import http, oauth
from providers.base import Access, Person, PersonMatch, Priority, Secret, TokenSet
from providers.errors import NeedsReconnect
from providers.salesforce import access
from providers.salesforce.access import ObjectAccess, ObjectRights
from providers.salesforce.budget import ApiBudget
from providers.salesforce.crm import SalesforceCrm
from providers.salesforce.hosts import SUFFIXES
from providers.salesforce.oauth import OAUTH, SCOPES
from providers.salesforce.transport import Wire
from tests.simulators.running import REDIRECT_URI, Running

VERSION = "62.0"
JANE = "jane.doe@northwind.example"
CONVERSATION = [
    JANE,
    "liam.oconnor@northwind.example",
    "zoe.vanderberg@northwind.example",
    "t.lukasiewicz@northwind.example",
    "priya.raman@kestrel-labs.example",
    "kenji.watanabe@kestrel-labs.example",
    "juergen.mueller@xn--mller-shne-kcb9d.example",
    "sofia.rossi@rossi-vini.example",
    "ines.carvalho@postbox.example",
    "max+newsletter@mustermann.example",
    "nobody@nowhere.example",
    "o'brien%_\\@quotes.example",
]


class Tokens:
    """A TokenSource over one grant, renewing as the vault would, without its store."""

    def __init__(self, server: oauth.Server, client: oauth.Client, tokens: TokenSet, session: http.Session) -> None:
        self._server, self._client, self._session = server, client, session
        self.current = tokens
        self.renewals = 0

    def access(self, *, rejected: Secret | None = None) -> Access:
        if rejected is not None and rejected.reveal() == self.current.access_token.reveal():
            self._renew()
        return Access(self.current.access_token, self.current.api_url)

    def _renew(self) -> None:
        if self.current.refresh_token is None:
            raise NeedsReconnect("no refresh token")
        self.renewals += 1
        raw = OAUTH.refresh(self._server, self._client, self.current.refresh_token, self._session)
        new = OAUTH.parse(raw, self._session.settings.origins)
        self.current = replace(new, refresh_token=new.refresh_token or self.current.refresh_token)


class Memory:
    """An AccessStore in memory."""

    def __init__(self) -> None:
        self.kept: ObjectAccess | None = None

    def load(self) -> ObjectAccess | None:
        return self.kept

    def save(self, access: ObjectAccess) -> None:
        self.kept = access

    def add(self, rights: ObjectRights) -> None:
        assert self.kept is not None
        self.kept = self.kept.with_object(rights)


@dataclass
class Someone:
    """A signed-in person. `pages` is where his records open."""

    tokens: Tokens
    store: Memory
    budget: ApiBudget
    crm: SalesforceCrm
    session: http.Session
    pages: str

    def afresh(self) -> "Someone":
        """The same grant, with a budget and a kept describe of its own."""
        store, budget = Memory(), ApiBudget()
        store.kept = self.store.kept
        crm = SalesforceCrm(self.tokens, store, budget, self.session, VERSION, self.pages)
        return Someone(self.tokens, store, budget, crm, self.session, self.pages)


def session_for(salesforce: Running, **limits: float) -> http.Session:
    origins = frozenset(salesforce.origins())
    return http.Session(http.Settings(origins, SUFFIXES, salesforce.ca, **limits))  # type: ignore[arg-type]


def sign_in(
    salesforce: Running, session: http.Session, user: str, org: str = "acme", *, at: str = "", scopes: str = ""
) -> Tokens:
    """The authorization code flow by our own client code; the simulator's helper only plays the browser."""
    facts = salesforce.org(org)
    client = oauth.Client(facts["client_id"], Secret(facts["client_secret"]))
    server = OAUTH.server(at or facts["api_url"], session)
    asked = OAUTH.authorize(server, client, REDIRECT_URI, scopes=scopes.split() or SCOPES)
    arrived = salesforce.walk(asked.url, user, org, REDIRECT_URI)
    answer = dict(pair.split("=", 1) for pair in arrived.partition("?")[2].split("&"))
    assert answer["state"] == asked.state.reveal()
    tokens = OAUTH.exchange(
        server,
        client,
        code=Secret(answer["code"]),
        code_verifier=asked.code_verifier,
        redirect_uri=REDIRECT_URI,
        http=session,
    )
    return Tokens(server, client, tokens, session)


def someone(salesforce: Running, user: str, org: str = "acme", *, scopes: str = "", **limits: float) -> Someone:
    """Sign in and describe; the simulator's log of calls is empty afterwards."""
    session = session_for(salesforce, **limits)
    tokens = sign_in(salesforce, session, user, org, scopes=scopes)
    store, budget, pages = Memory(), ApiBudget(), salesforce.org(org)["pages_url"]
    crm = SalesforceCrm(tokens, store, budget, session, VERSION, pages)
    store.save(access.fetch(Wire(tokens, session, budget, VERSION, Priority.INTERACTIVE)))
    salesforce.reset(only=["calls"])
    return Someone(tokens, store, budget, crm, session, pages)


def paths(salesforce: Running, org: str = "acme") -> list[str]:
    return [call["path"] for call in salesforce.calls(org)]


def one(found: PersonMatch) -> Person:
    assert len(found.people) == 1
    return found.people[0]


def groups(person: Person) -> dict[str, list[str]]:
    return {group.object: [record.name for record in group.records] for group in person.groups}
