"""Grants as families of tokens: what one consent has brought forth. Hashes only; the provider decides who gets what."""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from simulators.ledger import digest
from simulators.oauth.reuse import ReuseReports

_SPENT_KEPT = 200


@dataclass
class Family:
    """Refresh tokens (hash -> issued at), oldest first, of which the last is the newest; `spent`: those that have been
    traded for another. Access tokens (hash -> expires at). `opened`, `used`: when consented to, when last renewed."""

    id: str
    user: str
    client_id: str
    scopes: tuple[str, ...]
    opened: float
    used: float
    refresh: dict[str, float] = field(default_factory=dict)
    access: dict[str, float] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)  # how the person signed in, as far as the provider asks later

    @property
    def newest(self) -> str:
        return next(reversed(self.refresh), "")


class Families:
    """`file`, when set, keeps them over a restart, with the scopes each user has consented to."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.all: dict[str, Family] = {}
        self.consents: dict[tuple[str, str], set[str]] = {}
        self.reuse_reports = ReuseReports()
        self.file: Path | None = None
        self._by_token: dict[str, Family] = {}

    # -- giving -------------------------------------------------------------------------------------------------

    def open(self, user: str, client_id: str, scopes: tuple[str, ...]) -> Family:
        family = Family(secrets.token_hex(8), user, client_id, scopes, self.now(), self.now())
        self.all[family.id] = family
        return family

    def add_refresh(self, family: Family, token: str) -> str:
        family.refresh[digest(token)] = self.now()
        self._by_token[digest(token)] = family
        self.save()
        return token

    def add_access(self, family: Family, token: str, seconds: float) -> str:
        family.access = {key: ends for key, ends in family.access.items() if ends > self.now()}
        family.access[digest(token)] = self.now() + seconds
        family.used = self.now()
        self._by_token[digest(token)] = family
        self.save()
        return token

    # -- looking ------------------------------------------------------------------------------------------------

    def whose(self, token: str) -> Family | None:
        """The family of any token it ever had, as long as it lives."""
        return self._by_token.get(digest(token)) if token else None

    def of_refresh(self, token: str) -> Family | None:
        family = self.whose(token)
        return family if family and digest(token) in family.refresh else None

    def of_access(self, token: str) -> Family | None:
        """None where it has run out."""
        family = self.whose(token)
        return family if family and family.access.get(digest(token), 0) > self.now() else None

    def of_user(self, user: str, client_id: str = "") -> list[Family]:
        """Oldest first."""
        return [f for f in self.all.values() if f.user == user and client_id in ("", f.client_id)]

    def living(self) -> list[dict[str, str]]:
        """For the ledger: every grant that can be renewed."""
        return [{"grant": f.id, "subject": f.user, "refresh": f.newest} for f in self.all.values() if f.refresh]

    # -- ending -------------------------------------------------------------------------------------------------

    def is_reused(self, token: str, kills: bool) -> bool:
        """Reports a refresh token that was traded before; True where that has just ended its family."""
        family = self.of_refresh(token)
        if family is None or digest(token) not in family.spent:
            return False
        self.reuse_reports.add(token, family.user, family.client_id, family.id, kills)
        if kills:
            self.end(family)
        return kills

    def spend(self, family: Family, token: str) -> None:
        """It has been traded for a newer one; whether it still works is the provider's affair."""
        family.spent = [*family.spent[-_SPENT_KEPT:], digest(token)]

    def drop_refresh(self, family: Family) -> None:
        """Silently: access tokens live on until they run out."""
        for key in family.refresh:
            self._by_token.pop(key, None)
        family.refresh.clear()
        self.save()

    def end(self, family: Family) -> None:
        self.all.pop(family.id, None)
        for key in (*family.refresh, *family.access):
            self._by_token.pop(key, None)
        self.save()

    def withdraw(self, user: str, client_id: str) -> int:
        """The person's consent, and with it every grant; how many."""
        mine = self.of_user(user, client_id)
        for family in mine:
            self.end(family)
        for key in [key for key in self.consents if key[0] == user and client_id in ("", key[1])]:
            del self.consents[key]
        self.save()
        return len(mine)

    def expire_access(self) -> int:
        count = sum(len(family.access) for family in self.all.values())
        for family in self.all.values():
            family.access = dict.fromkeys(family.access, 0.0)
        self.save()
        return count

    def clear(self) -> None:
        for family in list(self.all.values()):
            self.end(family)
        self.consents.clear()
        self.save()

    # -- over a restart -----------------------------------------------------------------------------------------

    def save(self) -> None:
        if self.file is None:
            return
        body = {
            "families": [asdict(family) for family in self.all.values()],
            "consents": [[*key, sorted(scopes)] for key, scopes in self.consents.items()],
        }
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps(body))
        temporary.replace(self.file)

    def load(self, file: Path) -> None:
        self.file = file
        body: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        for entry in body.get("families", []):
            family = Family(**{**entry, "scopes": tuple(entry["scopes"])})
            self.all[family.id] = family
            self._by_token |= dict.fromkeys((*family.refresh, *family.access), family)
        for user, client_id, scopes in body.get("consents", []):
            self.consents[(user, client_id)] = set(scopes)
