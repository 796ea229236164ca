"""Every address of the tables of bad ones, from the message to the browser: left as it was, or led to as signed and as
two parsers read it (BI-D3, BI-D4, BI-D6; C51). Over HTTP, against the hot process and the worker."""

from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import urlsplit

import ada_url
import pytest

from tests.tracking.conftest import Room
from tests.tracking.hot_process import Answer, request
from tests.tracking.test_targets import (
    DANGEROUS_SCHEMES,
    HOSTILE,
    KEPT,
    LEFT_AS_THEY_ARE,
    PERSONAL,
    SPELLED_AS_BROWSERS_DO,
)
from tracking.models import Event

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
#: What looks like another host, and is a path, a query or a fragment of this one. Some are taken, some are left.
LOOKING_LIKE_ANOTHER = [
    "https://bank.example?@evil.example@x/", "https://ok.example//evil.example", "https://ok.example///evil.example/",
    "https://ok.example/%2f%2fevil.example", "https://ok.example/%5cevil.example",
    "https://ok.example/%5c%5cevil.example", "https://ok.example/@evil.example", "https://ok.example/:80@evil.example",
    "https://ok.example/;@evil.example", "https://ok.example?@evil.example", "https://ok.example?//evil.example",
    "https://ok.example/?https://evil.example", "https://ok.example#@evil.example",
    "https://ok.example/#//evil.example", "https://ok.example/#javascript:alert(1)",
    "https://ok.example/javascript:alert(1)", "https://ok.example/?a=javascript:alert(1)",
    "https://ok.example/?a=data:text/html,<script>", "https://ok.example/?a=<>",
    "https://ok.example/?next=%0d%0aLocation:%20https://evil.example", "https://ok.example/%0d%0aSet-Cookie:%20a=b",
    "https://ok.example/%0aLocation:%20x", "https://ok.example/%00", "https://ok.example/?%00",
    "https://ok.example/%20", "https://ok.example/a%00.evil.example", "https://ok.example/%e2%80%ae",
    "https://ok.example/%ff%fe", "https://ok.example/%", "https://ok.example/%zz", "https://ok.example/%2",
    "https://ok.example/%252e%252e/", "https://ok.example/%2e%2e%2f", "https://ok.example/..;/a",
    "https://ok.example/a/..%2f..%2fb", "https://ok.example/...", "https://ok.example/a/....//b",
    "https://evil.example.ok.example/", "https://ok.example.evil.example/", "https://ok-example.evil/",
    "https://okexample/", "https://ok.example./", "https://ok.example.:443/", "http://ok.example:443/",
    "https://ok.example:80/", "https://ok.example:/", "https://ok.example:00443/", "https://ok.example:65535/",
    "https://ok.example:65536/", "https://ok.example:0/", "https://a", "https://localhost/", "http://127.0.0.1/",
    "http://127.0.0.1:8001/t/c/x", "http://169.254.169.254/latest/meta-data/", "https://xn--pple-43d.com/",
    "https://\u0430pple.com/", "https://xn--80ak6aa92e.com/", "https://faß.example/", "https://ΣΑΣ.example/",
    "https://ok.example/?a='\"", 'https://ok.example/"onmouseover=alert(1)', "https://ok.example/'",
    "https://ok.example/`", "https://ok.example/{}", "https://ok.example/|", "https://ok.example/^",
    "https://ok.example/[]", "https://ok.example/?[]#[]", "https://ok.example/\U0001f600", "https://ok.example/\u0301",
    "https://ok.example/?\u202e", "https://ok.example/#\ufeff", "https://ok.example/#a#b", "https://ok.example/?a?b",
    "https://ok.example/a?#", "https://ok.example/?", "https://ok.example/#", "https://ok.example/&amp;",
    "https://ok.example/?a=1&lt=2&copy=3&amp;b", "https://ok.example/&#x2f;&#47;", "HTTPS://OK.EXAMPLE/%7e",
    "hTtP://Ok.ExAmPlE/", "https://ok.example/" + "a/" * 600, "https://ok.example/?" + "%41" * 400,
    "https://" + "a." * 100 + "example/", "https://ok.example/" + "\u4f60" * 300, "https://" + "a" * 63 + ".example/",
    "https://ok.example/?" + "&" * 1_000,
]  # fmt: skip
USER_NAMES = [
    "https://bank@evil.example/", "https://bank.example@evil.example/", "https://bank.example:443@evil.example/login",
    "https://bank.example%2f@evil.example/", "https://bank.example%00@evil.example/",
    "https://bank.example%23@evil.example/", "https://a:b@evil.example/", "https://@evil.example/",
    "https://:@evil.example/", "https://a@b@evil.example/", "https://bank.example&@evil.example/",
    "https://bank.example;@evil.example/", "https://bank.example\u200b@evil.example/",
    "https://bank.example\uff20evil.example/", "https://%40@evil.example/",
]  # fmt: skip
NO_TARGETS = [*USER_NAMES, *HOSTILE, *DANGEROUS_SCHEMES, *LEFT_AS_THEY_ARE, *PERSONAL]
TABLE = list(dict.fromkeys([*LOOKING_LIKE_ANOTHER, *NO_TARGETS, *KEPT, *SPELLED_AS_BROWSERS_DO]))


