"""Microsoft's OAuth 2.0 and OpenID Connect, version 2.0 endpoints, for work and school accounts (C1, C10, C64).

Sources, all at learn.microsoft.com/entra/identity-platform: `v2-oauth2-auth-code-flow`, `v2-protocols-oidc`,
`refresh-tokens` (each use gives a new one, the old one stays valid; 90 days), `scopes-oidc`,
`id-token-claims-reference` (tid, oid), and `reference-error-codes`: react to `error`; the AADSTS numbers may change, so
they only choose the sentence, and spare a grant where a number that we know stands for passing trouble."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from providers import openid
from providers.base import Account, Secret
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError, RateLimited, Transient
from providers.http import Session
from providers.microsoft.hosts import HOSTS
from providers.oauth import Server

TENANT = "organizations"  # any directory; private accounts are not asked for
_BASE = {
    "openid": "To know which Microsoft account this is",
    "profile": "To show you the name of that account",
    "email": "To show you the address of that account",
    "offline_access": "To stay connected, and to work in the background for you",
    "User.Read": "To check that the connection still works",
}
#: The narrowest that read messages, and that read and write events (C64).
_FEATURES = {
    "email": {"Mail.Read": "To read your mail, so that it can be logged in Salesforce; it cannot change it"},
    "calendar": {"Calendars.ReadWrite": "To read and write your appointments, so that they match Salesforce"},
}
_PURPOSES = {scope.lower(): why for scopes in (_BASE, *_FEATURES.values()) for scope, why in scopes.items()}
#: Short names are Graph's; answers may spell them out, in any case (keeper.sh pull 644 cites both examples).
_GRAPH = re.compile(
    r"(?:https://(?:graph\.microsoft\.(?:com|us)|microsoftgraph\.chinacloudapi\.cn)/|00000003-0000-0000-c000-000000000000/)(?=[a-z])"
)
#: `offline_access` is never echoed, the other three not always; whoever consents to anything consents to these four.
_NOT_ECHOED = frozenset({"openid", "profile", "email", "offline_access"})
_COVERED_BY = {
    "mail.read": ("mail.readwrite",),
    "calendars.readwrite": ("calendars.readwrite.shared",),
    "user.read": ("user.readwrite",),
}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AADSTS = re.compile(r"aadsts(\d{4,9})", re.ASCII)
_PROBE = "/v1.0/me?$select=id"

_ENDED = "Microsoft no longer accepts the connection; please sign in again."
_SIGN_IN = "Your organization asks you to sign in at Microsoft again, with all its checks."
_CODE = "The sign-in took too long or was used twice; please start again."
_BLOCKED = "A sign-in rule of your organization (Conditional Access) does not allow this; ask its administrator."
_APPROVAL = "Your organization's administrator must approve this app at Microsoft first."
_OTHER_DIRECTORY = "This account does not belong to an organization that may use this app; choose a work account."
#: AADSTS number -> code for the doctor, sentence. What Microsoft wrote is never echoed.
_REASONS = {
    **dict.fromkeys((50173, 50132, 50133, 70043), ("signed_out", "The password was changed or the sign-in ended.")),
    **dict.fromkeys((700082, 70008, 700084), ("inactive", "The connection was not used for too long and has expired.")),
    **dict.fromkeys((50055, 50144), ("password_expired", "Your password at Microsoft has expired.")),
    **dict.fromkeys((50057, 50034, 51004), ("account_gone", "Your Microsoft account is switched off or gone.")),
    **dict.fromkeys((50072, 50074, 50076, 50078, 50079, 50158, 50097), ("sign_in_again", _SIGN_IN)),
    **dict.fromkeys((53000, 53001, 53002, 53003, 50131, 530035), ("conditional_access", _BLOCKED)),
    **dict.fromkeys((65001, 65004), ("consent", "The consent at Microsoft is missing or was withdrawn.")),
    **dict.fromkeys((90093, 90094, 90095, 90097), ("admin_approval", _APPROVAL)),
    50105: ("not_assigned", "Your organization has not assigned this app to you; ask its administrator."),
    **dict.fromkeys((50020, 50002, 500021, 500022, 500212, 500213, 500208, 16000), ("tenant", _OTHER_DIRECTORY)),
    54005: ("code_refused", _CODE),
    501481: ("code_refused", "The sign-in could not be matched to this browser; please start again."),
}
_ADMINISTRATOR = "an administrator must check the app's set-up."
_CLIENT_REASONS = {
    **dict.fromkeys(
        (700016, 70001, 700011, 500011, 650052, 650056, 650057),
        ("client_unknown", f"Microsoft does not know this app in your organization; {_ADMINISTRATOR}"),
    ),
    **dict.fromkeys(
        (7000215, 70002, 7000218),
        ("client_secret", f"Microsoft does not accept this app's secret; {_ADMINISTRATOR}"),
    ),
    7000222: ("client_secret_expired", "This app's secret has expired at Microsoft; an administrator must renew it."),
    7000112: ("client_disabled", f"This app has been disabled at Microsoft; {_ADMINISTRATOR}"),
    50194: ("client_single_tenant", f"The app is open to its own organization only; {_ADMINISTRATOR}"),
    50011: ("redirect_uri", "Microsoft does not know this address of ours; an administrator must register it."),
}
#: Passing trouble, some of it under `invalid_grant`: 50196 means too many equal requests, not a dead grant.
_PASSING = {50196: 300.0, 90055: 60.0, **dict.fromkeys((90033, 50033, 50087, 50088, 50166, 70012, 90006), 30.0)}
_DEAD = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
_BAD_CLIENT = frozenset({"invalid_client", "unauthorized_client", "invalid_resource"})


class MicrosoftOAuth(openid.OpenIdOAuth):
    """See `providers.protocol.OAuth`. `revokeSignInSessions` would sign the person out everywhere: it is no way to end
    one grant, so he is told where he does it himself."""

    name = "microsoft"
    label = "Microsoft"
    revokes = False
    ending_advice = (
        "Microsoft lets nobody end a single connection from outside. What we held is deleted; to withdraw the consent "
        "too, open https://myapps.microsoft.com, find this app, Manage your application, Revoke permissions."
    )

    def metadata_url(self, login_url: str) -> str:
        """`v2-protocols-oidc`, "OpenID configuration document URI": below the directory; above it there is none."""
        return super().metadata_url(f"{login_url.rstrip('/')}/{TENANT}/v2.0")

    def scopes_for(self, features: Collection[str]) -> tuple[str, ...]:
        wanted = [scope for feature, scopes in _FEATURES.items() if feature in features for scope in scopes]
        return (*_BASE, *wanted)

    def purpose_of(self, scope: str) -> str:
        return _PURPOSES.get(_plain(scope), "Granted by Microsoft, not used by us")

    def missing(self, wanted: Collection[str], granted: Collection[str]) -> tuple[str, ...]:
        held = _NOT_ECHOED | {_plain(scope) for scope in granted}

        def is_held(scope: str) -> bool:
            name = _plain(scope)
            return name in held or any(wider in held for wider in _COVERED_BY.get(name, ()))

        return tuple(scope for scope in wanted if not is_held(scope))

    def revoke(self, server: Server, token: Secret, http: Session) -> None:
        raise NotImplementedError("Microsoft does not revoke single grants; see `revokes` and `ending_advice`")

    def _proof_url(self, api_url: str, origins: Collection[str]) -> str:
        """What a 401 says beside (the `claims` challenge of continuous access evaluation) goes nowhere."""
        return HOSTS.api_url(api_url, origins) + _PROBE

    def _names(self, claims: Mapping[str, Any], subject: str) -> bool:
        """Graph's `id` of a user is his `oid` (`id-token-claims-reference`); which directory, it does not say."""
        person = openid.text_of(claims, "id").lower()
        return _GUID.fullmatch(person) is not None and subject.rpartition(".")[2] in ("", person)

    def _login_url(self, text: str, origins: Collection[str]) -> str:
        return HOSTS.login_url(text, origins)

    def _discover(self, login_url: str, http: Session) -> Server:
        """The issuer of `organizations` is a pattern: each directory's own id stands for {tenantid}."""
        issuer, origins = f"{login_url}/{{tenantid}}/v2.0", http.settings.origins
        found = self._metadata_of(login_url, issuer, http)
        userinfo = HOSTS.endpoint(found.get("userinfo_endpoint"), login_url, origins)
        page = HOSTS.endpoint(found.get("authorization_endpoint"), login_url, origins, is_page=True)
        return Server(
            login_url=login_url,
            issuer=issuer,
            authorization_endpoint=page,
            token_endpoint=HOSTS.endpoint(found.get("token_endpoint"), login_url, origins),
            revocation_endpoint="",
            announces_iss=found.get("authorization_response_iss_parameter_supported") is True,
            api_url="/".join(userinfo.split("/")[:3]),
        )

    def _issued(self, server: Server, claims: Mapping[str, Any]) -> bool:
        tenant = openid.text_of(claims, "tid").lower()
        own = server.issuer.replace("{tenantid}", tenant)
        return _GUID.fullmatch(tenant) is not None and openid.text_of(claims, "iss").lower() == own

    def _account_of(self, claims: Mapping[str, Any]) -> Account | None:
        """`oid` within `tid` names a person for good. The address is what his directory says: shown, never trusted."""
        tenant, person = (openid.text_of(claims, name).lower() for name in ("tid", "oid"))
        if not (_GUID.fullmatch(tenant) and _GUID.fullmatch(person)):
            return None
        email = openid.text_of(claims, "preferred_username") or openid.text_of(claims, "email")
        return Account(f"{tenant}.{person}", openid.text_of(claims, "name"), email, tenant)

    def _verdict_on(self, error: str, said: str) -> ProviderError | None:
        number = _number(said)
        if number in _PASSING:
            text = "Microsoft's sign-in service is busy just now."
            return Transient(text, provider=self.name, retry_after=_PASSING[number])
        if error in _BAD_CLIENT or number in _CLIENT_REASONS:
            code, text = _CLIENT_REASONS.get(number, ("client_refused", str(self._client_refused())))
            return PermissionMissing(text, provider=self.name, code=code)
        if error in _DEAD:
            code, text = _REASONS.get(number, ("ended", _ENDED))
            return NeedsReconnect(text, provider=self.name, code=code)
        if error == "slow_down":
            return RateLimited("Microsoft asks us to sign in less often.", provider=self.name)
        return None


OAUTH = MicrosoftOAuth()


def _plain(scope: str) -> str:
    return _GRAPH.sub("", scope.lower(), count=1)


def _number(said: str) -> int:
    match = _AADSTS.search(said)
    return int(match[1]) if match else 0
