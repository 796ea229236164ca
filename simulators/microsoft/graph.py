"""As much of Microsoft Graph as says who somebody is, and its refusals. Holds no mail."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from simulators.front import json_response
from simulators.microsoft.accounts import Account
from simulators.microsoft.provider import Microsoft, new_id
from simulators.oauth.families import Family
from simulators.oauth.web import Exchange


class Graph(Exchange[Microsoft]):
    """graph.microsoft.com, over TLS."""

    def answer(self) -> Response:
        found = self.provider.grant_of(self.bearer)
        if found is None:
            return _refused(self.provider, "InvalidAuthenticationToken", _why(self.bearer))
        account, family = found
        self.counted = True
        if account.challenge and "mfa" not in family.marks:
            return _challenge(self.provider)
        return self._answer(account, family)

    def _answer(self, account: Account, family: Family) -> Response:
        scopes, path = set(family.scopes), self.path.rstrip("/")
        if path == "/oidc/userinfo":
            sub = self.provider.pairwise(account, family.client_id)
            body = {"sub": sub, "name": account.name, "given_name": account.first, "family_name": account.last}
            return json_response(body | ({"email": account.email} if "email" in scopes else {}))
        if path == "/v1.0/me/revokeSignInSessions" and self.request.method == "POST":
            if "User.RevokeSessions.All" not in scopes:
                return _denied()
            account.valid_from = self.provider.clock.now()
            return json_response(
                {"@odata.context": f"{self.provider.graph_url}/v1.0/$metadata#Edm.Boolean", "value": True}
            )
        if path == "/v1.0/me":
            return json_response(self._me(account)) if scopes & {"User.Read", "User.Read.All"} else _denied()
        return _failed(404, "ResourceNotFound", "Resource not found for the segment.")

    def _me(self, account: Account) -> dict[str, Any]:
        whole: dict[str, Any] = {
            "id": account.oid,
            "displayName": account.name,
            "givenName": account.first,
            "surname": account.last,
            "mail": account.email,
            "userPrincipalName": account.email,
            "businessPhones": [],
            "jobTitle": None,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": None,
        }
        asked = self.form.get("$select", "")
        fields = [name.strip() for name in asked.split(",") if name.strip()] or list(whole)
        context = f"{self.provider.graph_url}/v1.0/$metadata#users" + (f"({asked})/$entity" if asked else "/$entity")
        return {"@odata.context": context, **{name: whole[name] for name in fields if name in whole}}


def _why(bearer: str) -> str:
    if not bearer:
        return "Access token is empty."
    return (
        "Lifetime validation failed, the token is expired."
        if bearer.count(".") == 2
        else "IDX14100: JWT is not well formed."
    )


def _failed(status: int, code: str, message: str) -> Response:
    inner = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "request-id": new_id()}
    inner["client-request-id"] = inner["request-id"]
    return json_response({"error": {"code": code, "message": message, "innerError": inner}}, status)


def _denied() -> Response:
    return _failed(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _refused(microsoft: Microsoft, code: str, message: str) -> Response:
    response = _failed(401, code, message)
    where = f'authorization_uri="{microsoft.pages_url}/common/oauth2/v2.0/authorize"'
    response.headers["WWW-Authenticate"] = f'Bearer realm="", {where}, client_id="00000003-0000-0000-c000-000000000000"'
    return response


def _challenge(microsoft: Microsoft) -> Response:
    """Continuous access evaluation wants a fresh sign-in.

    Source: learn.microsoft.com/entra/identity-platform/claims-challenge."""
    wanted = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    claims = base64.b64encode(json.dumps(wanted).encode()).decode()
    response = _refused(
        microsoft,
        "InvalidAuthenticationToken",
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp.",
    )
    response.headers["WWW-Authenticate"] += f', error="insufficient_claims", claims="{claims}"'
    return response
