"""The pages of connecting, before Salesforce has its say: choices, states, hostile input (C1, C2, C10, BI-B14, B19)."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.providers.faulty import Handler
from tests.vault.rotating import Rotating
from vault import connect
from vault.models import Connection, PendingSignIn

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
PAGE = "/connect/salesforce/"
HOST = {"Host": "localhost:8000"}


def begin(browser: Client, login: str, **extra: str) -> dict[str, str]:
    """Start a sign-in; the parameters of the authorize request, and `url`."""
    response = browser.post(PAGE, {"login": login, **extra})
    assert response.status_code == 302, response.content.decode()
    url = str(response["Location"])
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()} | {"url": url}


def back(browser: Client, login: str, **answer: str) -> Any:
    return browser.get(f"{PAGE}callback/{connect.login_key(login)}/", answer)


def sentence(response: Any) -> str:
    found = re.search(r'role="alert">(.*?)</p>', response.content.decode(), re.DOTALL)
    return html.unescape(found[1]) if found else ""


def exchanged(provider: Rotating, **changes: str) -> None:
    """The token endpoint takes any code; what the answer says is the provider's own but for `changes`."""
    behave = provider.server.behave
    tokens = {"access_token": provider.access_token, "refresh_token": provider.refresh_token, "scope": "id api"}
    answer = {"instance_url": provider.server.url, "id": provider.identity, **tokens, **changes}

    def exchange(handler: Handler) -> None:
        handler.answer(200, answer) if handler.path == "/services/oauth2/token" else behave(handler)

    provider.server.behave = exchange


@pytest.fixture
def login(provider: Rotating) -> str:
    return provider.server.url


def test_the_page_says_where_and_what_for(provider: Rotating) -> None:
    """C10: the purpose of each scope."""
    text = Client(headers=HOST).get(PAGE).content.decode()
    for url in ("https://login.salesforce.com", "https://test.salesforce.com", provider.server.url):
        assert f'value="{url}"' in text
    for scope in ("id", "api", "refresh_token", "web"):
        assert f"<code>{scope}</code>" in text
    assert "<script" not in text
    assert "style=" not in text
    assert 'type="password"' not in text


def test_a_login_address_is_preselected_and_escaped(provider: Rotating) -> None:
    text = Client(headers=HOST).get(PAGE, {"login": "https://test.salesforce.com"}).content.decode()
    assert 'value="https://test.salesforce.com" checked' in text
    text = Client(headers=HOST).get(PAGE, {"login": '"><script>alert(1)</script>', "next": '/x"><b>'}).content.decode()
    assert "<script" not in text
    assert "<b>" not in text


def test_the_authorize_request_asks_for_exactly_four_scopes_with_pkce(login: str) -> None:
    """C1, C10."""
    sent = begin(Client(headers=HOST), login)
    assert sent["url"].startswith(f"{login}/services/oauth2/authorize?")
    assert sent["scope"] == "id api refresh_token web"
    assert (sent["response_type"], sent["code_challenge_method"], sent["client_id"]) == ("code", "S256", "client")
    assert len(sent["code_challenge"]) == 43
    assert len(sent["state"]) >= 43
    assert sent["redirect_uri"] == f"http://localhost:8000/connect/salesforce/callback/{connect.login_key(login)}/"
    row = PendingSignIn.objects.get()
    assert sent["state"].encode() not in bytes(row.state_hash) + bytes(row.sealed_facts)


def test_each_login_host_has_its_own_redirect_uri(login: str) -> None:
    """BI-B15: where no `iss` comes back, the path tells the hosts apart."""
    assert connect.login_key(login) != connect.login_key("https://login.salesforce.com")
    assert connect.redirect_uri(login) != connect.redirect_uri("https://login.salesforce.com")
    assert connect.login_key("https://login.salesforce.com") == "7d2300ac3cec521534a6", "customers register it"


