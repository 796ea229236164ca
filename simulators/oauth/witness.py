"""Writes one exchange with a token family into the ledger: a refresh token presented, an access token used."""

import time

from simulators.front import Form
from simulators.ledger import Ledger, Refresh, digest
from simulators.oauth.families import Families


class Witness:
    """Made before the exchange is answered, since a re-use ends the family that it belongs to."""

    def __init__(self, ledger: Ledger, families: Families, path: str, form: Form, bearer: str) -> None:
        self.ledger, self.path = ledger, path
        self.entry: Refresh | None = None
        refreshing = form.get("grant_type") == "refresh_token"
        self.token = form.get("refresh_token" if refreshing else "token", "") or bearer
        self.family = families.whose(self.token)
        self.spent = self.family is not None and self.family.newest != digest(self.token)
        if refreshing:
            ids = (self.family.id, self.family.user) if self.family else ("", "")
            self.entry = ledger.presented(self.token, *ids)

    def answered(self, status: int, *, carried_out: bool) -> None:
        if self.entry is None:
            if self.token and self.family:
                self.ledger.used(self.path, status, self.family.id, self.family.user, self.token)
            return
        verdict = "renewed" if status == 200 else "reuse" if self.spent else "refused"
        self.entry.outcome = verdict if carried_out else "fault"
        self.entry.issued = self.family.newest if self.family else ""

    def done(self, *, delivered: bool) -> None:
        if self.entry is not None:
            self.entry.ended, self.entry.delivered = time.time(), delivered
