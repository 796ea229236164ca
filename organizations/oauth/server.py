"""Which grants our server has at all: authorization code with PKCE S256, and refresh. Nothing else is built in."""

import re
from typing import Any

from oauthlib.oauth2 import WebApplicationServer
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # RFC 7636 4.1


class Server(WebApplicationServer):
    """oauthlib's code-and-refresh server; with the toolkit's default one, `password` would be a grant that is refused
    by a check, here it is one that does not exist."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auth_grant.custom_validators.pre_auth.append(require_query)
        self.auth_grant.custom_validators.post_auth.append(require_s256)
        self.auth_grant.custom_validators.pre_token.append(require_long_verifier)


def require_query(request: Any) -> dict[str, str]:
    """A code in a fragment would reach scripts and referrers of the add-in's page; nobody of ours asks for that."""
    asked, request.response_mode = request.response_mode, None
    if asked not in (None, "query"):
        raise InvalidRequestError(description="Only response_mode query is offered.", request=request)
    return {}


def require_s256(request: Any) -> dict[str, str]:
    """Asked before the consent page, so that nobody consents to what cannot be granted."""
    if request.code_challenge_method != "S256" or not _CHALLENGE.fullmatch(request.code_challenge or ""):
        raise InvalidRequestError(description="Use PKCE with code_challenge_method S256.", request=request)
    return {}


def require_long_verifier(request: Any) -> None:
    """A challenge made of a short verifier can be guessed; its length shows only now."""
    if request.code_verifier is not None and not _VERIFIER.fullmatch(request.code_verifier):
        raise InvalidGrantError(request=request)
