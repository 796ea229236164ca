"""What a host that signs people in is: an org's own domain, one of its sites, or a generic login host. No routes."""

import secrets
import time
from dataclasses import dataclass, field

from simulators.clock import Clock
from simulators.faults import Faults
from simulators.front import Calls
from simulators.salesforce.oauth.apps import App
from simulators.salesforce.org import LoginHost, Org
from simulators.salesforce.profiles import User

_PENDING_SECONDS = 900


@dataclass
class Pending:
    """An authorization request on its way through login and consent."""

    client_id: str
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str | None
    prompt: str
    login_hint: str
    expires: float = field(default_factory=lambda: time.time() + _PENDING_SECONDS)
    signed_in_again: bool = False


@dataclass
class Host:
    """`prefix` is the path all of it stands below (a site's), else empty. `org` is None on a generic login host."""

    key: str
    name: str
    orgs: list[Org]
    org: Org | None
    prefix: str
    faults: Faults
    calls: Calls
    clock: Clock
    api_url: str = ""
    pages_url: str = ""
    is_site: bool = False
    announces_issuer: bool = False
    upload_cuts: list[int] = field(default_factory=list)  # bytes of the next uploads before the line is cut
    pending: dict[str, Pending] = field(default_factory=dict)
    sessions: dict[str, tuple[Org, User]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.api_url + self.prefix

    @property
    def cookie(self) -> str:
        """Cookies do not heed ports, and all hosts here are `localhost`: so each has a name of its own."""
        return f"sid_{self.key}"

    def app(self, client_id: str) -> App | None:
        return next((org.apps[client_id] for org in self.orgs if client_id in org.apps), None)

    def may_sign_in(self, user: User) -> bool:
        partner = user.profile.user_type == "PowerPartner"
        return user.active and (partner or user.may("ModifyAllData") if self.is_site else not partner)

    def members(self) -> list[tuple[Org, User]]:
        return [(org, user) for org in self.orgs for user in org.users.values() if self.may_sign_in(user)]

    def hold(self, pending: Pending) -> str:
        now = time.time()
        for key in [key for key, held in self.pending.items() if held.expires < now]:
            del self.pending[key]
        key = secrets.token_urlsafe(24)
        self.pending[key] = pending
        return key

    def held(self, key: str) -> Pending | None:
        pending = self.pending.get(key)
        return pending if pending and pending.expires > time.time() else None

    def open_session(self, org: Org, user: User) -> str:
        sid = secrets.token_urlsafe(32)
        self.sessions[sid] = (org, user)
        return sid

    def signed_in(self, sid: str | None) -> tuple[Org, User] | None:
        found = self.sessions.get(sid or "")
        return found if found and found[1].active and found[0].users.get(found[1].key) is found[1] else None


def hosts_of(orgs: list[Org], logins: list[LoginHost]) -> list[Host]:
    """All hosts; a site and its org share faults and the log of calls."""
    out = []
    for org in orgs:
        name = f"{org.name} (sandbox)" if org.plan.is_sandbox else org.name
        out.append(Host(org.key, name, [org], org, "", org.faults, org.calls, org.clock))
        if org.site:
            out.append(
                Host(
                    f"{org.key}_site",
                    f"{org.name} partners",
                    [org],
                    org,
                    org.site.prefix,
                    org.faults,
                    org.calls,
                    org.clock,
                    is_site=True,
                )
            )
    out += [
        Host(login.key, login.name, login.orgs, None, "", login.faults, login.calls, login.clock) for login in logins
    ]
    return out
