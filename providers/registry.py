"""Which providers there are, and the adapter of each. Opened by the vault only; checked at import."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from providers import oauth
from providers.base import Crm
from providers.salesforce import hosts, transport
from providers.salesforce.crm import SalesforceCrm


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the vault needs to know of a provider. `scopes`: each scope we ask for and, in plain words, why."""

    name: str
    label: str
    scopes: Mapping[str, str]
    host_suffixes: tuple[str, ...]
    login_url: Callable[[str, Collection[str]], str]
    warm_up: Callable[[], None]
    crm: Callable[..., Crm] | None = None


ADAPTERS: Mapping[str, Adapter] = {
    "salesforce": Adapter(
        name="salesforce",
        label="Salesforce",
        scopes={
            "id": "To know who you are in Salesforce",
            "api": "To find and change what you may see and change yourself",
            "refresh_token": "To stay connected, and to work in the background for you",
            "web": "To open a record in Salesforce without another sign-in",
        },
        host_suffixes=hosts.SUFFIXES,
        login_url=hosts.login_url,
        warm_up=transport.warm_up,
        crm=SalesforceCrm,
    ),
}

if tuple(ADAPTERS["salesforce"].scopes) != oauth.SCOPES or any(key != each.name for key, each in ADAPTERS.items()):
    raise RuntimeError("providers.registry contradicts itself")
