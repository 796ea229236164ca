"""The state of the simulated Google: who has which grant, how long it lives, and his mail. Knows no HTTP framework."""

import secrets
from dataclasses import asdict
from typing import Any

from simulators.google.accounts import SIGN_IN_SCOPES, Account, App, account_for, people, workspaces
from simulators.google.mail import control
from simulators.google.mail.service import Mail
from simulators.ledger import digest
from simulators.oauth.browsing import Code
from simulators.oauth.changes import change
from simulators.oauth.families import Family
from simulators.oauth.modes import Mode
from simulators.oauth.provider import Provider
from simulators.oauth.signing import Signer
from simulators.people import Person

DAY = 86_400.0
ACCESS_SECONDS = 3599
#: https://developers.google.com/identity/protocols/oauth2#expiration
TESTING_SECONDS, UNUSED_SECONDS = 7 * DAY, 182 * DAY


class Google(Provider):
    places = "workspaces"

    def __init__(self, signer: Signer, app: App) -> None:
        super().__init__(signer)
        self._first_app = asdict(app)
        self.gmail = Mail(signer, self.clock)
        self.restore()

    def first_mode(self) -> Mode:
        return Mode(rotate=False, reuse_kills_family=False)

    def restore(self) -> None:
        super().restore()
        self.accounts, self.workspaces = people(), workspaces()
        self.by_sub = {account.sub: account for account in self.accounts.values()}
        app = App(**self._first_app)
        self.apps = {app.client_id: app}
        self.end_grants_of_nobody()

    # -- what a test sees and changes -----------------------------------------------------------------------------

    def account_of(self, user: str) -> Account | None:
        return self.by_sub.get(user)

    def account_named(self, name: str) -> Account | None:
        name = name.strip().lower()
        return next((a for a in self.accounts.values() if name in (a.key, a.email, a.sub)), None)

    def settings(self) -> dict[str, Any]:
        users = self.accounts.values()
        apps = [asdict(app) | {"client_secret": ""} for app in self.apps.values()]
        return {
            "users": [asdict(account) | {"password": ""} for account in users],
            "workspaces": [asdict(each) for each in self.workspaces.values()],
            "apps": apps,
        }

    def change_place(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        return change(self.workspaces[name], body)

    def change_app(self, body: dict[str, Any]) -> str:
        known = self.apps.get(body["client_id"])
        if known:
            change(known, body)
        else:
            self.apps[body["client_id"]] = App(**body)
        return str(body["client_id"])

    def change_user(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """`withdraw`: at myaccount.google.com. A new `password` ends every grant with a Gmail scope."""
        account = self.account_named(name)
        if account is None:
            raise KeyError(f"no user {name}")
        fields = {key: value for key, value in body.items() if key != "withdraw"}
        ended = self.withdraw(account.sub) if body.get("withdraw") else 0
        if "password" in fields:
            ended += self._end_mail_grants(account)
        return change(account, fields) | {"ended": ended}

    def hire(self, person: dict[str, Any]) -> str:
        hired = Person(**person)
        made = self.accounts[hired.key] = account_for(hired, hired.domain)
        self.by_sub[made.sub] = made
        return made.sub

    def withdraw(self, user: str, client_id: str = "") -> int:
        return self.families.withdraw(user, client_id)

    def _end_mail_grants(self, account: Account) -> int:
        mine = [f for f in self.families.of_user(account.sub) if any("mail" in scope[20:] for scope in f.scopes)]
        for family in mine:
            self.families.end(family)
        return len(mine)

    # -- mail ---------------------------------------------------------------------------------------------------

    def mail(self, method: str, user: str, word: str, body: dict[str, Any]) -> tuple[int, Any]:
        account = self.account_named(user)
        if account is None:
            raise KeyError(f"no user {user}")
        return control.handle(self.gmail, account, method, word, body)

    def push(self, body: dict[str, Any]) -> tuple[int, Any]:
        return 200, control.endpoint(self.gmail, body)

    def restore_mail(self) -> None:
        self.gmail.restore()

    def mail_state(self) -> dict[str, Any]:
        return {account.key: self.gmail.of(account).told() for account in self.accounts.values()}

    # -- codes --------------------------------------------------------------------------------------------------

    def new_code(self, code: Code) -> str:
        text = "4/0A" + secrets.token_urlsafe(52)
        self.codes[digest(text)] = code
        return text

    # -- grants -------------------------------------------------------------------------------------------------

    def open(self, account: Account, app: App, scopes: tuple[str, ...], offline: bool) -> tuple[str, str]:
        """Access and refresh token of a new grant; "" for the latter without `offline`. Beyond a hundred living
        refresh tokens per account and client the oldest stops working, silently."""
        family = self.families.open(account.sub, app.client_id, scopes)
        refresh = ""
        if offline:
            living = [each for each in self.families.of_user(account.sub, app.client_id) if each.refresh]
            for old in living[: max(0, len(living) - app.most_refresh_tokens + 1)]:
                self.families.drop_refresh(old)
            refresh = self.new_refresh(family)
        return self.new_access(family), refresh

    def new_access(self, family: Family) -> str:
        return self.families.add_access(family, "ya29.a0" + secrets.token_urlsafe(120), self.access_seconds)

    def new_refresh(self, family: Family) -> str:
        return self.families.add_refresh(family, "1//0" + secrets.token_urlsafe(75))

    @property
    def access_seconds(self) -> int:
        return self.fixed_seconds or ACCESS_SECONDS

    def has_run_out(self, family: Family, app: App) -> bool:
        """Of the refresh token: a client in testing gets seven days, anybody's dies when unused for six months."""
        now = self.clock.now()
        testing = app.publishing == "testing" and not set(family.scopes) <= SIGN_IN_SCOPES
        return (testing and now - family.opened > TESTING_SECONDS) or now - family.used > UNUSED_SECONDS

    def grant_of(self, access: str) -> tuple[Account, Family] | None:
        """Whose living access token this is."""
        family = self.families.of_access(access)
        account = self.by_sub.get(family.user) if family else None
        return (account, family) if family and account and account.active else None

    # -- id tokens ----------------------------------------------------------------------------------------------

    def id_token(self, account: Account, client_id: str, scopes: tuple[str, ...], nonce: str) -> str:
        now = int(self.clock.told())
        claims: dict[str, Any] = {"iss": self.api_url, "azp": client_id, "aud": client_id, "sub": account.sub}
        claims |= {name: value for name, value in self.person(account, scopes).items() if name != "sub"}
        if nonce:
            claims["nonce"] = nonce
        return self.signer.sign({**claims, "iat": now, "exp": now + 3600})

    def person(self, account: Account, scopes: tuple[str, ...]) -> dict[str, Any]:
        """What these scopes tell of somebody."""
        told: dict[str, Any] = {"sub": account.sub}
        if any(scope.endswith("userinfo.profile") for scope in scopes):
            told |= {"name": account.name, "given_name": account.first, "family_name": account.last}
            told["picture"] = f"{self.pages_url}/a/{account.sub}=s96-c"
        if any(scope.endswith("userinfo.email") for scope in scopes):
            told |= {"email": account.email, "email_verified": True}
        if account.domain:
            told["hd"] = account.domain
        return told
