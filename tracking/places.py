"""Where an address is, coarsely, and whether it is a data centre's: from files of the operator's, in MaxMind's format.
Without them it is not known, and says so by being empty. Asks no service."""

import ipaddress
import logging
from functools import cache
from typing import Any

import maxminddb
from django.conf import settings

log = logging.getLogger("sidebar.tracking")

#: Words in the names of networks (autonomous systems) in which servers stand, and hardly any people. Not those of
#: Akamai, Cloudflare and Fastly: readers with Apple's Private Relay come out of them (akamai.com/blog, "Powering and
#: protecting online privacy"; blog.cloudflare.com/icloud-private-relay).
_HOSTING = (
    "amazon", "google cloud", "microsoft", "digitalocean", "hetzner", "ovh", "linode", "choopa", "vultr", "oracle bmc",
    "alibaba", "tencent", "leaseweb", "scaleway", "contabo", "hosting", "datacenter", "data center",
    "proofpoint", "mimecast", "ironport", "barracuda",  # mail security: warmbly/warmbly, tracking/scanner-networks.txt
)  # fmt: skip


#: Of a network's name, for a reason in words that fits its column.
_LONGEST = 40


def place_of(address: str) -> str:
    """ "Vienna, Austria", or the country alone; "" where nothing is known."""
    found = _look_up(settings.GEOIP_FILE, address)
    names = [_name(found.get("city")), _name(found.get("country"))]
    return ", ".join(filter(None, names))


def hosting_of(address: str) -> str:
    """The operator of the data centre that the address belongs to; "" for any other network."""
    name = str(_look_up(settings.ASN_FILE, address).get("autonomous_system_organization", ""))
    plain = name.lower().replace("-", " ")  # GOOGLE-CLOUD-PLATFORM, MICROSOFT-CORP-MSN-AS-BLOCK
    return name[:_LONGEST] if any(word in plain for word in _HOSTING) else ""


def _name(part: Any) -> str:
    return str(part.get("names", {}).get("en", "")) if isinstance(part, dict) else ""


def _look_up(path: str, address: str) -> dict[str, Any]:
    reader = _reader(path) if path else None
    if reader is None:
        return {}
    try:
        found = reader.get(ipaddress.ip_address(address))
    except (ValueError, maxminddb.InvalidDatabaseError):  # no address, or a file for IPv4 is asked for IPv6
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _reader(path: str) -> maxminddb.Reader | None:
    """Opened once; another file counts when the worker starts again. None where it is no such file: hits are judged
    without it rather than not at all."""
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError):
        log.error("GEOIP_FILE or ASN_FILE cannot be read in MaxMind's format; places and networks stay unknown")
        return None
