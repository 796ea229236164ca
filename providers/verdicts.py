"""What an answer says about a token that was sent: that it works, is refused, or is gone. Makes no call.

Only the provider's own words count: a gateway's page, whatever its status, says nothing of a token."""

from collections.abc import Collection, Mapping
from typing import Any

import requests

from providers.token_answers import error_in, is_empty_object, json_object


def claims_in(response: requests.Response) -> Mapping[str, Any]:
    """What an accepting answer says of the token's person (OpenID Connect Core 5.3.2: a JSON object, with 200); {}
    where it accepts nothing, or is no such object."""
    return json_object(_text(response)) if response.status_code == 200 else {}


def is_refused(response: requests.Response) -> bool:
    """Whether a resource refuses the token in the form of its standard: 401 with a Bearer challenge (RFC 6750 section
    3), or with a JSON object that names an error (learn.microsoft.com/graph/errors; Google's userinfo:
    coderello/laravel-passport-social-grant issue 22)."""
    if response.status_code != 401:
        return False
    challenge = response.headers.get("WWW-Authenticate", "")
    return challenge.lower().startswith("bearer") or bool(json_object(_text(response)).get("error"))


def is_gone(response: requests.Response, errors: Collection[str]) -> bool:
    """Whether a revocation endpoint has said that the token is gone now, or was gone already.

    RFC 7009, 2.2, has 200 say so, whatever the body; some say it by an error among `errors`, with 400. A 200 is
    believed only where nothing is in it, be it as an object (docs/wire.md W25): a gateway's page is not empty. Should a
    provider say more one day, being asked again costs nothing, since it then names the error. Everything else, a
    gateway's 401 or 404 too, leaves it open: the token must be taken to live on (2.2.1)."""
    text = _text(response)
    if response.status_code in (200, 400) and error_in(text) in errors:
        return True
    return response.status_code in (200, 204) and (not text.strip() or is_empty_object(text))


def _text(response: requests.Response) -> str:
    return response.content.decode("utf-8", "replace")
