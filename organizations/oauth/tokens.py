"""The shape of the tokens we issue. They mean nothing by themselves: all that counts is the row their hash names."""

import secrets
from typing import Any


def new_access_token(request: Any) -> str:
    """`<routing prefix>.<256 random bits>`; the prefix is no secret, a load balancer hashes on it.

    `request` is oauthlib's, with the member as `user`. Used for refresh tokens, too."""
    return f"{request.user.routing_prefix}.{secrets.token_urlsafe(32)}"
