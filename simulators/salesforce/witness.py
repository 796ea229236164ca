"""Writes one exchange into the org's ledger: a refresh token presented, an access token used, a grant revoked."""

import time
from typing import TYPE_CHECKING

from simulators.ledger import Refresh, digest

if TYPE_CHECKING:
    from simulators.salesforce.web import Exchange


class Witness:
    """Made before the exchange is answered, since a re-use ends the grant that it belongs to."""

    def __init__(self, exchange: "Exchange") -> None:
        self.path, self.spent = exchange.path, False
        self.entry: Refresh | None = None
        form = exchange.form() if self.path.endswith(("/oauth2/token", "/oauth2/revoke")) else {}
        self.token = form.get("token" if self.path.endswith("/revoke") else "refresh_token", "") or exchange.bearer
        orgs = exchange.host.orgs
        self.org = next((org for org in orgs if self.token and org.grants.whose(self.token)), orgs[0])
        self.grant = self.org.grants.whose(self.token) if self.token else None
        if form.get("grant_type") == "refresh_token":
            ids = (self.grant.id, self.grant.user_id) if self.grant else ("", "")
            self.entry = self.org.ledger.presented(self.token, *ids)
            self.spent = self.grant is not None and self.grant.refresh != digest(self.token)

    def answered(self, status: int, *, carried_out: bool) -> None:
        if self.entry is None:
            if self.token and self.grant:
                self.org.ledger.used(self.path, status, self.grant.id, self.grant.user_id, self.token)
            return
        verdict = "renewed" if status == 200 else "reuse" if self.spent else "refused"
        self.entry.outcome = verdict if carried_out else "fault"
        self.entry.issued = (self.grant.refresh or "") if self.grant else ""

    def done(self, *, delivered: bool) -> None:
        if self.entry is not None:
            self.entry.ended, self.entry.delivered = time.time(), delivered
