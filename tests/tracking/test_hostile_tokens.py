"""What is not ours to the last bit is answered like anything else and leaves nothing behind: over HTTP, against the hot
process and the worker (BI-D1, BI-D2, BI-D11, BI-D12)."""

import base64
import itertools
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlsplit

import pytest
from django.utils import timezone

from organizations import policy
from tests.tracking.conftest import Room
from tests.tracking.hot_process import Answer, HotProcess, a_click, an_open, link, pixel, request
from tracking import publishing, withdrawing
from tracking.hot.pages import GIF, NOT_FOUND, WITHDRAWN
from tracking.hot.tokens import Keyring, Kind, Opened

database = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
TARGET = "https://www.example.com/offers?utm_source=mail&id=123#top"
#: What HTTP allows nowhere in a request's first line, or granian's parser does not take there: no request at all.
NO_HTTP = frozenset([*range(0x21), *b"<>`", *range(0x7F, 0x100)])


def flipped(token: str) -> Iterator[str]:
    """Each bit of what the token says in base64url, one at a time."""
    raw = base64.urlsafe_b64decode(token)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield base64.urlsafe_b64encode(changed).decode()


def flipped_on_the_wire(token: str) -> Iterator[bytes]:
    """Each bit of each of its characters."""
    for bit in range(len(token) * 8):
        changed = bytearray(token.encode())
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def is_the_image(answer: Answer) -> bool:
    return (answer.status, answer.header("content-type"), answer.body) == (200, "image/gif", GIF)


def is_the_page(answer: Answer) -> bool:
    return (answer.status, answer.header("location"), answer.body) == (404, "", NOT_FOUND)


def path_of(url: str | None) -> str:
    assert url
    return urlsplit(url).path


def token_of(url: str | None) -> str:
    return path_of(url).rpartition("/")[2].removesuffix(".gif")


@database
def test_every_flipped_bit_of_a_pixel(room: Room) -> None:
    """All of 528: the image, headers and all as for a good one, and only the good one is in the table."""
    good = token_of(room.prepared().copies[0].pixel)
    forged = list(flipped(good))
    assert len(forged) == 528
    (answer, *answers) = room.hot.ask(*(request(pixel(token)) for token in (good, *forged)))
    assert is_the_image(answer)
    assert set(answers) == {answer}
    assert room.stored() == 1


@database
def test_every_flipped_bit_of_a_link(room: Room) -> None:
    """The 404 page, and nobody is led anywhere."""
    good = token_of(room.prepared(TARGET).copies[0].links[0])
    forged = list(flipped(good))
    assert len(forged) > 800
    (answer, nonsense, *answers) = room.hot.ask(*(request(link(token)) for token in (good, "nonsense", *forged)))
    assert (answer.status, answer.header("location")) == (302, TARGET)
    assert is_the_page(nonsense)
    assert set(answers) == {nonsense}
    assert room.stored() == 1


@pytest.mark.parametrize("path", [pixel, link])
def test_every_bit_of_every_character_on_the_wire(hot: HotProcess, path: Callable[[str], str]) -> None:
    """What is still a request is answered like any forged one; what is none any more is refused as such."""
    hot.forget()
    good = an_open(hot.keyring) if path is pixel else a_click(hot.keyring, TARGET)
    before, after = (part.encode() for part in path("|").split("|"))
    changed = list(flipped_on_the_wire(good))
    answers = hot.ask_each(*(request(before + token + after) for token in changed))
    right = is_the_image if path is pixel else is_the_page
    for token, answer in zip(changed, answers, strict=True):
        assert answer is not None
        assert answer.status == 400 if NO_HTTP & set(token) else right(answer), token
    assert sum(right(answer) for answer in answers if answer) > len(good) * 3
    assert hot.hits() == []


