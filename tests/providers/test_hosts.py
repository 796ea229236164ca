"""The Salesforce allow-list against every way around it that we know (docs/hardening.md BI-I), and generated ones."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import HostNotAllowed
from providers.salesforce import hosts

ORIGINS = frozenset({"https://localhost:8101", "http://localhost:8102", "http://sim.example:80"})


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("login.salesforce.com/", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        (" Acme.My.Salesforce.com ", "https://acme.my.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com/", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme-dev-ed.develop.my.salesforce.com", "https://acme-dev-ed.develop.my.salesforce.com"),
        ("https://acme.lightning.force.com", "https://acme.my.salesforce.com"),
        ("https://acme--uat.sandbox.lightning.force.com", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme.my.site.com/partners/s/", "https://acme.my.site.com/partners"),
        ("https://acme.my.site.com/Partners", "https://acme.my.site.com/Partners"),
        ("https://acme.my.site.com/apexfans", "https://acme.my.site.com/apexfans"),
        ("acme.force.com/customers", "https://acme.force.com/customers"),
        ("uat-acme.cs12.force.com/customers", "https://uat-acme.cs12.force.com/customers"),
        ("https://localhost:8101", "https://localhost:8101"),
        ("https://localhost:8101/partners", "https://localhost:8101/partners"),
    ],
)
def test_login_addresses(text: str, url: str) -> None:
    """C5, C6: production, sandbox, My Domain, Experience Cloud."""
    assert hosts.login_url(text, ORIGINS) == url
    assert hosts.login_url(url, ORIGINS) == url


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://acme.my.salesforce.com", True),
        ("https://acme--uat.sandbox.my.salesforce.com", True),
        ("https://acme.my.site.com/partners", True),
        (hosts.PRODUCTION, False),
        (hosts.SANDBOX, False),
        ("https://localhost:8101", False),
        ("https://localhost:8101/partners", False),
        ("https://gateway.my.salesforce.com", False),
        ("https://gateway.my.site.com/partners", False),
    ],
)
def test_which_login_hosts_are_one_orgs(url: str, is_one: bool) -> None:
    """C37: never an origin that the operator names, whatever it looks like."""
    origins = {*ORIGINS, "https://gateway.my.salesforce.com", "https://gateway.my.site.com"}
    assert hosts.is_one_orgs(url, origins) is is_one


WAYS_AROUND = [
    "evil.example/x#",
    "evil\\",
    "a@evil/",
    "169.254.169.254/latest#",
    "acme.my.salesforce.com.evil.example",
    "acme.my.salesforce.com:8443",
    "login.salesforce.com:443",
    "0x7f000001",
    "2130706433",
    "127.1",
    "127.0.0.1",
    "[::1]",
    "https://[::1]",
    "https://evil.example",
    "https://evil.example/.my.salesforce.com",
    "https://evil.example?.my.salesforce.com",
    "https://evil.example#.my.salesforce.com",
    "https://evil.example\\.my.salesforce.com",
    "https://acme.my.salesforce.com@evil.example",
    "https://user:pw@acme.my.salesforce.com",
    "https://acme.my.salesforce.com.",
    "https://login.salesforce.com./",
    "https://acme.my.salesforce.com/lightning/page/home",
    "https://acme.my.salesforce.com//evil.example",
    "https://acme.my.salesforce.com/%2e%2e",
    "https://acme.my.salesforce.com/../",
    "https://acme.my.site.com/a/b",
    "https://acme.my.site.com/..",
    "https://acme.my.site.com/apex",
    "https://acme.my.site.com/Services",
    "https://acme--c.vf.force.com",
    "https://acme.my.site.com/%2e%2e",
    "https://xn--sleforce-4wa.com",
    "https://acme.my.s\u0430lesforce.com",  # a Cyrillic a
    "https://acme.my.\uff53alesforce.com",  # a fullwidth s
    "https://acme\u3002my\u3002salesforce\u3002com",  # ideographic full stops
    "https://ⓛogin.salesforce.com",
    "https://notsalesforce.com",
    "https://my.salesforce.com.evil.example",
    "https://evilmy.salesforce.com.evil",
    "https://-acme.my.salesforce.com",
    "https://a..my.salesforce.com",
    "http://login.salesforce.com",
    "http://localhost:8102",
    "http://sim.example:80",
    "https://localhost:8102",
    "https://localhost:81011",
    "https://localhost",
    "https://localhost:8101@evil.example",
    "https://localhost:8101.evil.example",
    "https://localhost:8101/a/b",
    "https://localhost:8101//evil",
    "ftp://login.salesforce.com",
    "javascript:alert(1)",
    "//login.salesforce.com",
    "https:login.salesforce.com",
    "https:///login.salesforce.com",
    "https://login.salesforce.com\n.evil.example",
    "https://login.sales\tforce.com",
    "login.salesforce.com\0",
    "salesforce.com",
    "https://help.salesforce.com",
    "",
    " ",
    "a" * 5_000,
]


#: Hosts on which an org's owner decides what stands where; a token goes to none of them.
SITES = [
    "https://acme.my.site.com",
    "https://acme.my.salesforce-sites.com",
    "https://acme.force.com",
    "https://acme.secure.force.com",
    "https://acme--c.vf.force.com",
    "https://acme.lightning.force.com",
]


@pytest.mark.parametrize("text", WAYS_AROUND)
def test_ways_around_are_refused(text: str) -> None:
    """BI-I1, BI-I2, C19."""
    with pytest.raises(HostNotAllowed) as refusal:
        hosts.login_url(text, ORIGINS)
    assert not text.strip() or text not in str(refusal.value)


@pytest.mark.parametrize("text", [*WAYS_AROUND, *SITES])
def test_an_instance_url_takes_no_way_around_either(text: str) -> None:
    """C11, docs/vault.md V12."""
    with pytest.raises(HostNotAllowed):
        hosts.api_url(text, ORIGINS)


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.my.salesforce.com",
        "https://na139.salesforce.com",
        "https://usa2s.salesforce.com",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://acme--uat.cs12.my.salesforce.com",
        "https://acme-dev-ed.develop.my.salesforce.com",
        "https://localhost:8101",
    ],
)
def test_instance_urls(url: str) -> None:
    assert hosts.api_url(url, ORIGINS) == url
    assert hosts.api_url(url.upper() + "/", ORIGINS) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8101/authorize",
        "http://sim.example:80/authorize",
        "https://evil.example/authorize",
        "https://login.salesforce.com\\@evil/authorize",
        "https://login.salesforce.com@evil.example/",
        "https://login.salesforce.com/#@evil",
        "https://login.salesforce.com/a b",
    ],
)
def test_pages_off_the_list_are_refused(url: str) -> None:
    """Plain http is for the operator's own loopback pages only."""
    with pytest.raises(HostNotAllowed):
        hosts.browser_url(url, ORIGINS)


