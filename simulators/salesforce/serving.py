"""The simulated orgs as one program: which listens where, and what orgs.json says."""

from typing import Any

from simulators import serving
from simulators.salesforce.oauth.apps import App
from simulators.salesforce.oauth.hosts import Host, hosts_of
from simulators.salesforce.org import LoginHost, Org
from simulators.salesforce.staff import PLANS
from simulators.salesforce.web import Web
from simulators.serving import Options, Serving

FIRST_PORT = 8100
DEFAULT_REDIRECTS = (
    "http://localhost:8000/connect/salesforce/callback/",
    "http://127.0.0.1:8000/connect/salesforce/callback/",
)


class Simulation:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.serving = Serving(options)
        self.secret = serving.kept_secret(options.directory / "client_secret")
        self.orgs = [Org(plan, [self._default_app()]) for plan in PLANS]
        self.logins = [
            LoginHost("login", "Salesforce", [org for org in self.orgs if org.plan.login == "login"]),
            LoginHost("test", "Salesforce sandboxes", [org for org in self.orgs if org.plan.login == "test"]),
        ]
        self.hosts = hosts_of(self.orgs, self.logins)

    def _default_app(self) -> App:
        return App(
            "sidebar-demo",
            self.secret,
            redirect_uris=list(self.options.redirect_uris),
            keys_below=True,
            any_loopback_port=True,
        )

    def open_ports(self) -> None:
        for host in self.hosts:
            host.api_url = self.serving.api(Web(host, pages=False, latency=self.options.latency))
            host.pages_url = self.serving.pages(Web(host, pages=True))
        self._tell_orgs()

    def _tell_orgs(self) -> None:
        for host in self.hosts:
            if host.org and host.is_site and host.org.site:
                host.org.site.api_url, host.org.site.pages_url = host.api_url, host.pages_url
            elif host.org:
                host.org.api_url, host.org.pages_url = host.api_url, host.pages_url
        for login in self.logins:
            host = next(h for h in self.hosts if h.key == login.key)
            for org in login.orgs:
                org.login_url = host.api_url
        for org in self.orgs:
            org.grants.load(self.options.directory / f"grants-{org.key}.json")
            org.end_grants_of_nobody()

    def description(self) -> dict[str, Any]:
        """What orgs.json says."""
        return {
            "ca": self.serving.ca,
            "orgs": [self._describe(org) for org in self.orgs],
            "login_hosts": [_urls(host) | {"sandboxes": host.key == "test"} for host in self.hosts if host.org is None],
        }

    def _describe(self, org: Org) -> dict[str, Any]:
        site = next((h for h in self.hosts if h.org is org and h.is_site), None)
        users = [
            {
                "key": u.key,
                "username": u.username,
                "password": u.password,
                "name": u.name,
                "email": u.email,
                "id": u.id,
                "profile": u.profile.name,
            }
            for u in org.users.values()
        ]
        return {
            "key": org.key,
            "name": org.name,
            "salesforce_org_id": org.id,
            "is_sandbox": org.plan.is_sandbox,
            "api_url": org.api_url,
            "pages_url": org.pages_url,
            "login_host": org.plan.login,
            "users": users,
            "client_id": "sidebar-demo",
            "client_secret": self.secret,
            "site": _urls(site) if site else None,
        }

    async def run(self) -> None:
        await self.serving.run(self.options.directory / "orgs.json", self.description)


def _urls(host: Host) -> dict[str, Any]:
    return {
        "key": host.key,
        "name": host.name,
        "api_url": host.api_url,
        "pages_url": host.pages_url,
        "login_url": host.issuer,
        "prefix": host.prefix,
    }