@dataclass(frozen=True, slots=True)
class Followed:
    href: str
    answer: Answer


def followed(room: Room) -> tuple[list[Followed], list[str]]:
    """Those that the message's links lead to through us, and those that were left."""
    links = room.prepared(*TABLE).copies[0].links
    taken = [(href, link) for href, link in zip(TABLE, links, strict=True) if link]
    answers = room.hot.ask(*(request(link.removeprefix(room.hot.url)) for _, link in taken), connections=1)
    left = [href for href, link in zip(TABLE, links, strict=True) if not link]
    return [Followed(href, answer) for (href, _), answer in zip(taken, answers, strict=True)], left


def test_whoever_is_led_is_led_where_a_browser_would_have_gone(room: Room) -> None:
    """The whole table: 300 addresses and more."""
    led, left = followed(room)
    assert len(TABLE) == len(led) + len(left) >= 300
    assert min(len(led), len(left)) > 90
    for each in led:
        location = each.answer.header("location")
        browsers, ours = ada_url.URL(location), urlsplit(location)
        assert (each.answer.status, location) == (302, ada_url.URL(each.href).href)
        assert (browsers.href, browsers.hostname, browsers.protocol) == (location, ours.hostname, f"{ours.scheme}:")
        assert browsers.port == ("" if ours.port is None else str(ours.port))
        assert browsers.protocol in ("http:", "https:")
        assert "@" not in ours.netloc
        assert not {*location} & {*map(chr, range(0x21)), "\\", "\x7f"}
    assert room.stored() == len(led)
    assert sorted(Event.objects.values_list("link", flat=True)) == list(range(1, len(led) + 1))


def test_what_could_deceive_is_not_taken(room: Room) -> None:
    """BI-D6: no page in between for user names and the like. Such a link stays as its author wrote it."""
    _, left = followed(room)
    assert {*NO_TARGETS} <= {*left}


def test_what_is_left_is_left_to_the_byte(room: Room) -> None:
    """In the HTML of a message: a link is ours or what it was, and nothing else is touched."""
    lines = [f'<a href="{_written(href)}">' for href in TABLE]
    html = room.prepared(html="\n".join(lines), links=None).copies[0].html or ""
    found = html.split("\n")
    pixel = found[-1].index("<img ")
    found[-1] = found[-1][:pixel]
    _, left = followed(room)
    assert len(found) == len(TABLE)
    for href, line, after in zip(TABLE, lines, found, strict=True):
        assert (after == line) == (href in left), href[:80]
        assert after == line or unescape(after).startswith(f'<a href="{room.hot.url}/t/c/'), href[:80]


def _written(href: str) -> str:
    return escape(href).replace("\n", "&#10;").replace("\r", "&#13;")