@pytest.mark.parametrize(
    "typed",
    [
        "evil.example/x#",
        "evil\\",
        "a@evil/",
        "169.254.169.254/latest#",
        "acme.my.salesforce.com.evil.example",
        "acme.my.salesforce.com:8443",
        "http://login.salesforce.com",
        "0x7f000001",
        "2130706433",
        "127.1",
        "[::1]",
        "localhost:1",
        "",
        "javascript:alert(1)",
        "acm\u0435.my.salesforce.com",
        "\x00",
    ],
)
def test_no_other_host_is_ever_asked(provider: Rotating, typed: str) -> None:
    """BI-I1, BI-I2."""
    response = Client(headers=HOST).post(PAGE, {"login": "other", "address": typed})
    assert response.status_code == 400
    assert "not a Salesforce login address" in sentence(response)
    assert provider.server.seen == []
    assert not PendingSignIn.objects.exists()


@pytest.mark.parametrize("answer", [{}, {"state": ""}, {"state": "x" * 43, "code": "c"}, {"code": "c"}])
def test_without_a_known_state_nothing_happens(login: str, answer: dict[str, str]) -> None:
    """BI-B14."""
    browser = Client(headers=HOST)
    begin(browser, login)
    assert back(browser, login, **answer).status_code == 400
    assert PendingSignIn.objects.count() == 1


def test_a_state_works_once(login: str, provider: Rotating) -> None:
    """C1, BI-B14: replay."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    assert back(browser, login, state=state, error="access_denied").status_code == 403
    replay = back(browser, login, state=state, code="code")
    assert replay.status_code == 400
    assert "used already" in sentence(replay)
    assert not any(seen.path.endswith("/token") for seen in provider.server.seen)


def test_a_state_of_another_browser_is_refused_and_not_used_up(login: str) -> None:
    """BI-B14: foreign state; the rightful owner is not disturbed."""
    mine, stranger = Client(headers=HOST), Client(headers=HOST)
    state = begin(mine, login)["state"]
    begin(stranger, login)
    assert back(stranger, login, state=state, code="code").status_code == 400
    assert back(mine, login, state=state, error="access_denied").status_code == 403


def test_an_old_state_is_refused(login: str) -> None:
    """BI-B14."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    PendingSignIn.objects.update(started_at=timezone.now() - timedelta(minutes=10, seconds=1))
    assert back(browser, login, state=state, code="code").status_code == 400


@pytest.mark.parametrize("host", ["https://evil.example", "https://evil.my.site.com", ""])
def test_tokens_for_a_host_that_is_not_allowed_are_ended(login: str, provider: Rotating, host: str) -> None:
    """C17, I2, V12: where they came from, which is allowed; nothing of them goes to the host that was named."""
    exchanged(provider, instance_url=host)
    browser = Client(headers=HOST)
    sent = begin(browser, login)
    response = back(browser, login, state=sent["state"], code="code")
    assert response.status_code == 400
    assert "host that is not allowed" in sentence(response)
    assert (provider.revoked, provider.alive) == ([provider.refresh_token], False)
    assert not Connection.objects.exists()


@pytest.mark.parametrize("iss", ["https://evil.example", "https://login.salesforce.com", ""])
def test_an_answer_of_another_issuer_is_refused(login: str, provider: Rotating, iss: str) -> None:
    """BI-B15: mix-up, by `iss`."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    response = back(browser, login, state=state, code="code", iss=iss)
    assert response.status_code == 400
    assert "another login host" in sentence(response)
    assert not any(seen.path.endswith("/token") for seen in provider.server.seen)


@pytest.mark.parametrize("path", ["", "0123456789abcdef0123/", "x/"])
def test_an_answer_at_another_hosts_address_is_refused(login: str, path: str) -> None:
    """BI-B15: mix-up, by redirect URI."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    response = browser.get(f"{PAGE}callback/{path}", {"state": state, "code": "code"})
    assert response.status_code == 400
    assert "another login host" in sentence(response)


