"""What a token endpoint has seen and given out, for `GET /_sim/ledger`: digests only, never a token. Decides nothing.

A test compares this with what the product holds: who presented which refresh token when, which one is the newest,
and where each access token was used."""

import hashlib
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

_KEPT = 100_000


def digest(token: str) -> str:
    """As tests compute it from a token they know."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass
class Refresh:
    """One refresh token presented. `outcome`: renewed, refused, reuse (a rotated-out one), or fault (not carried out).

    Times are Unix seconds; `ended` is None while the answer is under way, `delivered` False where the caller was gone.
    `issued` is the digest of the grant's newest refresh token after the call."""

    presented: str
    began: float
    grant: str = ""
    subject: str = ""
    outcome: str = ""
    issued: str = ""
    ended: float | None = None
    delivered: bool = False


@dataclass
class Use:
    """One call that carried an access token, or the revocation of a grant (`path` says)."""

    at: float
    path: str
    status: int
    grant: str
    subject: str
    access: str


@dataclass
class Ledger:
    refreshes: deque[Refresh] = field(default_factory=lambda: deque(maxlen=_KEPT))
    uses: deque[Use] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def presented(self, token: str, grant: str, subject: str) -> Refresh:
        entry = Refresh(digest(token), time.time(), grant, subject)
        self.refreshes.append(entry)
        return entry

    def used(self, path: str, status: int, grant: str, subject: str, token: str) -> None:
        self.uses.append(Use(time.time(), path, status, grant, subject, digest(token)))

    def clear(self) -> None:
        self.refreshes.clear()
        self.uses.clear()

    def as_json(self, living: list[dict[str, str]]) -> dict[str, Any]:
        """`living`: grants that a refresh token still renews: {"grant", "subject", "refresh": its digest}."""
        return {
            "refreshes": [asdict(entry) for entry in list(self.refreshes)],
            "uses": [asdict(entry) for entry in list(self.uses)],
            "grants": living,
        }
