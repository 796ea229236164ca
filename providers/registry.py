"""Which providers there are, and the adapter of each. Opened by the vault only; checked at import."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers.base import Crm
from providers.oauth import OAuth
from providers.salesforce import hosts as salesforce_hosts
from providers.salesforce import oauth as salesforce_oauth
from providers.salesforce import transport
from providers.salesforce.crm import SalesforceCrm


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the vault needs to know of a provider. `host_suffixes`: its own domains, for `providers.http.Settings`."""

    oauth: OAuth
    host_suffixes: tuple[str, ...]
    warm_up: Callable[[], None]
    crm: Callable[..., Crm] | None = None

    @property
    def name(self) -> str:
        return self.oauth.name

    @property
    def scopes(self) -> Mapping[str, str]:
        """Each scope of every connection and, in plain words, why we ask for it."""
        return {scope: self.oauth.purpose_of(scope) for scope in self.oauth.scopes_for(())}


ADAPTERS: Mapping[str, Adapter] = {
    "salesforce": Adapter(
        oauth=salesforce_oauth.OAUTH,
        host_suffixes=salesforce_hosts.SUFFIXES,
        warm_up=transport.warm_up,
        crm=SalesforceCrm,
    ),
}

if any(key != each.name or not each.scopes for key, each in ADAPTERS.items()):
    raise RuntimeError("providers.registry contradicts itself")
