"""Where an address is, coarsely, and whether it is a data centre's: from files of the operator's, in MaxMind's format.
Without them it is not known, and says so by being empty. Asks no service."""

import ipaddress
from functools import cache
from typing import Any

import maxminddb
from django.conf import settings

#: Words in the names of networks (autonomous systems) in which servers stand, and no people.
_HOSTING = (
    "amazon", "aws", "google cloud", "microsoft azure", "digitalocean", "hetzner", "ovh", "linode", "akamai", "vultr",
    "oracle cloud", "alibaba", "tencent", "leaseweb", "scaleway", "contabo", "hosting", "datacenter", "data center",
)  # fmt: skip


def place_of(address: str) -> str:
    """ "Vienna, Austria", or the country alone; "" where nothing is known."""
    found = _look_up(settings.GEOIP_FILE, address)
    names = [_name(found.get("city")), _name(found.get("country"))]
    return ", ".join(filter(None, names))


def hosting_of(address: str) -> str:
    """The operator of the data centre that the address belongs to; "" for any other network."""
    name = str(_look_up(settings.ASN_FILE, address).get("autonomous_system_organization", ""))
    return name if any(word in name.lower() for word in _HOSTING) else ""


def _name(part: Any) -> str:
    return str(part.get("names", {}).get("en", "")) if isinstance(part, dict) else ""


def _look_up(path: str, address: str) -> dict[str, Any]:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return {}
    found = _reader(path).get(ip) if path else None
    return found if isinstance(found, dict) else {}


@cache
def _reader(path: str) -> maxminddb.Reader:
    return maxminddb.open_database(path)