def test_pages() -> None:
    assert hosts.browser_url("http://localhost:8102/auth?x=1", ORIGINS) == "http://localhost:8102/auth?x=1"
    link = "https://acme.my.salesforce.com/secur/frontdoor.jsp?otp=a%2Fb&startURL=%2F003"
    assert hosts.browser_url(link) == link


def test_where_records_open() -> None:
    api = "https://localhost:8101"
    assert hosts.page_url(api, "http://localhost:8102/services/oauth2/authorize", ORIGINS) == "http://localhost:8102"
    assert hosts.page_url(api, "https://login.salesforce.com/services/oauth2/authorize", ORIGINS) == api


@pytest.mark.parametrize("check", [hosts.login_url, hosts.api_url])
@given(text=st.text(alphabet=st.characters() | st.sampled_from("./:@\\#?%[]-_"), max_size=60))
def test_generated_hosts_stay_on_the_list(check: Callable[..., str], text: str) -> None:
    for candidate in (
        text,
        f"https://{text}",
        f"https://{text}.my.salesforce.com",
        f"https://acme.my.salesforce.com{text}",
    ):
        try:
            url = check(candidate, ORIGINS)
        except HostNotAllowed:
            continue
        parts = urlsplit(url)
        is_ours = (parts.hostname or "").endswith(
            (".salesforce.com", ".force.com", ".site.com", ".salesforce-sites.com")
        )
        assert is_ours or f"{parts.scheme}://{parts.netloc}" in ORIGINS
        assert parts.scheme == "https"
        assert not parts.query
        assert not parts.fragment
        assert parts.username is None
        assert url.isascii()
