"""Which providers there are, and the adapter of each. Opened by the vault only; checked at import."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers import oauth
from providers.base import Crm
from providers.salesforce import transport
from providers.salesforce.crm import SalesforceCrm


@dataclass(frozen=True, slots=True)
class Adapter:
    """What the vault needs to know of a provider. `scopes`: each scope we ask for and, in plain words, why."""

    name: str
    scopes: Mapping[str, str]
    warm_up: Callable[[], None]
    crm: Callable[..., Crm] | None = None


_PURPOSES = dict(
    zip(
        oauth.SCOPES,
        (
            "To know who you are in Salesforce",
            "To find and change what you may see and change yourself",
            "To stay connected, and to work in the background for you",
            "To open a record in Salesforce without another sign-in",
        ),
        strict=True,
    )
)

ADAPTERS: Mapping[str, Adapter] = {
    "salesforce": Adapter(
        name="salesforce",
        scopes=_PURPOSES,
        warm_up=transport.warm_up,
        crm=SalesforceCrm,
    ),
}

if any(key != each.name or not each.scopes for key, each in ADAPTERS.items()):
    raise RuntimeError("providers.registry contradicts itself")
