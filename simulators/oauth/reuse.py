"""Used-up refresh tokens that were presented again: what a provider's risk engine would see."""

import time
from typing import Any

from simulators.oauth.proofs import fingerprint


class ReuseReports(list[dict[str, Any]]):
    """In order; each with at, user, client_id, family, token (a fingerprint) and killed (the family ended)."""

    def add(self, token: str, user: str, client_id: str, family: str, killed: bool) -> None:
        self.append(
            {
                "at": time.time(),
                "user": user,
                "client_id": client_id,
                "family": family,
                "token": fingerprint(token),
                "killed": killed,
            }
        )
