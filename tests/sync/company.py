"""A company of any size with its mailboxes: hired at the simulators, signed in through the product's own doors.

`python -m tests.sync.company COUNT` reads the simulators' facts from stdin and prints whose mailbox is which, for who
has no Django of his own."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.simulators.mail_providers import MailProvider, simulated
from tests.simulators.running import Running, simulated_salesforce

PROVIDERS = ("google", "microsoft")
ORG, DOMAIN = "acme", "acme.example"
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Employee:
    """`mailbox`: the id of our row; "" before he is connected."""

    key: str
    provider: str
    mailbox: str = ""

    @property
    def email(self) -> str:
        return f"{self.key}@{DOMAIN}"


@dataclass(frozen=True)
class World:
    """The three simulators."""

    salesforce: Running
    mail: Mapping[str, MailProvider]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "World":
        """Running already; `facts`: what each has written down, by its name."""
        return cls(Running(facts["salesforce"]), {name: MailProvider(name, facts[name]) for name in PROVIDERS})

    def facts(self) -> dict[str, Any]:
        return {"salesforce": self.salesforce.info} | {name: each.info for name, each in self.mail.items()}

    # -- people -----------------------------------------------------------------------------------------------------

    def hire(self, count: int) -> list[Employee]:
        """Half of them with their mail at each provider, as much of it as they like to have read."""
        staff = [Employee(f"e{number:04}", PROVIDERS[number % 2]) for number in range(count)]
        names = [{"key": each.key, "first": "Em", "last": f"Ployee {each.key}", "email": each.email} for each in staff]
        for hires in (self.salesforce.sim, *(each.sim for each in self.mail.values())):
            hires("people", {"people": names})
        for each in staff:
            if each.provider == "google":
                self.mail["google"].sim(f"mail/{each.key}/quota", {"units": 0})
        return staff

    def customers(self, employee: Employee) -> list[str]:
        """Addresses that exactly one contact has, and no lead, as this employee sees them."""
        token = self.salesforce.tokens(employee.key, ORG)["access_token"]
        asked = "SELECT+Email+FROM+{}+WHERE+Email+!=+null"
        contacts, leads = (self._emails(asked.format(name), token) for name in ("Contact", "Lead"))
        return sorted(each for each in set(contacts) - set(leads) if contacts.count(each) == 1 and _is_plain(each))

    def _emails(self, query: str, token: str) -> list[str]:
        url = f"{self.salesforce.org(ORG)['api_url']}/services/data/v60.0/query?q={query}"
        answer = self.salesforce.http.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        return [each["Email"].lower() for each in answer.json()["records"]]

    def forget_calls(self) -> None:
        self.salesforce.sim("reset", {"only": ["calls"]}, ORG)

    def calls(self) -> list[dict[str, Any]]:
        """Those of Salesforce that count towards the organization's limit."""
        return self.salesforce.calls(ORG)

    def written_by(self) -> Counter[str]:
        """Emails in Salesforce by the key of who has made them."""
        state = self.salesforce.sim("state?object=EmailMessage", org=ORG)
        keys = {user["id"]: user["key"] for user in state["users"]}
        return Counter(keys[row["CreatedById"]] for row in state["records"]["EmailMessage"])

    # -- mail -------------------------------------------------------------------------------------------------------

    def deliver(self, employee: Employee, messages: Iterator[str] | Sequence[str]) -> None:
        """`messages`: base64 of each."""
        left = list(messages)
        for at in range(0, len(left), _AT_ONCE):
            body = {"messages": [{"raw": each, "folder": "inbox"} for each in left[at : at + _AT_ONCE]]}
            self.mail[employee.provider].sim(f"mail/{employee.key}/deliver", body)


@contextmanager
def simulated_world(folder: Path) -> Iterator[World]:
    """The simulators in processes of their own, under one certificate authority; ended with the block."""
    ca = ("--ca", str(folder / "ca"))
    with ExitStack() as stack:
        salesforce = stack.enter_context(simulated_salesforce(*ca, directory=folder / "salesforce"))
        mail = {name: stack.enter_context(simulated(name, *ca, directory=folder / name)) for name in PROVIDERS}
        yield World(salesforce, mail)


def _is_plain(address: str) -> bool:
    return address.isascii() and address.replace(".", "").replace("-", "").replace("@", "").isalnum()


# -- through the product's doors --------------------------------------------------------------------------------------


def found(world: World, staff: Sequence[Employee]) -> list[Employee]:
    """Everybody signed in at Salesforce, email sync switched on for all, every mailbox connected and followed."""
    from organizations import policy
    from sync import mailboxes
    from sync.models import SyncedMailbox
    from vault import keys

    keys.verify_kek()
    members = [_signed_in(world, each) for each in staff]
    policy.set_organization_value("test", members[0].organization_id, "email.sync.enabled", True)
    rows = [_connected(world, each, member) for each, member in zip(staff, members, strict=True)]
    mailboxes.follow_settings()
    ids = dict(SyncedMailbox.objects.values_list("connection_id", "pk"))
    return [
        Employee(each.key, each.provider, str(ids[connection])) for each, connection in zip(staff, rows, strict=True)
    ]


def _signed_in(world: World, employee: Employee) -> Any:
    from django.contrib.sessions.backends.base import SessionBase

    from providers.base import Secret
    from vault import connect

    session = SessionBase()
    url = connect.begin(session, world.salesforce.org(ORG)["api_url"], "/")
    base = connect.redirect_uri("", announces_iss=True)
    path, query = _arrived(world.salesforce.walk(url, employee.key, ORG, base))
    code, key = Secret(query["code"]), path.rstrip("/").rpartition("/")[2]
    back = connect.Callback(query["state"], code, query.get("iss"), None if key == "callback" else key)
    return connect.complete(*connect.expect(session, back), code, None).member


def _connected(world: World, employee: Employee, member: Any) -> Any:
    """The id of the connection."""
    from django.contrib.sessions.backends.base import SessionBase

    from providers.base import Secret
    from vault import mailboxes

    session = SessionBase()
    url = mailboxes.begin(session, member, employee.provider, "/")
    query = world.mail[employee.provider].walk(employee.key, url=url).query
    back = mailboxes.Answer(employee.provider, query["state"], query.get("iss"))
    return mailboxes.complete(*mailboxes.expect(session, member, back), Secret(query["code"]), member).pk


def _arrived(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


if __name__ == "__main__":
    import django

    django.setup()
    here = World.of(json.load(sys.stdin))
    print(json.dumps([asdict(each) for each in found(here, here.hire(int(sys.argv[1])))]))  # noqa: T201