def test_a_providers_error_is_shown_as_text(login: str) -> None:
    """BI-B19."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    bad = "<img src=x onerror=alert(1)>" + "y" * 500
    response = back(browser, login, state=state, error="server_error", error_description=bad)
    assert response.status_code == 400
    assert "<img" not in response.content.decode()
    assert sentence(response).endswith("y" * 10)
    assert "y" * 250 not in sentence(response)


@pytest.mark.parametrize(
    ("error", "description", "says"),
    [
        ("access_denied", "end-user denied authorization", "did not allow"),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "administrator has blocked the app"),
        ("invalid_client", "This app must be installed into the org", "not installed in the Salesforce org"),
        ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", "admin-approved users only"),
    ],
)
def test_a_person_is_told_what_to_do(login: str, error: str, description: str, says: str) -> None:
    """docs/wire.md W7: an uninstalled connected app needs the administrator."""
    browser = Client(headers=HOST)
    state = begin(browser, login)["state"]
    response = back(browser, login, state=state, error=error, error_description=description)
    assert response.status_code == 403
    assert says in sentence(response)


@pytest.mark.parametrize("name", ["password", "Password", "passwd", "pwd"])
@pytest.mark.parametrize("path", ["", "callback/", "disconnect/"])
def test_a_password_is_refused_and_not_logged(
    provider: Rotating, path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C2."""
    browser, canary = Client(headers=HOST), "hunter2-canary"
    url = PAGE + path
    as_json = browser.post(url, {name: canary}, content_type="application/json")
    answers = [browser.post(url, {"login": "x", name: canary}), browser.get(url, {name: canary}), as_json]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert canary not in caplog.text + "".join(answer.content.decode() for answer in answers)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil",
        "",
        "x",
        "/" * 5000,
    ],
)
def test_the_way_back_stays_on_our_site(login: str, path: str) -> None:
    from vault import pending, sealing

    begin(Client(headers=HOST), login, next=path)
    row = PendingSignIn.objects.get()
    facts = sealing.unseal(bytes(row.sealed_facts), pending._place(row))
    assert b'"next": "/dashboard/"' in facts


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_other_methods_are_refused(provider: Rotating, method: str) -> None:
    """BI-A13."""
    assert getattr(Client(headers=HOST), method)(PAGE).status_code == 405
    assert getattr(Client(headers=HOST), method)(f"{PAGE}callback/").status_code == 405


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "x" * 5_000},
        {"state": "\x00"},
        {"state": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "code": "\u202e"},
        {"error": "e" * 5_000},
    ],
)
def test_hostile_answers_are_a_plain_400(provider: Rotating, answer: dict[str, str]) -> None:
    assert Client(headers=HOST).get(f"{PAGE}callback/", answer).status_code == 400


def test_without_a_client_id_the_page_says_who_can_help(provider: Rotating, settings: Settings) -> None:
    settings.SALESFORCE_CLIENT_ID = ""
    response = Client(headers=HOST).post(PAGE, {"login": provider.server.url})
    assert response.status_code == 400
    assert "no Salesforce app configured" in sentence(response)


def test_a_login_host_that_is_away_is_a_503(login: str, provider: Rotating) -> None:
    provider.server.behave = lambda handler: handler.answer(503, {})
    response = Client(headers=HOST).post(PAGE, {"login": login})
    assert response.status_code == 503
    assert response["Retry-After"] == "60"


def test_nobody_is_connected_by_any_of_this() -> None:
    """C1: there is no other way in than Salesforce's own sign-in."""
    assert not Connection.objects.exists()


def test_a_form_from_another_site_is_refused(provider: Rotating) -> None:
    """BI-G1."""
    browser = Client(enforce_csrf_checks=True, headers=HOST)
    for path in ("", "disconnect/"):
        response = browser.post(PAGE + path, {"login": provider.server.url}, headers={"Origin": "https://evil.example"})
        assert response.status_code == 403
