"""Browser sessions and authorization requests on their way through the pages. Knows no provider."""

import secrets
import time
from dataclasses import dataclass, field

_PENDING_SECONDS = 900
CODE_SECONDS = 600


@dataclass
class Pending:
    """An authorization request; `user` is who was chosen for it, "" before that."""

    client_id: str
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str
    prompts: frozenset[str]
    login_hint: str
    nonce: str = ""
    realm: str = ""  # hd at Google, the tenant of the address at Microsoft
    response_mode: str = "query"
    extra: dict[str, str] = field(default_factory=dict)
    user: str = ""
    expires: float = field(default_factory=lambda: time.time() + _PENDING_SECONDS)


@dataclass
class Code:
    """What a code stands for. `used`: presented once already."""

    user: str
    pending: Pending
    scopes: tuple[str, ...]
    expires: float
    used: bool = False
    family: str = ""


class Browsing:
    """Sessions hold several users, as an account chooser does; the last one signed in comes last."""

    def __init__(self) -> None:
        self.pending: dict[str, Pending] = {}
        self.sessions: dict[str, list[str]] = {}

    def hold(self, pending: Pending) -> str:
        now = time.time()
        self.pending = {key: held for key, held in self.pending.items() if held.expires > now}
        key = secrets.token_urlsafe(24)
        self.pending[key] = pending
        return key

    def held(self, key: str) -> Pending | None:
        pending = self.pending.get(key)
        return pending if pending and pending.expires > time.time() else None

    def sign_in(self, sid: str | None, user: str) -> str:
        """The session's id, a new one where there was none."""
        sid = sid if sid in self.sessions else secrets.token_urlsafe(32)
        users = self.sessions.setdefault(str(sid), [])
        if user in users:
            users.remove(user)
        users.append(user)
        return str(sid)

    def users(self, sid: str | None) -> list[str]:
        return list(self.sessions.get(sid or "", ()))

    def sign_out(self, sid: str | None) -> None:
        self.sessions.pop(sid or "", None)
