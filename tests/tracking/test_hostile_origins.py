"""Who asked, as the worker learns it: no more than is looked at, and only what proxies of ours have written (BI-D8,
BI-D13). Over HTTP, against the hot process."""

import pytest
from pytest_django import Settings

from organizations import policy
from tests.tracking import hot_process
from tests.tracking.conftest import Room
from tests.tracking.hot_process import CHROME, request
from tracking.classify import Verdict
from tracking.hot.pages import GIF
from tracking.hot.tokens import Kind
from tracking.models import Event

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
HOPS = "198.51.100.7, " * 999 + "198.51.100.8"
BOMBS = [
    (b"User-Agent: " + b"A" * 100_000, ["127.0.0.1", "A" * 512, ""]),
    (b"User-Agent: " + b"Mozilla/5.0 (" * 20_000, ["127.0.0.1", ("Mozilla/5.0 (" * 40)[:512], ""]),
    (b"User-Agent: \xff\xfe\x80", ["127.0.0.1", "", ""]),
    ("User-Agent: Mozilla \u4f60\u597d \U0001f600".encode(), ["127.0.0.1", "", ""]),
    (b"User-Agent:", ["127.0.0.1", "", ""]), (b"User-Agent: a\tb", ["127.0.0.1", "a\tb", ""]),
    (b"User-Agent: first\r\nUser-Agent: second", ["127.0.0.1", "first", ""]),
    (b"Accept-Language: " + b",".join([b"de;q=0.1"] * 20_000), ["127.0.0.1", CHROME, ""]),
    (b"Cookie: " + b"a=b; " * 20_000, ["127.0.0.1", CHROME, ""]),
    (b"X-Forwarded-For: " + HOPS.encode(), ["127.0.0.1", CHROME, HOPS[-512:]]),
    (b"X-Forwarded-For: \xff\xfe", ["127.0.0.1", CHROME, ""]),
    (b"X-Forwarded-For: <script>\r\nX-Forwarded-For: ,,,,", ["127.0.0.1", CHROME, "<script>,,,,,"]),
    (b"Purpose: \xff\xfe" + b"a" * 50_000, ["127.0.0.1", CHROME, ""]),
]  # fmt: skip


def test_of_a_bomb_no_more_is_kept_than_is_looked_at(room: Room) -> None:
    """BI-D8: read from the stream as the worker does."""
    asked = zip(room.paths(Kind.OPEN, len(BOMBS)), BOMBS, strict=True)
    answers = room.hot.ask(*(request(path, line) for path, (line, _) in asked))
    assert {(answer.status, answer.body) for answer in answers} == {(200, GIF)}
    who = {hit.link: hit.who for hit in room.hits()}
    assert [who[number] for number in range(len(BOMBS))] == [expected for _, expected in BOMBS]


#: What comes with X-Forwarded-For through a proxy at 127.0.0.1, and whether 198.51.100.0/24 or 2001:db8:7::/48 asked.
WAYS = [
    (["198.51.100.7"], True), (["203.0.113.9, 198.51.100.7"], True), (["198.51.100.7, 203.0.113.9"], False),
    (["198.51.100.7", "203.0.113.9"], False), (["203.0.113.9", "198.51.100.7"], True),
    (["203.0.113.9, " * 999 + "198.51.100.7"], True), (["198.51.100.7, " * 999 + "203.0.113.9"], False),
    (["x" * 100_000 + ", 198.51.100.7"], True), (["198.51.100.7, " + "x" * 100_000], False),
    (["198.51.100.7, 10.1.2.3"], True), (["198.51.100.7, 203.0.113.9, 10.1.2.3, 127.0.0.1"], False),
    (["198.51.100.7, garbage"], False), (["198.51.100.7, unknown, 10.1.2.3"], False), (["198.51.100.300"], False),
    (["198.51.100.7,,, ,"], True), (["::ffff:198.51.100.7"], True), (["2001:db8:7::1%eth0"], True),
    (["2001:db8:8::1"], False), (["2001:DB8:7:0:0::1, ::ffff:10.1.2.3"], True), (["0xC6336407"], False),
    (["3325256711"], False), (["198.51.100.07"], False), (["\xb9\xb2\xb3"], False), (["198.51.100.7\t"], True),
    ([""], False), ([], False),
]  # fmt: skip


def test_a_client_cannot_say_where_it_comes_from(room: Room, settings: Settings) -> None:
    """BI-D8, BI-D13: only what trusted proxies have written counts, from its end, however much stands before it."""
    settings.TRUSTED_PROXIES = ["127.0.0.1", "10.0.0.0/8"]
    own = ["198.51.100.0/24", "2001:db8:7::/48"]
    policy.set_organization_value(room.alice, room.alice.organization_id, "track.own_networks", own)
    asked = zip(room.paths(Kind.OPEN, len(WAYS)), WAYS, strict=True)
    room.hot.ask(*(request(path, *(f"X-Forwarded-For: {line}" for line in lines)) for path, (lines, _) in asked))
    assert room.stored() == len(WAYS)
    found = Event.objects.order_by("link").values_list("verdict", flat=True)
    assert [verdict == Verdict.SELF for verdict in found] == [is_own for _, is_own in WAYS]


def test_nothing_but_a_trusted_proxy_is_believed(room: Room, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["192.0.2.1", "*", "proxy.example"]
    policy.set_organization_value(room.alice, room.alice.organization_id, "track.own_networks", ["198.51.100.0/24"])
    room.hot.ask(request(*room.paths(Kind.OPEN, 1), "X-Forwarded-For: 198.51.100.7"))
    assert room.stored() == 1
    assert Event.objects.get().verdict != Verdict.SELF


def test_who_comes_by_ipv6_is_known_as_well(room: Room, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["::1"]
    policy.set_organization_value(room.alice, room.alice.organization_id, "track.own_networks", ["2001:db8:7::/48"])
    (path,) = room.paths(Kind.OPEN, 1)
    with hot_process.beside(room.hot, "::1") as other:
        assert other.ask(request(path, "X-Forwarded-For: 2001:db8:7::9"))[0].body == GIF
        assert [hit.who[0] for hit in room.hits()] == ["::1"]
    assert room.stored() == 1
    assert Event.objects.get().verdict == Verdict.SELF
