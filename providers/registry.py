"""Which providers there are, and the adapter of each. Opened by the vault only; checked at import."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from providers.activities import Activities
from providers.base import Crm, TokenSource
from providers.google import hosts as google_hosts
from providers.google import oauth as google_oauth
from providers.google.mail import GmailMailbox
from providers.http import Session
from providers.mail import Mailbox
from providers.microsoft import hosts as microsoft_hosts
from providers.microsoft import oauth as microsoft_oauth
from providers.microsoft.mail import GraphMailbox
from providers.protocol import OAuth
from providers.salesforce import hosts as salesforce_hosts
from providers.salesforce import oauth as salesforce_oauth
from providers.salesforce import transport
from providers.salesforce.activities import SalesforceActivities
from providers.salesforce.crm import SalesforceCrm


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the vault needs to know of a provider. For `providers.http.Settings`: `host_suffixes`, its own
    domains, and `operators`, which of an operator's settings name origins of his own."""

    oauth: OAuth
    host_suffixes: tuple[str, ...]
    warm_up: Callable[[], None] = lambda: None
    operators: Callable[[Iterable[str]], tuple[str, ...]] = tuple
    crm: Callable[..., Crm] | None = None
    mailbox: Callable[[TokenSource, Session, str], Mailbox] | None = None  # the last: the API's origin
    activities: Callable[..., Activities] | None = None

    @property
    def name(self) -> str:
        return self.oauth.name


ADAPTERS: Mapping[str, Adapter] = {
    "salesforce": Adapter(
        oauth=salesforce_oauth.OAUTH,
        host_suffixes=salesforce_hosts.SUFFIXES,
        warm_up=transport.warm_up,
        crm=SalesforceCrm,
        activities=SalesforceActivities,
    ),
    "google": Adapter(
        oauth=google_oauth.OAUTH,
        host_suffixes=google_hosts.HOSTS.hosts,
        operators=google_hosts.HOSTS.operators,
        mailbox=GmailMailbox,
    ),
    "microsoft": Adapter(
        oauth=microsoft_oauth.OAUTH,
        host_suffixes=microsoft_hosts.HOSTS.hosts,
        operators=microsoft_hosts.HOSTS.operators,
        mailbox=GraphMailbox,
    ),
}

if any(key != each.name or not each.oauth.scopes_for(()) for key, each in ADAPTERS.items()):
    raise RuntimeError("providers.registry contradicts itself")
