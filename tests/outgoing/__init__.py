"""Whom the product under test speaks to: every process of it notes each name that it resolves and each address that it
connects to (see `hook/sitecustomize.py`), and the end of a run looks at all of it (C34)."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

HOOK = Path(__file__).parent / "hook"
_OURS = ("localhost", "")


@dataclass(frozen=True, slots=True)
class Call:
    """`program`: its command line. `host`: a name or an address."""

    program: str
    host: str
    port: int

    @property
    def is_local(self) -> bool:
        name = self.host.removesuffix(".")
        return name in _OURS or name.endswith(".localhost") or _is_loopback(name)


def environment(log: Path) -> dict[str, str]:
    """For a process whose calls, and whose children's, are to be noted in `log`."""
    return {"PYTHONPATH": str(HOOK), "OUTGOING_LOG": str(log)}


def calls(log: Path) -> set[Call]:
    lines = log.read_text().splitlines() if log.exists() else []
    found = (line.split("\t") for line in lines)
    return {Call(program, host, int(port)) for program, host, port in found}


def _is_loopback(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
