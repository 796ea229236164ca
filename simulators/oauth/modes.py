"""How refresh tokens behave, as a test wants it: POST /_sim/oauth."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Mode:
    """`rotate`: a refresh answers with a new refresh token. `reuse_kills_family`: one that was replaced, presented
    again, ends its whole family. `delay`: seconds between the work and the answer of the token endpoint."""

    rotate: bool
    reuse_kills_family: bool
    delay: float = 0.0

    def change(self, body: dict[str, Any]) -> dict[str, Any]:
        """What it is afterwards. Raises ValueError for an unknown name."""
        unknown = set(body) - {each.name for each in fields(self)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name, value in body.items():
            setattr(self, name, float(value) if name == "delay" else bool(value))
        return asdict(self)