def others(ring: Keyring, kind: Kind) -> Iterator[str]:
    """Cut, spelled otherwise, put together of two, of the other kind, under other keys."""
    opened = Opened(os.urandom(16), os.urandom(16), 1 * (kind is Kind.CLICK), TARGET * (kind is Kind.CLICK))
    good, second = (next(each for each in _seals(ring, kind, opened) if {*"-_"} <= {*each}) for _ in range(2))
    yield from (good[:end] for end in range(len(good)))
    yield from (good[start:] for start in range(1, len(good), 7))
    yield from (good[:16] + second[16:], good[:-24] + second[-24:], second[:24] + good[24:], good * 2)
    yield from _spelled(good)
    yield from _looking_alike(good)
    yield from _sealed(ring, kind, opened)
    yield from ("", "=", "A" * 88, "A" * 2_000, "A" * 2_004, "0", "null", "undefined", "{token}", "..", "%2e%2e", "*")


def _spelled(good: str) -> Iterator[str]:
    tails = ("=", "==", "A", "AAAA", "====", ".", "%20", "%0A", "%00", "%3D", "/", "//", ";", ".gif", ",", "%2e", "!")
    heads = ("A", "AAAA", "%20", "%0d%0a", ".", "./", "../", "%2f", "\\", "=", "~", "%", "%00", ":", "@")
    yield from (good + tail for tail in tails)
    yield from (head + good for head in heads)
    yield from (good.replace("-", "+"), good.replace("_", "%2F"), good.translate({45: "+", 95: "%2F"}))
    yield from (good.upper(), good.lower(), good.swapcase(), good[::-1], good.replace("-", "%252D"))


def _looking_alike(good: str) -> Iterator[str]:
    """Of Unicode: Cyrillic, Greek, mathematical, full width, and what is not seen at all."""
    alike = dict(zip("AaOoIlKSeE", "\u0410\u0430\u039f\u043e\u0399\u217c\u212a\uff33\u212f\u0395", strict=True))
    yield from (quote(good.replace(letter, other)) for letter, other in alike.items() if letter in good)
    yield quote("".join(chr(ord(each) + 0xFEE0) for each in good))
    yield from (
        quote(good + "\u200b"),
        quote("\ufeff" + good),
        quote(good[:8] + "\u00ad" + good[8:]),
        quote(good + "\u0301"),
    )


def _sealed(ring: Keyring, kind: Kind, opened: Opened) -> Iterator[str]:
    """For the other kind; under keys that are not ours; and by a stranger who knows how tokens are made, but no key."""
    yield ring.seal(Kind.CLICK if kind is Kind.OPEN else Kind.OPEN, opened)
    yield from (Keyring([key]).seal(kind, opened) for key in (bytes(32), secrets.token_bytes(32), b"\xff" * 32))
    ours = base64.urlsafe_b64decode(ring.seal(kind, opened))
    theirs = base64.urlsafe_b64decode(Keyring([secrets.token_bytes(32)]).seal(kind, opened))
    mixed = (
        ours[:4] + theirs[4:],
        theirs[:4] + ours[4:],
        b"\x00" + ours[1:],
        b"\x02" + ours[1:],
        ours[:16] + bytes(50),
    )
    yield from (base64.urlsafe_b64encode(raw).decode() for raw in mixed)


def _seals(ring: Keyring, kind: Kind, opened: Opened) -> Iterator[str]:
    return (ring.seal(kind, opened) for _ in itertools.count())


@pytest.mark.parametrize("kind", Kind)
def test_other_spellings_and_other_seals(hot: HotProcess, kind: Kind) -> None:
    hot.forget()
    forged = sorted({*others(hot.keyring, kind)})
    path, right = (pixel, is_the_image) if kind is Kind.OPEN else (link, is_the_page)
    answers = hot.ask_each(*(request(path(token)) for token in forged))
    wrong = [(token, answer) for token, answer in zip(forged, answers, strict=True) if not (answer and right(answer))]
    assert wrong == []
    assert len(forged) > 150
    assert hot.hits() == []


@database
def test_what_is_sealed_for_somebody_else_leaves_no_row(room: Room) -> None:
    """A copy of Acme's in the name of Globex, a copy that nobody has, and Acme's link number on nothing of Acme's."""
    copy = room.prepared(TARGET).message
    assert copy is not None
    mine = copy.copies.get().pk.bytes
    globex, acme = room.charlie.organization_id.bytes, room.alice.organization_id.bytes
    strangers = [(globex, mine), (acme, os.urandom(16)), (os.urandom(16), mine), (mine, acme), (bytes(16), bytes(16))]
    seal = room.hot.keyring.seal
    opens = [pixel(seal(Kind.OPEN, Opened(*ids))) for ids in strangers]
    clicks = [link(seal(Kind.CLICK, Opened(*ids, 1, TARGET))) for ids in strangers]
    answers = room.hot.ask(*map(request, opens + clicks))
    assert all(map(is_the_image, answers[:5]))
    assert {(each.status, each.header("location")) for each in answers[5:]} == {(302, TARGET)}
    assert room.stored() == 0


