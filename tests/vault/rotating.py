"""A token endpoint that rotates refresh tokens and ends the family on re-use, as Salesforce does, over a faulty server.

For faults at exact moments; the well-meaning Salesforce is simulators/salesforce."""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from simulators.ledger import Ledger, Refresh, digest
from tests.providers.faulty import Faulty, Handler, Seen

ORG, USER = "00D000000000001EAA", "005000000000001AAA"
GRANT = "the grant"


@dataclass
class Rotating:
    """`meanwhile` runs after the tokens were rotated and before the answer leaves; `instead` replaces the answer."""

    server: Faulty
    rotates: bool = True
    refresh_token: str = field(default_factory=lambda: f"rt0.{secrets.token_hex(24)}")
    access_token: str = field(default_factory=lambda: f"at0.{secrets.token_hex(24)}")
    alive: bool = True
    refreshes: int = 0
    reuses: int = 0
    delay: float = 0.0
    meanwhile: Callable[[], None] = lambda: None
    instead: Callable[[Handler], None] | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    _spent: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.issued += [self.refresh_token, self.access_token]
        self.server.behave = self._behave

    @property
    def identity(self) -> str:
        return f"{self.server.url}/id/{ORG}/{USER}"

    @property
    def person(self) -> dict[str, str]:
        """What userinfo says of him whose token it is."""
        return {"sub": self.identity, "user_id": USER, "organization_id": ORG}

    def _behave(self, handler: Handler) -> None:
        seen = self.server.seen[-1]
        if seen.path == "/services/oauth2/userinfo":
            bearer = seen.headers.get("Authorization", "").removeprefix("Bearer ")
            status = 200 if self.alive and bearer == self.access_token else 403
            self.ledger.used(seen.path, status, GRANT, USER, bearer)
            handler.answer(status, self.person if status == 200 else b"Bad_OAuth_Token")
        elif seen.path == "/services/oauth2/revoke":
            self._revoke(handler, _field(seen, "token"))
        elif seen.path == "/services/oauth2/token":
            self._refresh(handler, seen)
        else:
            handler.answer(404, {})

    def _revoke(self, handler: Handler, token: str) -> None:
        self.revoked.append(token)
        self.ledger.used("/services/oauth2/revoke", 200, GRANT, USER, token)
        self.alive = self.alive and token != self.refresh_token
        handler.answer(200, {})

    def _refresh(self, handler: Handler, seen: Seen) -> None:
        with self._lock:
            self.refreshes += 1
            presented = _field(seen, "refresh_token")
            entry = self.ledger.presented(presented, GRANT, USER)
            refused = self._refusal(presented)
            body = refused or self._rotate()
            self._note(entry, presented, body)
        time.sleep(self.delay)
        self.meanwhile()
        if self.instead and not refused:
            self.instead(handler)
        else:
            handler.answer(400 if refused else 200, body)
        entry.ended, entry.delivered = time.time(), not self.instead

    def _note(self, entry: Refresh, presented: str, body: dict[str, Any]) -> None:
        """Into the ledger; a behaviour that a test has put in place of rotation answers without a token."""
        refused = "reuse" if presented in self._spent else "refused"
        entry.outcome = "renewed" if body.get("access_token") else refused if "error" in body else "fault"
        entry.issued = digest(self.refresh_token) if self.alive else ""

    def living(self) -> list[dict[str, str]]:
        """For the ledger: the grant, while a refresh token renews it."""
        return [{"grant": GRANT, "subject": USER, "refresh": digest(self.refresh_token)}] if self.alive else []

    def _refusal(self, presented: str) -> dict[str, str]:
        if presented != self.refresh_token:
            self.reuses += 1
            self.alive = False
        if self.alive:
            return {}
        return {"error": "invalid_grant", "error_description": "expired access/refresh token"}

    def _rotate(self) -> dict[str, Any]:
        self.access_token = f"at{self.refreshes}.{secrets.token_hex(24)}"
        body: dict[str, Any] = {"access_token": self.access_token, "instance_url": self.server.url, "id": self.identity}
        if self.rotates:
            self._spent.append(self.refresh_token)
            self.refresh_token = f"rt{self.refreshes}.{secrets.token_hex(24)}"
            body["refresh_token"] = self.refresh_token
        self.issued += [self.refresh_token, self.access_token]
        return {**body, "token_type": "Bearer", "issued_at": "1760000000000", **self.changes}


def _field(seen: Seen, name: str) -> str:
    return parse_qs(seen.body.decode())[name][0]


def cut(handler: Handler) -> None:
    """Break the connection off without an answer."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def page(handler: Handler) -> None:
    handler.answer(200, b"<html>Maintenance</html>", {"Content-Type": "text/html"})
