"""The state of the simulated Microsoft: who has which grant in which tenant, and mail. Knows no HTTP framework."""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict
from typing import Any

from simulators.ledger import digest
from simulators.microsoft.accounts import GRAPH, GRAPH_ID, Account, App, Tenant, account_for, people, tenants
from simulators.microsoft.mail.boxes import Boxes
from simulators.oauth.browsing import Code
from simulators.oauth.changes import change
from simulators.oauth.families import Family
from simulators.oauth.modes import Mode
from simulators.oauth.provider import Provider
from simulators.oauth.signing import Signer
from simulators.people import Person

#: learn.microsoft.com/entra/identity-platform/refresh-tokens#token-lifetime
REFRESH_SECONDS = 90 * 86_400.0
_REFRESH_KEPT = 50
#: Authorities that are no tenant.
MANY = ("common", "organizations", "consumers")


class Microsoft(Provider):
    places = "tenants"

    def __init__(self, signer: Signer, app: App) -> None:
        super().__init__(signer)
        self.graph_url = ""
        self.boxes = Boxes(self.clock.now)
        self._first_app = asdict(app)
        self.restore()

    def first_mode(self) -> Mode:
        """Refresh tokens replace themselves with a fresh token upon every use. The Microsoft identity platform
        does not revoke old ones (learn.microsoft.com/entra/identity-platform/refresh-tokens)."""
        return Mode(rotate=True, reuse_kills_family=False)

    def restore(self) -> None:
        super().restore()
        self.accounts, self.tenants = people(), tenants()
        self.by_oid = {account.oid: account for account in self.accounts.values()}
        app = App(**self._first_app)
        self.apps = {app.client_id: app}
        self.end_grants_of_nobody()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What may stand before a scope of Graph."""
        return GRAPH, f"{self.graph_url}/"

    # -- what a test sees and changes -----------------------------------------------------------------------------

    def account_of(self, user: str) -> Account | None:
        return self.by_oid.get(user)

    def account_named(self, name: str) -> Account | None:
        name = name.strip().lower()
        return next((a for a in self.accounts.values() if name in (a.key, a.email, a.oid)), None)

    def tenant_named(self, name: str) -> Tenant | None:
        """By id or domain."""
        return next((tenant for tenant in self.tenants.values() if tenant.is_called(name)), None)

    def settings(self) -> dict[str, Any]:
        return {
            "users": [asdict(account) | {"password": ""} for account in self.accounts.values()],
            "tenants": [asdict(tenant) for tenant in self.tenants.values()],
            "apps": [asdict(app) | {"client_secret": ""} for app in self.apps.values()],
        }

    def change_place(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        tenant = self.tenant_named(name)
        if tenant is None:
            raise KeyError(f"no tenant {name}")
        return change(tenant, body)

    def change_app(self, body: dict[str, Any]) -> str:
        known = self.apps.get(body["client_id"])
        if known:
            change(known, body)
        else:
            self.apps[body["client_id"]] = App(**body)
        return str(body["client_id"])

    def change_user(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """`withdraw`: consent, at myapps. `revoke`: revokeSignInSessions, as a new `password` does too."""
        account = self.account_named(name)
        if account is None:
            raise KeyError(f"no user {name}")
        if body.get("revoke") or "password" in body:
            account.valid_from = self.clock.now()
        if body.get("withdraw"):
            self.withdraw(account.oid)
        return change(account, {k: v for k, v in body.items() if k not in ("withdraw", "revoke")})

    def hire(self, person: dict[str, Any]) -> str:
        made = account_for(Person(**person))
        self.accounts[made.key] = self.by_oid[made.oid] = made
        return made.oid

    def withdraw(self, user: str, client_id: str = "") -> int:
        """Tokens stay; the next refresh is told that consent is missing."""
        consents = self.families.consents
        for key in [key for key in consents if key[0] == user and client_id in ("", key[1])]:
            del consents[key]
        self.families.save()
        return 0

    # -- mail -----------------------------------------------------------------------------------------------------

    def mail(self, method: str, user: str, word: str, body: dict[str, Any]) -> tuple[int, Any]:
        account = self.account_named(user)
        if account is None:
            raise KeyError(f"no user {user}")
        return self.boxes.handle(method, account, word, body)

    def push(self, body: dict[str, Any]) -> tuple[int, Any]:
        return 200, self.boxes.notices.change(body)

    def restore_mail(self) -> None:
        self.boxes.restore()

    def mail_state(self) -> dict[str, Any]:
        return {account.key: self.boxes.told(self.boxes.of(account)) for account in self.accounts.values()}

    # -- consents and grants --------------------------------------------------------------------------------------

    def consented(self, account: Account, client_id: str) -> set[str]:
        """By himself, or by an administrator for the whole tenant."""
        consents = self.families.consents
        return consents.get((account.oid, client_id), set()) | consents.get((account.tid, client_id), set())

    def consent(self, who: str, client_id: str, scopes: tuple[str, ...]) -> None:
        """`who`: an object id, or the id of a tenant."""
        self.families.consents.setdefault((who, client_id), set()).update(scopes)
        self.families.save()

    def new_code(self, code: Code) -> str:
        text = "1.A" + secrets.token_urlsafe(180)
        self.codes[digest(text)] = code
        return text

    def new_refresh(self, family: Family) -> str:
        token = self.families.add_refresh(family, "1.A" + secrets.token_urlsafe(240))
        for old in list(family.refresh)[:-_REFRESH_KEPT]:
            del family.refresh[old]
        return token

    def new_access(self, family: Family, account: Account, seconds: int) -> str:
        """A JWT for Graph, as there; whoever else reads it does so at his own risk."""
        now = int(self.clock.told())
        scopes = " ".join(scope for scope in family.scopes if scope != "offline_access")
        claims = {"aud": GRAPH_ID, "iss": f"{self.api_url}/{account.tid}/v2.0", "iat": now, "nbf": now}
        claims |= {"exp": now + seconds, "appid": family.client_id, "oid": account.oid, "scp": scopes}
        claims |= {"tid": account.tid, "upn": account.email, "uti": secrets.token_urlsafe(16), "ver": "1.0"}
        return self.families.add_access(family, self.signer.sign(claims), seconds)

    def grant_of(self, access: str) -> tuple[Account, Family] | None:
        """Whose living access token this is. It outlives a revoked session: nothing but its time ends it."""
        family = self.families.of_access(access)
        account = self.by_oid.get(family.user) if family else None
        return (account, family) if family and account else None

    # -- what is told of a person ---------------------------------------------------------------------------------

    def id_token(self, account: Account, client_id: str, scopes: tuple[str, ...], nonce: str) -> str:
        now = int(self.clock.told())
        claims: dict[str, Any] = {"aud": client_id, "iss": f"{self.api_url}/{account.tid}/v2.0"}
        claims |= {"iat": now, "nbf": now, "exp": now + 3900, "rh": "1.A" + secrets.token_urlsafe(24)}
        if "email" in scopes:
            claims["email"] = account.email
        if "profile" in scopes:
            claims |= {"name": account.name, "oid": account.oid, "preferred_username": account.email}
        if nonce:
            claims["nonce"] = nonce
        sub = self.pairwise(account, client_id)
        return self.signer.sign(
            {**claims, "sub": sub, "tid": account.tid, "uti": secrets.token_urlsafe(16), "ver": "2.0"}
        )

    def pairwise(self, account: Account, client_id: str) -> str:
        """The subject: another one for each client."""
        raw = hashlib.sha256(f"{account.oid}:{client_id}".encode()).digest()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def client_info(self, account: Account) -> str:
        body = json.dumps({"uid": account.oid, "utid": account.tid}).encode()
        return base64.urlsafe_b64encode(body).rstrip(b"=").decode()
