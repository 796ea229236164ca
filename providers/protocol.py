"""What the vault may ask of a provider's OAuth, whichever it is. Says nothing of how: see oauth.py and the adapters."""

from collections.abc import Collection, Sequence
from typing import Protocol

from providers.base import Account, AuthorizeRequest, Secret, TokenSet
from providers.http import Session
from providers.oauth import Client, RawAnswer, Server


class OAuth(Protocol):
    """How one provider speaks OAuth 2.0. Holds no token; every method that calls makes one request through `http`.

    `sends_unknown_again`: whether a refresh whose outcome nobody knows may be repeated at once. `revokes`: whether one
    grant can be ended by a call. `revokes_all`: whether that ends every grant of the person to our client along with it
    (Google: who revokes a token that has been replaced ends its successor too). `ending_advice`: where the person
    withdraws consent himself, "" where revoke() is enough."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def sends_unknown_again(self) -> bool: ...
    @property
    def revokes(self) -> bool: ...
    @property
    def revokes_all(self) -> bool: ...
    @property
    def ending_advice(self) -> str: ...

    def server(self, login_url: str, http: Session) -> Server:
        """The endpoints below a checked login URL. Raises HostNotAllowed, Transient."""
        ...

    def known(self, login_url: str, http: Session) -> Server | None:
        """What `server` would answer at once; None where it would have to ask. Raises HostNotAllowed."""
        ...

    def metadata_url(self, login_url: str) -> str:
        """Where a checked login URL describes itself, for anybody, without a token (OpenID Connect Discovery 4)."""
        ...

    def scopes_for(self, features: Collection[str]) -> tuple[str, ...]:
        """What to ask for: the scopes of every connection and those of "email" and "calendar". Never Drive (C64)."""
        ...

    def purpose_of(self, scope: str) -> str:
        """Why we ask for a scope, in plain words (C10)."""
        ...

    def missing(self, wanted: Collection[str], granted: Collection[str]) -> tuple[str, ...]:
        """Those of `wanted` that were not granted, compared as this provider spells them in its answers."""
        ...

    def authorize(
        self,
        server: Server,
        client: Client,
        redirect_uri: str,
        *,
        scopes: Sequence[str],
        prompt: str = "",
        login_hint: str = "",
    ) -> AuthorizeRequest:
        """Where to send the browser, with fresh `state` and PKCE verifier (256 bits each)."""
        ...

    def exchange(
        self, server: Server, client: Client, *, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
    ) -> TokenSet:
        """The authorization code for tokens. Raises NeedsReconnect (code refused), PermissionMissing, RateLimited,
        Transient. Tokens that are not for us, not for this sign-in or for a host that is not allowed come all the same,
        so that they can be ended: whoever asks whose they are meets Rejected or HostNotAllowed."""
        ...

    def refresh(self, server: Server, client: Client, refresh_token: Secret, http: Session) -> RawAnswer:
        """Ask for a new access token, once. Raises Transient only; what the answer means says `parse`."""
        ...

    def parse(self, raw: RawAnswer, origins: Collection[str], *, partly: bool = False) -> TokenSet:
        """What a token endpoint answered. Whose it is and what it leaves out (V10, V11) is for the vault to weigh.
        `partly`: read, too, where nothing but the refresh token is of use, since it may have replaced another.

        Raises NeedsReconnect (a definite verdict), PermissionMissing (our client is refused), HostNotAllowed (V12),
        RateLimited, Transient (everything else: 5xx, HTML, no access token)."""
        ...

    def remnant(self, raw: RawAnswer) -> TokenSet:
        """What is needed to end the tokens of an answer that is never used: the refresh token and whose it is, as far
        as it says so, whatever host it names."""
        ...

    def app_of(self, client_id: str) -> str:
        """What a person's consent is given to: the same for clients that share it."""
        ...

    def same_person(self, one: str, other: str, origins: Collection[str]) -> bool:
        """Whether two `TokenSet.identity` name the same person; "" and nonsense name nobody."""
        ...

    def revoke(self, server: Server, token: Secret, http: Session) -> None:
        """Returns when the provider has said that the token is gone, or was gone already. Raises Transient for anything
        else. Only where `revokes`."""
        ...

    def works(self, token: Secret, api_url: str, http: Session, subject: str = "") -> bool:
        """Whether an access token is accepted just now: True only if the provider says whose it is, and that is
        `subject` (as `Account` has it) where one is named; False only if it refuses it in its own words. Costs no API
        call that counts. Raises Transient for any other answer."""
        ...

    def account(self, tokens: TokenSet, http: Session) -> Account:
        """Who has just consented. Raises Rejected where the answer does not say. Salesforce: see identity.identify."""
        ...
