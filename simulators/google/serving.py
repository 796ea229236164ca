"""The simulated Google as one program: what listens where, and what google.json says."""

from typing import Any

from simulators import serving
from simulators.google.accounts import App
from simulators.google.provider import Google
from simulators.google.web import Api, Pages
from simulators.oauth.signing import Signer
from simulators.oauth.web import Face
from simulators.serving import Options, Serving

FIRST_PORT = 8120
CLIENT_ID = "sidebar-demo.apps.googleusercontent.example"
#: On which Gmail may publish: it takes any, and this one has a push subscription.
TOPIC = "projects/sidebar-demo/topics/gmail"
DEFAULT_REDIRECTS = (
    "http://localhost:8000/connect/google/callback/",
    "http://127.0.0.1:8000/connect/google/callback/",
)


class Simulation:
    def __init__(self, options: Options) -> None:
        self.options, self.serving = options, Serving(options)
        self.secret = "GOCSPX-" + serving.kept_secret(options.directory / "client_secret")[:28]
        uris = list(options.redirect_uris)
        app = App(CLIENT_ID, self.secret, redirect_uris=uris, any_loopback_port=True)
        self.google = Google(Signer(options.directory / "id_token.key"), app)
        self.google.families.load(options.directory / "grants.json")

    def open_ports(self) -> None:
        google = self.google
        google.api_url = self.serving.api(Face(google, Api, self.options.latency))
        google.pages_url = self.serving.pages(Face(google, Pages))
        pusher = google.gmail.pusher
        pusher.issuer, pusher.ca, pusher.push_to = google.api_url, self.serving.ca, self.options.push_to
        pusher.restore()

    def description(self) -> dict[str, Any]:
        users = [
            {"key": a.key, "email": a.email, "password": a.password, "name": a.name, "id": a.sub, "domain": a.domain}
            for a in self.google.accounts.values()
        ]
        return {
            "name": "Google",
            "ca": self.serving.ca,
            "api_url": self.google.api_url,
            "pages_url": self.google.pages_url,
            "client_id": CLIENT_ID,
            "client_secret": self.secret,
            "topic": TOPIC,
            "push_account": self.google.gmail.pusher.endpoint.account,
            "users": users,
        }

    async def run(self) -> None:
        await self.serving.run(self.options.directory / "google.json", self.description)
