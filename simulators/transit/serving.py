"""The key service as a program: its port, its tokens, and transit.json when it listens. Keys live in RAM only."""

from typing import Any

from simulators.serving import Options, Serving, kept_secret
from simulators.transit.engine import Engine
from simulators.transit.web import Web

FIRST_PORT = 8200
KEY = "sidebar"


class Simulation:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.serving = Serving(options)
        self.engine = Engine()
        self.engine.create(KEY)
        self.tokens = {name: f"hvs.{kept_secret(options.directory / name)}" for name in ("app", "root")}
        self.url = ""

    def open_ports(self) -> None:
        web = Web(self.engine, self.tokens["app"], self.tokens["root"], self.options.latency)
        self.url = self.serving.api(web)

    def description(self) -> dict[str, Any]:
        return {
            "ca": self.serving.ca,
            "url": self.url,
            "key_url": f"{self.url}/transit/keys/{KEY}",
            "tokens": self.tokens,
        }

    async def run(self) -> None:
        await self.serving.run(self.options.directory / "transit.json", self.description)
