"""The simulated Microsoft as one program: what listens where, and what microsoft.json says."""

from typing import Any

from simulators import serving
from simulators.microsoft.accounts import App
from simulators.microsoft.graph import Graph
from simulators.microsoft.provider import Microsoft
from simulators.microsoft.web import Api, Pages
from simulators.oauth.signing import Signer
from simulators.oauth.web import Face
from simulators.serving import Options, Serving

FIRST_PORT = 8140
CLIENT_ID = "6a1f5f0e-2d1b-4c53-9d0e-5a1c0ffee001"
DEFAULT_REDIRECTS = (
    "http://localhost:8000/connect/microsoft/callback/",
    "http://127.0.0.1:8000/connect/microsoft/callback/",
)


class Simulation:
    def __init__(self, options: Options) -> None:
        self.options, self.serving = options, Serving(options)
        self.secret = serving.kept_secret(options.directory / "client_secret")[:40]
        app = App(CLIENT_ID, self.secret, redirect_uris=list(options.redirect_uris), any_loopback_port=True)
        self.microsoft = Microsoft(Signer(options.directory / "id_token.key"), app)
        self.microsoft.families.load(options.directory / "grants.json")
        self.microsoft.end_grants_of_nobody()

    def open_ports(self) -> None:
        microsoft, latency = self.microsoft, self.options.latency
        microsoft.api_url = self.serving.api(Face(microsoft, Api, latency))
        microsoft.pages_url = self.serving.pages(Face(microsoft, Pages))
        microsoft.graph_url = self.serving.api(Face(microsoft, Graph, latency))
        microsoft.boxes.caller.ca = self.serving.ca

    def description(self) -> dict[str, Any]:
        microsoft = self.microsoft
        return {
            "name": "Microsoft",
            "ca": self.serving.ca,
            "api_url": microsoft.api_url,
            "pages_url": microsoft.pages_url,
            "graph_url": microsoft.graph_url,
            "client_id": CLIENT_ID,
            "client_secret": self.secret,
            "tenants": [{"id": t.id, "name": t.name, "domain": t.domain} for t in microsoft.tenants.values()],
            "users": [
                {"key": a.key, "email": a.email, "password": a.password, "name": a.name, "id": a.oid, "tenant": a.tid}
                for a in microsoft.accounts.values()
            ],
        }

    async def run(self) -> None:
        await self.serving.run(self.options.directory / "microsoft.json", self.description)
