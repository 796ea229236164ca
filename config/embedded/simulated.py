"""The simulated providers that run beside the product, and the settings that point the product at them.

Knows their file of facts only, never their code."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import certifi

from config import env
from config.embedded.processes import Program

ROOT = Path(__file__).resolve().parents[2]
Facts = dict[str, Any]


@dataclass(frozen=True)
class Simulator:
    """`own`: the setting with which the operator says that he brings the real provider; `port`: the first of its
    ports, counted from that of the simulated Salesforce; `settings`: what its facts say to the product; `more`:
    arguments that follow from the product's address."""

    name: str
    label: str
    file: str
    own: str
    port: int
    settings: Callable[[Facts], dict[str, str]]
    more: Callable[[str], list[str]] = lambda _: []

    @property
    def is_wanted(self) -> bool:
        return not env.is_set(self.own)

    def program(self, directory: Path, first_port: int, log: Path, public_url: str = "") -> Program:
        """`directory`: the state directory; `first_port`: that of the simulated Salesforce, 0 for any free ones."""
        place = directory / self.name
        place.mkdir(parents=True, exist_ok=True)
        return Program(
            name=f"simulated {self.label}",
            command=[
                *(sys.executable, "-m", f"simulators.{self.name}", "--directory", str(place)),
                *("--ca", str(directory / "simulated-ca")),
                *("--ports-from", str(first_port + self.port if first_port else 0)),
                *(self.more(public_url) if public_url else ()),
            ],
            log=log / f"{self.name}.log",
            before=lambda: (place / self.file).unlink(missing_ok=True),
            is_ready=(place / self.file).exists,
            environment=_without_secrets(),
            directory=ROOT,
            stop_within=2,
        )

    def facts(self, directory: Path) -> Facts:
        """What it says of itself once it is ready."""
        facts: Facts = json.loads((directory / self.name / self.file).read_text())
        return facts


def _salesforce(facts: Facts) -> dict[str, str]:
    first = facts["orgs"][0]
    return {
        "SALESFORCE_ORIGINS": " ".join(sorted(set(_origins(facts)))),
        "SALESFORCE_LOGINS": ", ".join(_logins(facts)),
        "SALESFORCE_CLIENT_ID": first["client_id"],
        "SALESFORCE_CLIENT_SECRET": first["client_secret"],
    }


def _google(facts: Facts) -> dict[str, str]:
    """Its APIs too, so that nothing of a demo reaches the real one."""
    url = facts["api_url"]
    return {
        **dict.fromkeys(("GOOGLE_OAUTH_URL", "GOOGLE_GMAIL_URL", "GOOGLE_CALENDAR_URL"), url),
        "GOOGLE_JWKS_URL": f"{url}/oauth2/v3/certs",
        "GOOGLE_CLIENT_ID": facts["client_id"],
        "GOOGLE_CLIENT_SECRET": facts["client_secret"],
        "GOOGLE_PUBSUB_TOPIC": facts["topic"],
        "GOOGLE_PUBSUB_ACCOUNT": facts["push_account"],
    }


def _google_pushes(public_url: str) -> list[str]:
    """What an administrator says when he makes the push subscription; by it the product knows whom a token is for."""
    return ["--push-to", f"{public_url}/hooks/google/gmail/"]


def _microsoft(facts: Facts) -> dict[str, str]:
    return {
        "MICROSOFT_LOGIN_URL": facts["api_url"],
        "MICROSOFT_GRAPH_URL": facts["graph_url"],
        "MICROSOFT_CLIENT_ID": facts["client_id"],
        "MICROSOFT_CLIENT_SECRET": facts["client_secret"],
    }


SALESFORCE = Simulator("salesforce", "Salesforce", "orgs.json", "SALESFORCE_CLIENT_ID", 0, _salesforce)
GOOGLE = Simulator("google", "Google", "google.json", "GOOGLE_CLIENT_ID", 20, _google, _google_pushes)
MICROSOFT = Simulator("microsoft", "Microsoft", "microsoft.json", "MICROSOFT_CLIENT_ID", 40, _microsoft)


def wanted() -> list[Simulator]:
    """None where the operator brings his own Salesforce: that is no demo."""
    return [each for each in (SALESFORCE, GOOGLE, MICROSOFT) if each.is_wanted] if SALESFORCE.is_wanted else []


def trust(directory: Path) -> dict[str, str]:
    """OUTBOUND_CA_BUNDLE: the simulators' authority, and where a real provider is among them the operator's bundle or
    the public authorities."""
    own = (directory / "simulated-ca" / "ca.pem").read_text()
    is_demo = GOOGLE.is_wanted and MICROSOFT.is_wanted
    others = "" if is_demo else Path(env.read("OUTBOUND_CA_BUNDLE", certifi.where())).read_text()
    bundle = directory / "simulated-ca" / "bundle.pem"
    bundle.write_text(own + others)
    return {"OUTBOUND_CA_BUNDLE": str(bundle.resolve())}


def _logins(facts: Facts) -> Iterator[str]:
    """`Label=address` of every door of the simulated Salesforce, the one that lets most people in first."""
    for host in facts.get("login_hosts", ()):
        yield f"{host['name']} (simulated)={host['login_url']}"
    for site in (org["site"] for org in facts["orgs"] if org.get("site")):
        yield f"{site['name']} (simulated site)={site['login_url']}"


def _origins(facts: object) -> Iterator[str]:
    """Every origin named anywhere in orgs.json: org, login host, site."""
    if isinstance(facts, str) and facts.startswith(("https://", "http://")):
        parts = urlsplit(facts)
        yield f"{parts.scheme}://{parts.netloc}"
    elif isinstance(facts, Mapping):
        for value in facts.values():
            yield from _origins(value)
    elif isinstance(facts, list):
        for value in facts:
            yield from _origins(value)


def _without_secrets() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}
