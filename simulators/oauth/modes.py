"""How refresh tokens behave, as a test wants it: POST /_sim/oauth."""

from dataclasses import dataclass
from typing import Any

from simulators.oauth.changes import change


@dataclass
class Mode:
    """`rotate`: a refresh answers with a new refresh token. `reuse_kills_family`: one that was replaced, presented
    again, ends its whole family. `delay`: seconds between the work and the answer of the token endpoint."""

    rotate: bool
    reuse_kills_family: bool
    delay: float = 0.0

    def change(self, body: dict[str, Any]) -> dict[str, Any]:
        """What it is afterwards. Raises ValueError for an unknown name."""
        return change(self, body)
