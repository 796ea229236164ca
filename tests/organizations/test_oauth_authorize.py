"""/o/authorize/ under bad input: no redirect where it is not safe, RFC 6749 errors with `iss` where it is."""

import html
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from organizations.models import Application, Member
from tests.organizations import people

pytestmark = pytest.mark.django_db

BAD_REDIRECTS = [
    people.REDIRECT.rstrip("/"),
    people.REDIRECT + "/",
    people.REDIRECT.replace("8000", "8001"),
    people.REDIRECT.replace("localhost", "LOCALHOST"),
    people.REDIRECT.replace("addins", "Addins"),
    people.REDIRECT.replace("http://", "HTTP://"),
    people.REDIRECT.replace("addins/", "%2e%2e/addins/"),
    people.REDIRECT.replace("addins/", "x/../addins/"),
    people.REDIRECT.replace("localhost", "user@localhost"),
    people.REDIRECT.replace("localhost", "localhost:8000@evil.example"),
    people.REDIRECT + "#fragment",
    people.REDIRECT + "#",
    people.REDIRECT + "?x=1",
    people.REDIRECT + " http://evil.example/",
    people.REDIRECT.replace("localhost", "127.0.0.1"),
    people.REDIRECT.replace("localhost", "localhost.evil.example"),
    "https://evil.example/",
    "//evil.example/",
    "javascript:alert(1)",
    "/addins/outlook/callback/",
    "",
]


@pytest.mark.parametrize("uri", BAD_REDIRECTS)
@pytest.mark.parametrize("signed_in", [True, False])
def test_a_redirect_that_is_not_registered_gets_a_page(uri: str, signed_in: bool, alice: Member) -> None:
    """BI-B8: 400 and no redirect, whether or not anybody is signed in."""
    if uri == "":
        people.add_in(people.REDIRECT, "https://other.example/")  # with two, an empty one is no default
    response = people.ask(people.sign_in(alice) if signed_in else people.browser(), people.pkce(), redirect_uri=uri)
    assert response.status_code == 400
    assert "Location" not in response
    assert response["Content-Type"].startswith("text/html")


def test_a_second_redirect_uri_is_refused(alice: Member) -> None:
    response = people.ask(people.sign_in(alice), people.pkce(), redirect_uri=[people.REDIRECT, "https://evil.example/"])
    assert response.status_code == 400


def test_loopback_ip_takes_any_port_and_localhost_only_its_own(alice: Member) -> None:
    """RFC 8252 7.3."""
    people.add_in("http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost:9000/cb")
    browser = people.sign_in(alice)
    for good in ("http://127.0.0.1:51234/cb", "http://[::1]:1/cb", "http://127.0.0.1/cb", "http://localhost:9000/cb"):
        response = people.ask(browser, people.pkce(), redirect_uri=good)
        assert response.status_code == 302, good
        assert response["Location"].startswith(good + "?")
    bad = ("http://localhost:9001/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.2/cb")
    for uri in (*bad, "http://127.0.0.1:80/other", "https://127.0.0.1:80/cb", "http://127.0.0.1:80:81/cb"):
        assert people.ask(browser, people.pkce(), redirect_uri=uri).status_code == 400, uri


@pytest.mark.parametrize(
    "uri",
    [
        *("http://evil.example/cb", "https://a@evil.example/", "https://x.example/#f", "foo"),
        *("http://[::1].evil.example/cb", "http://evil.example[::1]/cb", "http://[::1]evil.example:80/"),
    ],
)
def test_what_may_not_be_registered(uri: str) -> None:
    with pytest.raises(ValueError, match="redirect"):
        people.add_in(uri)


def test_success_and_error_name_the_issuer(alice: Member, settings: Settings) -> None:
    """RFC 9207: `iss` equals the metadata's issuer, in both."""
    browser = people.sign_in(alice)
    good = people.answer_of(people.ask(browser, people.pkce()))
    assert good["iss"] == settings.PUBLIC_URL
    assert good["state"] == "s1"
    bad = people.answer_of(people.ask(browser, people.pkce(), scope="nope"))
    assert (bad["error"], bad["iss"], bad["state"]) == ("invalid_scope", settings.PUBLIC_URL, "s1")


PKCE = people.pkce()
BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": "x" * 300}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "id_token"}, "unsupported_response_type"),
    ({"response_type": "code token"}, "unauthorized_client"),
    ({"response_type": None}, "invalid_request"),
    ({"scope": "__all__"}, "invalid_scope"),
    ({"scope": "sidebar sidebar"}, "invalid_scope"),
    ({"scope": "sidebar admin"}, "invalid_scope"),
    ({"scope": "s" * 10_000}, "invalid_scope"),
    ({"scope": " ".join(str(n) for n in range(2_000))}, "invalid_scope"),
]


@pytest.mark.parametrize(("changes", "expected"), BAD_REQUESTS)
def test_errors_that_go_back_to_the_add_in(changes: dict[str, Any], expected: str, alice: Member) -> None:
    """BI-B9, BI-B16; judged before anybody is asked to sign in."""
    for browser in (people.sign_in(alice), people.browser()):
        told = people.answer_of(people.ask(browser, PKCE, **changes))
        assert told["error"] == expected
        assert "code" not in told


