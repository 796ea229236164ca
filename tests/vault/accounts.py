"""The simulated Google and Microsoft as the vault's tests need them: set up as an operator would, seen from outside."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_django import Settings

from tests.simulators import mail_providers
from tests.simulators.mail_providers import MailProvider

PROVIDERS = ("google", "microsoft")
HOME = "http://localhost:8000"
TOKEN_PATH = {"google": "/token", "microsoft": "/organizations/oauth2/v2.0/token"}


class StoppedThereError(Exception):
    """The provider ended it on a page of its own; nobody comes back from there."""


@dataclass
class Provider:
    """A running simulator of one of the two."""

    running: MailProvider

    @property
    def name(self) -> str:
        return self.running.name

    @property
    def info(self) -> dict[str, Any]:
        """What it wrote down about itself."""
        return self.running.info

    def sim(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.running.sim(path, body)

    def calls(self, ending: str = "") -> list[dict[str, Any]]:
        return [call for call in self.sim("calls")["calls"] if call["path"].endswith(ending)]

    def grants(self, user: str) -> list[dict[str, Any]]:
        return [grant for grant in self.sim("state")["grants"] if grant["user"] == user]

    def configure(self, settings: Settings) -> None:
        """What the operator of the product would set."""
        name = self.name.upper()
        setattr(settings, f"{name}_CLIENT_ID", self.info["client_id"])
        setattr(settings, f"{name}_CLIENT_SECRET", self.info["client_secret"])
        if self.name == "google":
            settings.GOOGLE_OAUTH_URL = self.info["api_url"]
        else:
            settings.MICROSOFT_LOGIN_URL, settings.MICROSOFT_GRAPH_URL = self.info["api_url"], self.info["graph_url"]

    def walk(self, url: str, user: str, *, allow: bool = True, ticked: Sequence[str] = ("all",)) -> str:
        """A browser's steps from an authorization URL: choose `user`, decide. Returns the path on our side."""
        walked = self.running.walk(user, url=url, allow=allow, tick=tuple(ticked))
        if walked.status != 302:
            raise StoppedThereError(f"{walked.status}: {walked.text[:200]}")
        return walked.url.removeprefix(HOME)


@contextmanager
def simulated(*names: str) -> Iterator[dict[str, Provider]]:
    """One process for each, on free ports, under one certificate authority; ended with the block."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        yield {
            name: Provider(
                stack.enter_context(mail_providers.simulated(name, "--ca", str(place / "ca"), directory=place / name))
            )
            for name in names
        }