@database
def test_what_is_switched_off_is_answered_alike_and_not_recorded(room: Room) -> None:
    """BI-D11: image and link work as before; nothing reaches the stream."""
    copy = room.prepared(TARGET).copies[0]
    paths = [path_of(copy.pixel), path_of(copy.links[0])]
    on = room.hot.ask(*map(request, paths))
    assert room.stored() == 2
    for key in ("track.opens", "track.clicks"):
        policy.set_organization_value(room.alice, room.alice.organization_id, key, False)
    publishing.publish_standing(timezone.now())
    _await(lambda: _leaves_nothing(room, paths))
    assert room.hot.ask(*map(request, paths)) == on
    assert room.hot.hits() == []
    assert room.stored() == 2


def _leaves_nothing(room: Room, paths: list[str]) -> bool:
    room.hot.forget()
    room.hot.ask(*map(request, paths))
    return not room.hot.hits()


@database
def test_a_withdrawn_target_is_a_page(room: Room) -> None:
    """Only there, and only for the organization whose administrator withdrew it."""
    bad, good = room.prepared(TARGET, "https://www.example.com/").copies[0].links
    foreign = room.hot.keyring.seal(Kind.CLICK, Opened(room.charlie.organization_id.bytes, os.urandom(16), 1, TARGET))
    withdrawing.withdraw(room.alice, room.alice.organization_id, TARGET)
    publishing.publish_standing(timezone.now())
    _await(lambda: room.hot.ask(request(path_of(bad)))[0].status == 410)
    answers = room.hot.ask(*map(request, (path_of(bad), path_of(good), link(foreign))))
    assert (answers[0].header("location"), answers[0].body) == ("", WITHDRAWN)
    assert [each.header("location") for each in answers[1:]] == ["https://www.example.com/", TARGET]


def _await(look: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < 10


def test_no_answer_is_kept_or_tells_where_its_reader_came_from(hot: HotProcess) -> None:
    """BI-D12, and no cookie."""
    paths = [
        pixel(an_open(hot.keyring)),
        pixel("x"),
        link(a_click(hot.keyring, TARGET)),
        link("x"),
        "/",
        "/t/",
        "/t/o/x",
    ]
    requests = [request(path, method=method) for path in paths for method in ("GET", "HEAD", "POST")]
    for answer in hot.ask(*requests):
        assert answer.header("cache-control") == "no-store, private, max-age=0"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("x-content-type-options") == "nosniff"
        assert {"etag", "last-modified", "set-cookie", "expires", "accept-ranges"}.isdisjoint(dict(answer.headers))


def test_time_does_not_tell_a_forged_pixel_from_a_good_one(hot: HotProcess) -> None:
    """By turns on one connection: how often the one is slower than the other. 0.5 means that nothing can be told; 700
    rounds are off by more than 0.1 once in a million runs. A forged one that wrote nothing was at 0.9."""
    good, chance = an_open(hot.keyring), random.Random(7)
    asked = {
        "good": [pixel(good)],
        "flipped": [pixel(token) for token in flipped(good)],
        "foreign": [pixel(an_open(Keyring([secrets.token_bytes(32)])))],
    }
    turns = [name for name in asked for _ in range(250)]
    chance.shuffle(turns)
    took: dict[str, list[float]] = {name: [] for name in asked}
    for name, seconds in zip(turns, hot.times([request(chance.choice(asked[name])) for name in turns]), strict=True):
        took[name].append(seconds)
    assert 0.35 < _slower(took["good"], took["flipped"]) < 0.65
    assert 0.35 < _slower(took["good"], took["foreign"]) < 0.65


def _slower(some: list[float], others: list[float]) -> float:
    return sum(one > other for one in some for other in others) / len(some) / len(others)
