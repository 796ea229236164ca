"""Alice (founder of Acme), Bob (her colleague), Charlie (of Globex), and their add-in: how the tests make them."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from dataclasses import replace as replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, set_token_value

from organizations import audit
from organizations.membership import Arrival, join
from organizations.models import Application, Member, Organization
from organizations.oauth.applications import ensure_first_party
from organizations.oauth.tokens import new_access_token

REDIRECT = "http://localhost:8000/addins/outlook/callback/"
CLIENT_ID = "outlook-task-pane"

ALICE = Arrival(
    salesforce_org_id="00D000000000001AAA",
    salesforce_user_id="005000000000001AAA",
    username="Alice@acme.example",
    name="Alice Adams",
    email="alice@acme.example",
    organization_name="Acme",
    is_sandbox=False,
    is_administrator=True,
    user_type="Standard",
    profile="System Administrator",
    permission_sets=("Sales Console",),
    language="en_US",
    locale="en_GB",
    time_zone="Europe/Berlin",
)
BOB = replace(
    ALICE,
    salesforce_user_id="005000000000002AAA",
    username="bob@acme.example",
    name="Bob Brown",
    email="bob@acme.example",
    is_administrator=False,
    profile="Sales",
)
CHARLIE = replace(
    ALICE,
    salesforce_org_id="00D000000000009AAA",
    salesforce_user_id="005000000000009AAA",
    username="charlie@globex.example",
    name="Charlie Chen",
    email="charlie@globex.example",
    organization_name="Globex",
)


_HANDLER = Client().handler


def browser(**kwargs: Any) -> Client:
    """A fresh cookie jar before one stack of middleware, whose making costs more than most tests."""
    client = Client(**kwargs)
    client.handler = _HANDLER
    return client


def everybody() -> tuple[Member, Member, Member]:
    return join(ALICE), join(BOB), join(CHARLIE)


def organization() -> UUID:
    """The id of an organization of which nothing else is known; its audit chain begins as any other."""
    pk = Organization.objects.create(salesforce_org_id=f"00D{secrets.token_hex(6)}AAA", name="Some").pk
    audit.record(pk, "task:join", "organization.founded")
    return pk


def add_in(*redirects: str) -> None:
    ensure_first_party(CLIENT_ID, "Outlook task pane", redirects or (REDIRECT,))


@dataclass(frozen=True)
class Pkce:
    verifier: str
    challenge: str


def pkce() -> Pkce:
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return Pkce(verifier, base64.urlsafe_b64encode(digest).decode().rstrip("="))


def ask(visitor: Client, proof: Pkce, **changes: Any) -> Any:
    """GET /o/authorize/ as the add-in does; `changes` replace parameters, None leaves one out."""
    parameters: dict[str, Any] = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": "sidebar",
        "state": "s1",
        "code_challenge": proof.challenge,
        "code_challenge_method": "S256",
    } | changes
    return visitor.get("/o/authorize/", {name: value for name, value in parameters.items() if value is not None})


def answer_of(response: Any) -> dict[str, str]:
    """The parameters of an authorization response's redirect."""
    assert response.status_code == 302, response.content[:500]
    return {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}


def code_for(visitor: Client, proof: Pkce, **changes: Any) -> str:
    return answer_of(ask(visitor, proof, **changes))["code"]


def redeem(code: str, proof: Pkce, /, **changes: Any) -> Any:
    body = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": CLIENT_ID,
        "code_verifier": proof.verifier,
    } | changes
    return post("token", body)


def refresh(token: str, **changes: Any) -> Any:
    return post("token", {"grant_type": "refresh_token", "refresh_token": token, "client_id": CLIENT_ID} | changes)


def post(endpoint: str, body: dict[str, Any], **headers: Any) -> Any:
    content = {name: value for name, value in body.items() if value is not None}
    return browser().post(
        f"/o/{endpoint}/", urlencode(content, doseq=True), content_type="application/x-www-form-urlencoded", **headers
    )


def sign_in(member: Member) -> Client:
    client = browser()
    client.force_login(Member.objects.get(pk=member.pk))  # as stored: a role change has ended old sessions
    return client


def tokens_for(member: Member) -> dict[str, Any]:
    """A whole sign-in of the add-in: the token endpoint's answer."""
    proof = pkce()
    response = redeem(code_for(sign_in(member), proof), proof)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


class Api:
    """An add-in's calls with one bearer token."""

    def __init__(self, token: str) -> None:
        self.client = browser(headers={"Authorization": f"Bearer {token}"})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        kwargs: dict[str, Any] = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self.client, method)(f"/api/v1/{path}", **kwargs)


def api(member: Member) -> Api:
    """With a token straight from the table, for tests that are not about getting one."""
    raw = new_access_token(SimpleNamespace(user=member))
    application = Application.objects.get(client_id=CLIENT_ID)
    row = AccessToken(
        user=member, application=application, scope="sidebar", expires=timezone.now() + timedelta(minutes=10)
    )
    set_token_value(row, raw)
    row.save()
    return Api(raw)
