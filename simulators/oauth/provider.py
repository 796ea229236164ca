"""What a simulated provider of mail accounts keeps: accounts, clients, grants, log, clock. Knows no HTTP framework."""

from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from simulators.clock import Clock
from simulators.faults import Faults
from simulators.front import new_calls
from simulators.ledger import Ledger
from simulators.oauth.browsing import Browsing, Code
from simulators.oauth.families import Families, Family
from simulators.oauth.modes import Mode
from simulators.oauth.signing import Signer


class Account(Protocol):
    """Somebody who signs in. `id` is what the provider calls him in tokens."""

    key: str
    email: str
    password: str
    active: bool

    @property
    def id(self) -> str: ...


class Provider:
    """`places`: what its administrators' settings hang on, "workspaces" or "tenants"."""

    places: ClassVar[str] = ""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.api_url = self.pages_url = ""  # set when the ports are known
        self.clock = Clock()
        self.families = Families(self.clock.now)
        self.ledger, self.browsing = Ledger(), Browsing()
        self.faults, self.calls = Faults(), new_calls()
        self.codes: dict[str, Code] = {}
        self.announces_issuer = False
        self.fixed_seconds: int | None = None  # how long access tokens live, where a test says so
        self.mode = self.first_mode()

    def first_mode(self) -> Mode:
        raise NotImplementedError

    def restore(self) -> None:
        """Settings as at the start; grants and the log stay."""
        self.mode, self.announces_issuer, self.fixed_seconds = self.first_mode(), False, None
        self.clock.reset()
        self.families.reuse_reports.clear()

    def account_of(self, user: str) -> Account | None:
        """By id."""
        raise NotImplementedError

    def account_named(self, name: str) -> Account | None:
        """By key, address or id."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Users, places and clients, for GET state; no secret."""
        raise NotImplementedError

    def change_place(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Raises KeyError for an unknown one."""
        raise NotImplementedError

    def change_app(self, body: dict[str, Any]) -> str:
        """Registers or changes a client; its id."""
        raise NotImplementedError

    def change_user(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Raises KeyError for an unknown one."""
        raise NotImplementedError

    def hire(self, person: dict[str, Any]) -> str:
        """An account more, as long as settings are not reset: {"key", "first", "last", "email"}; its id."""
        raise NotImplementedError

    def end_grants_of_nobody(self) -> None:
        """Of people who were hired and are not there any more."""
        for family in [family for family in self.families.all.values() if self.account_of(family.user) is None]:
            self.families.end(family)

    def withdraw(self, user: str, client_id: str = "") -> int:
        """The person takes his consent back at the provider, from one client or from all; how many grants end now."""
        raise NotImplementedError

    def mail(self, method: str, user: str, word: str, body: dict[str, Any]) -> tuple[int, Any]:
        """/_sim/mail/<user>/<word>: what happens in somebody's mailbox without a client; GET: what is in it. Raises
        KeyError for an unknown user, message or folder."""
        raise NotImplementedError

    def push(self, body: dict[str, Any]) -> tuple[int, Any]:
        """/_sim/push: how notices are delivered; what it is afterwards."""
        raise NotImplementedError

    def restore_mail(self) -> None:
        """Every mailbox as at the start."""

    def mail_state(self) -> dict[str, Any]:
        """By the user's key, as GET /_sim/mail/<user> tells it."""
        return {}

    def state(self) -> dict[str, Any]:
        return {
            **self.settings(),
            "mail": self.mail_state(),
            "grants": [self._told(family) for family in self.families.all.values()],
            "consents": [
                {"user": self._key(user), "client_id": client_id, "scopes": sorted(scopes)}
                for (user, client_id), scopes in self.families.consents.items()
            ],
            "reuse_reports": self.families.reuse_reports,
            "oauth": asdict(self.mode),
            "clock_ahead": self.clock.ahead,
        }

    def _told(self, family: Family) -> dict[str, Any]:
        return {
            "id": family.id,
            "user": self._key(family.user),
            "client_id": family.client_id,
            "scopes": family.scopes,
            "access_tokens": sum(ends > self.clock.now() for ends in family.access.values()),
            "refreshable": bool(family.refresh),
            "opened": family.opened,
            "used": family.used,
        }

    def _key(self, user: str) -> str:
        account = self.account_of(user)
        return account.key if account else user
