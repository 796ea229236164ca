"""Codes, access and refresh tokens of an org. Tokens are kept as hashes only; idle access tokens die."""

import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simulators.ledger import digest
from simulators.oauth.reuse import ReuseReports


@dataclass
class Code:
    user_id: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str | None
    site: bool
    expires: float


@dataclass
class Grant:
    """One person's consent to one app: the living refresh token, those it replaced, and its access tokens."""

    id: str
    user_id: str
    client_id: str
    scopes: tuple[str, ...]
    site: bool
    refresh: str | None = None
    spent: list[str] = field(default_factory=list)
    access: dict[str, float] = field(default_factory=dict)  # hash -> last used


class Grants:
    """`file`, when set, keeps the grants over a restart (hashes, never tokens)."""

    def __init__(self) -> None:
        self.grants: dict[str, Grant] = {}
        self.codes: dict[str, Code] = {}
        self.approvals: dict[tuple[str, str], set[str]] = {}
        self.file: Path | None = None
        self.reuse_reports = ReuseReports()
        self._by_token: dict[str, Grant] = {}

    # -- codes --------------------------------------------------------------------------------------------------

    def new_code(self, code: Code) -> str:
        text = "aPrx" + secrets.token_urlsafe(48)
        self.codes[digest(text)] = code
        return text

    def take_code(self, text: str) -> Code | None:
        """A code works once, and for 15 minutes."""
        code = self.codes.pop(digest(text), None)
        return code if code and code.expires > time.time() else None

    # -- tokens -------------------------------------------------------------------------------------------------

    def open(self, code: Code, org_id: str, most: int) -> tuple[str, str | None]:
        """A new grant's access and refresh token. Beyond `most` per user and app the oldest is silently revoked."""
        same = [g for g in self.grants.values() if (g.user_id, g.client_id) == (code.user_id, code.client_id)]
        for old in same[: max(0, len(same) - most + 1)]:
            self.revoke(old)
        grant = Grant(secrets.token_hex(8), code.user_id, code.client_id, code.scopes, code.site)
        self.grants[grant.id] = grant
        refresh = None
        if {"refresh_token", "offline_access", "full"} & set(code.scopes):
            refresh = self._new_refresh(grant)
        return self.new_access(grant, org_id), refresh

    def new_access(self, grant: Grant, org_id: str) -> str:
        token = f"{org_id[:15]}!AQ8AQ{secrets.token_urlsafe(66).replace('-', '.')}"
        grant.access[digest(token)] = time.time()
        self._by_token[digest(token)] = grant
        self.save()
        return token

    def _new_refresh(self, grant: Grant) -> str:
        token = "5Aep861" + secrets.token_urlsafe(60).replace("-", ".")
        grant.refresh = digest(token)
        self._by_token[digest(token)] = grant
        return token

    def renew(self, token: str, org_id: str, rotates: bool, kills: bool) -> tuple[Grant, str, str | None] | None:
        """A fresh access token, and with rotation a fresh refresh token. A spent one is reported, and with `kills`
        ends the whole grant."""
        grant = self._by_token.get(digest(token))
        if grant is None or digest(token) in grant.access:
            return None
        if digest(token) != grant.refresh:
            self.reuse_reports.add(token, grant.user_id, grant.client_id, grant.id, kills)
            if kills:
                self.revoke(grant)
                return None
        refresh = None
        if rotates:
            grant.spent = [*grant.spent[-50:], *([grant.refresh] if grant.refresh else [])]
            refresh = self._new_refresh(grant)
        return grant, self.new_access(grant, org_id), refresh

    def grant_of_access(self, token: str, idle_seconds: float) -> Grant | None:
        """The grant of a living access token; each use starts its idle time anew."""
        key = digest(token)
        grant = self._by_token.get(key)
        used = grant.access.get(key) if grant else None
        if grant is None or used is None:
            return None
        if time.time() - used > idle_seconds:
            del grant.access[key]
            return None
        grant.access[key] = time.time()
        return grant

    def find(self, token: str) -> Grant | None:
        grant = self._by_token.get(digest(token))
        living = grant and (digest(token) == grant.refresh or digest(token) in grant.access)
        return grant if living else None

    def whose(self, token: str) -> Grant | None:
        """The grant of any token it ever had, spent ones too, as long as it lives."""
        return self._by_token.get(digest(token))

    def living(self) -> list[dict[str, str]]:
        """For the ledger: every grant that can be renewed."""
        return [{"grant": g.id, "subject": g.user_id, "refresh": g.refresh} for g in self.grants.values() if g.refresh]

    def revoke_token(self, token: str) -> bool:
        """A refresh token takes its access tokens with it; an access token goes alone."""
        grant = self.find(token)
        if grant is None:
            return False
        if digest(token) == grant.refresh or grant.refresh is None:
            self.revoke(grant)
        else:
            del grant.access[digest(token)]
            self.save()
        return True

    def revoke(self, grant: Grant) -> None:
        grant.access.clear()
        grant.refresh = None
        self.grants.pop(grant.id, None)
        for key in [k for k, g in self._by_token.items() if g is grant]:
            del self._by_token[key]
        self.save()

    def revoke_user(self, user_id: str) -> int:
        mine = [grant for grant in self.grants.values() if grant.user_id == user_id]
        for grant in mine:
            self.revoke(grant)
        return len(mine)

    def expire_access(self) -> int:
        """All access tokens invalid, as after two idle hours; refresh tokens live on."""
        count = sum(len(grant.access) for grant in self.grants.values())
        for grant in self.grants.values():
            grant.access.clear()
        self.save()
        return count

    # -- over a restart -----------------------------------------------------------------------------------------

    def save(self) -> None:
        if self.file is None:
            return
        body = {
            "grants": [asdict(grant) for grant in self.grants.values()],
            "approvals": [[*key, sorted(scopes)] for key, scopes in self.approvals.items()],
        }
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps(body))
        temporary.replace(self.file)

    def load(self, file: Path) -> None:
        self.file = file
        body: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        for entry in body.get("grants", []):
            grant = Grant(**{**entry, "scopes": tuple(entry["scopes"])})
            self.grants[grant.id] = grant
            for key in (grant.refresh, *grant.spent, *grant.access):
                if key:
                    self._by_token[key] = grant
        for user_id, client_id, scopes in body.get("approvals", []):
            self.approvals[(user_id, client_id)] = set(scopes)