@pytest.mark.parametrize("client_id", ["nobody", "", "\0", "a\0b", "x" * 10_000, "<script>alert(1)</script>"])
def test_an_unknown_client_gets_an_escaped_page(client_id: str, alice: Member) -> None:
    """BI-B19."""
    response = people.ask(people.sign_in(alice), PKCE, client_id=client_id)
    assert response.status_code == 400
    assert b"<script" not in response.content
    assert "<script" not in html.escape(client_id)


@pytest.mark.parametrize("query", ["%zz", "client_id=%00", "a=" + "b" * 9000, "&&&=", "state=\x7f"])
def test_garbage_gets_a_page(query: str, alice: Member) -> None:
    response = people.sign_in(alice).get(f"/o/authorize/?{query}")
    assert response.status_code == 400
    assert b"This sign-in cannot go on" in response.content


@pytest.mark.parametrize(
    "extra",
    [
        {"nonce": "n" * 5_000},
        {"claims": "{"},
        {"claims": "[]"},
        {"resource": "x"},
        {"prompt": "none"},
        {"prompt": "login"},
        {"ui_locales": "de"},
        {"max_age": "x"},
        {"response_mode": "fragment"},
        {"response_mode": "form_post"},
        {"approval_prompt": "auto"},
        {"prompt": "create"},
        {"request": "x.y.z"},
    ],
)
def test_parameters_of_features_that_are_off_do_no_harm(extra: dict[str, str], alice: Member) -> None:
    response = people.ask(people.sign_in(alice), PKCE, **extra)
    assert response.status_code in (302, 400)
    if response.status_code == 302 and response["Location"].startswith(people.REDIRECT):
        assert people.answer_of(response)["iss"] == "http://localhost:8000"
        assert "#" not in response["Location"]


def test_signing_in_is_signing_in_at_salesforce(everybody: Any) -> None:
    """C2, C4: without a session the browser is sent to connect, and comes back here."""
    response = people.ask(people.browser(), PKCE)
    assert response.status_code == 302
    assert response["Location"].startswith("/connect/salesforce/?next=/o/authorize/%3F")


def test_prompt_none_without_a_session_tells_the_add_in(everybody: Any) -> None:
    told = people.answer_of(people.ask(people.browser(), PKCE, prompt="none"))
    assert (told["error"], told["iss"]) == ("login_required", "http://localhost:8000")


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods(method: str, alice: Member) -> None:
    assert getattr(people.sign_in(alice), method)("/o/authorize/").status_code == 405


def stranger() -> None:
    """An add-in that is not ours: it gets a consent page."""
    people.add_in()
    Application.objects.filter(client_id=people.CLIENT_ID).update(skip_authorization=False, name="<b>Notes</b>")


def fields_of(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.context["form"].initial.items() if value is not None}


def test_a_strange_add_in_asks_first(alice: Member) -> None:
    stranger()
    browser = people.sign_in(alice)
    page = people.ask(browser, PKCE)
    assert page.status_code == 200
    assert b"&lt;b&gt;Notes&lt;/b&gt;" in page.content
    for inline in (b"<script", b"<style", b"style=", b"onclick"):
        assert inline not in page.content
    allowed = people.answer_of(browser.post("/o/authorize/", fields_of(page) | {"allow": "true"}))
    assert people.redeem(allowed["code"], PKCE).status_code == 200
    denied = people.answer_of(browser.post("/o/authorize/", fields_of(page)))
    assert (denied["error"], denied["iss"]) == ("access_denied", "http://localhost:8000")


TAMPERED: list[dict[str, str]] = [
    {"redirect_uri": "https://evil.example/"},
    {"client_id": "nobody"},
    {"client_id": ""},
    {"redirect_uri": "\0"},
]


@pytest.mark.parametrize("change", TAMPERED)
@pytest.mark.parametrize("allow", [{"allow": "true"}, {}])
def test_a_tampered_consent_form_redirects_nowhere(
    change: dict[str, str], allow: dict[str, str], alice: Member
) -> None:
    stranger()
    browser = people.sign_in(alice)
    form = fields_of(people.ask(browser, PKCE))
    assert browser.post("/o/authorize/", form | change | allow).status_code == 400


@pytest.mark.parametrize("change", [{"scope": "admin"}, {"code_challenge": ""}, {"code_challenge_method": "plain"}])
def test_a_tampered_consent_form_grants_nothing_else(change: dict[str, str], alice: Member) -> None:
    stranger()
    browser = people.sign_in(alice)
    form = fields_of(people.ask(browser, PKCE))
    assert "code" not in people.answer_of(browser.post("/o/authorize/", form | change | {"allow": "true"}))


def test_consent_needs_the_csrf_token(alice: Member) -> None:
    """BI-G1."""
    stranger()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    form = fields_of(people.ask(browser, PKCE))
    assert browser.post("/o/authorize/", form | {"allow": "true"}).status_code == 403
