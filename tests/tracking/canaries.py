"""Who asks in a test of what is left of him: addresses and programs that stand nowhere else, each long enough to be
looked for in every shape."""

import http.client
import ipaddress
import random
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


LOOPBACK = "127.0.0.1"  # every machine's, and nobody's secret


def canary() -> str:
    return f"canary-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Asker:
    """`peer`: where he connects from, of 127/8, all of which is this machine; `forwarded`: what a proxy says of him,
    an old and a new address; `told`: what nobody ever wants to know of him."""

    peer: str
    forwarded: tuple[str, str]
    agent: str
    told: str

    def secrets(self) -> dict[str, set[str | bytes]]:
        addresses = {self.peer, *self.forwarded} - {LOOPBACK}
        return {
            "address": {*addresses},
            "packed address": {_packed(each) for each in addresses},
            "agent": {self.agent.rpartition(" ")[2]},
            "what was told": {self.told},
        }

    def short(self) -> set[bytes]:
        """Addresses of four bytes, which chance writes too: one hit's may not be looked for, many hits' may."""
        return {ipaddress.IPv4Address(each).packed for each in {self.peer, self.forwarded[0]} - {LOOPBACK}}

    def headers(self) -> dict[str, str]:
        return {
            "User-Agent": self.agent,
            "X-Forwarded-For": ", ".join(self.forwarded),
            "Forwarded": f"for={self.told}",
            "Referer": f"https://{self.told}.example/",
            "Cookie": f"name={self.told}",
            "Accept-Language": self.told,
        }


def an_asker(peer: str = "") -> Asker:
    """`peer`: instead of one of his own. Each address written out is no shorter than the scan can find."""
    old, new = _octets(random.randint(241, 254)), [f"{random.randint(0x1000, 0xFFFF):x}" for _ in range(6)]
    agent = f"{CHROME} {canary()}/1.0"
    return Asker(peer or _octets(127), (old, ":".join(["2001", "db8", *new])), agent, canary())


def _octets(first: int) -> str:
    return ".".join(map(str, [first, *(random.randint(100, 254) for _ in range(3))]))


def _packed(text: str) -> bytes:
    """As sixteen bytes, an old address as a mapped one."""
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def ask(url: str, asker: Asker) -> int:
    """Asks once, as a browser; the query holds his canary, too. Returns the status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10, source_address=(asker.peer, 0))
    try:
        connection.request("GET", f"{parts.path}?{asker.told}", headers=asker.headers())
        return connection.getresponse().status
    finally:
        connection.close()


def often(text: bytes, askers: Iterable[Asker], times: int) -> bool:
    """Whether a packed address of four bytes stands in it `times` or more."""
    return any(text.count(short) >= times for asker in askers for short in asker.short())
