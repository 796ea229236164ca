"""Which hosts count as Google's and Microsoft's, and what an operator's settings change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import http
from providers.errors import HostNotAllowed
from providers.own_hosts import OwnHosts
from providers.registry import ADAPTERS
from tests.providers.test_hosts import WAYS_AROUND

HOSTS = OwnHosts("google", "Google", "https://accounts.google.com", ("accounts.google.com", "oauth2.googleapis.com"))
MINE = "https://localhost:8201"
NOT_OURS = (
    "",
    "https://accounts.google.com.evil.example",
    "https://evil-accounts.google.com",
    "https://accounts.google.com@evil.example",
    "https://accounts.google.com:444",
    "https://accounts.google.com/path",
    "https://accounts.google.com?x",
    "https://accounts.google.com#x",
    "https://accounts.google.com\\@evil.example",
    "http://accounts.google.com",
    "https://127.0.0.1",
    "https://[::1]",
    "https://localhost:8202",
    "https://localhost:82010",
    "file:///etc/passwd",
    "//accounts.google.com",
)


@pytest.mark.parametrize("url", NOT_OURS)
def test_only_listed_origins(url: str) -> None:
    """C20, docs/hardening.md BI-I."""
    with pytest.raises(HostNotAllowed):
        HOSTS.login_url(url, {MINE})
    with pytest.raises(HostNotAllowed):
        HOSTS.api_url(url, {MINE})


def test_an_operators_origin_is_his_alone() -> None:
    assert HOSTS.login_url("https://accounts.google.com/", ()) == "https://accounts.google.com"
    assert HOSTS.login_url(MINE.upper(), {MINE}) == MINE
    with pytest.raises(HostNotAllowed):
        HOSTS.login_url(MINE, ())
    assert HOSTS.endpoint(f"{MINE}/token", MINE, {MINE}) == f"{MINE}/token"
    own = "https://oauth2.googleapis.com/token"
    assert HOSTS.endpoint(own, HOSTS.login, {MINE}) == own
    for url, login in ((own, MINE), (f"{MINE}/token", HOSTS.login)):
        with pytest.raises(HostNotAllowed):
            HOSTS.endpoint(url, login, {MINE})


def test_a_page_may_be_http_on_the_same_machine_only() -> None:
    page = "http://localhost:8203/auth"
    assert HOSTS.endpoint(page, MINE, {MINE}, is_page=True) == page
    for url, login, is_page in (
        (page, MINE, False),
        (page, HOSTS.login, True),
        (page, "https://google.corp.example", True),
        ("http://corp.example/auth", MINE, True),
    ):
        with pytest.raises(HostNotAllowed):
            HOSTS.endpoint(url, login, {MINE, "https://google.corp.example"}, is_page=is_page)


@pytest.mark.parametrize("path", ["/a?b=c", "/a#b", "/a b", "/../x y", "/a\\b", "/%2f", "@evil.example/", "/a\n"])
def test_endpoints_are_plain_paths(path: str) -> None:
    with pytest.raises(HostNotAllowed):
        HOSTS.endpoint(f"{MINE}{path}", MINE, {MINE})


def test_the_providers_own_names_are_never_the_operators() -> None:
    """SSRF: an operator's origin may be a private address; were Google's name one, a DNS answer could make it one."""
    for name, own in (("google", "https://accounts.google.com"), ("microsoft", "https://graph.microsoft.com/")):
        adapter = ADAPTERS[name]
        assert adapter.operators((own, f"{MINE}/x", MINE, "nonsense", "ftp://x")) == (MINE,)
        settings = http.Settings(frozenset(adapter.operators((own, MINE))), adapter.host_suffixes)
        assert settings.may_be_private("localhost", 8201)
        for host in adapter.host_suffixes:
            assert not settings.may_be_private(host, 443)
            for other, port in ((f"x{host}", 443), (f"x.{host}", 443), (host, 8443), (f"{host}.evil.example", 443)):
                with pytest.raises(HostNotAllowed):
                    settings.may_be_private(other, port)


@given(st.text(max_size=60))
def test_generated_texts_stay_on_the_list(text: str) -> None:
    for made in (text, f"https://{text}", f"https://accounts.google.com{text}", f"{MINE}{text}"):
        try:
            allowed = HOSTS.api_url(made, {MINE})
        except HostNotAllowed:
            continue
        assert allowed in {MINE, "https://accounts.google.com", "https://oauth2.googleapis.com"}


@pytest.mark.parametrize("text", WAYS_AROUND)
@pytest.mark.parametrize("name", ["google", "microsoft"])
def test_ways_around_are_refused(name: str, text: str) -> None:
    """C20, BI-I1, BI-I2: what people try with Salesforce's hosts, and the same with these providers' own."""
    spoken, suffixes = ADAPTERS[name].oauth, ADAPTERS[name].host_suffixes
    session = http.Session(http.Settings(frozenset({MINE}), suffixes))
    for made in {text, *(text.replace("acme.my.salesforce.com", host) for host in suffixes)}:
        with pytest.raises(HostNotAllowed) as refusal:
            spoken.known(made, session)
        assert not made.strip() or made not in str(refusal.value)
