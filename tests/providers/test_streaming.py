"""Bodies read piece by piece: their bounds, their deadlines, and a token that is renewed before the first piece."""

import time
import tracemalloc
from itertools import islice

import pytest

from providers import http
from providers.authorised import Authorised
from providers.base import Access, Secret
from providers.errors import FreshTokenRefused, Rejected, Transient
from providers.streaming import streamed
from tests.providers.faulty import Behaviour, Faulty, Handler


def sized(content: bytes, announced: int) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Length", str(announced))
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def chunked(size: int, pieces: int, every: float = 0.0) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _ in range(pieces):
            handler.wfile.write(b"%x\r\n%s\r\n" % (size, b"x" * size))
            time.sleep(every)
        handler.wfile.write(b"0\r\n\r\n")

    return behave


def test_a_body_comes_in_pieces_and_in_little_memory(session: http.Session, server: Faulty) -> None:
    server.behave = chunked(1_000_000, 40)
    tracemalloc.start()
    with streamed(session, "GET", server.url, most=50_000_000) as answer:
        assert (answer.status, answer.length) == (200, None)
        assert sum(map(len, answer)) == 40_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000  # the server's pieces of a megabyte count, too: it runs in this process


@pytest.mark.parametrize("behave", [sized(b"x" * 2_000, 2_000), chunked(1_000, 2)], ids=["announced", "not announced"])
def test_more_than_allowed_is_refused(session: http.Session, server: Faulty, behave: Behaviour) -> None:
    server.behave = behave
    with streamed(session, "GET", server.url, most=1_999) as answer, pytest.raises(Rejected, match="longer"):
        list(answer)


def test_a_body_that_breaks_off_is_never_taken_for_whole(session: http.Session, server: Faulty) -> None:
    server.behave = sized(b"x" * 500, 1_000)
    with streamed(session, "GET", server.url, most=2_000) as answer, pytest.raises(Transient):
        list(answer)


def test_a_trickle_ends(session: http.Session, server: Faulty) -> None:
    server.behave = chunked(1, 100, every=0.05)
    began = time.monotonic()
    with streamed(session, "GET", server.url, most=2_000, seconds=0.5) as answer, pytest.raises(Transient):
        list(answer)
    assert time.monotonic() - began < 2


def test_another_request_may_be_made_between_two_pieces(session: http.Session, server: Faulty) -> None:
    """An attachment is read from one provider while it is sent to another: each has its own deadline."""
    server.behave = lambda handler: (
        chunked(100_000, 10)(handler) if handler.path == "/long" else handler.answer(200, {})
    )
    with streamed(session, "GET", f"{server.url}/long", most=2_000_000) as answer:
        pieces = iter(answer)
        first = sum(map(len, islice(pieces, 1)))
        assert http.ask(session, "POST", f"{server.url}/other", data="{}").status_code == 200
        assert first + sum(map(len, pieces)) == 1_000_000


class Tokens:
    """Gives out `one`, `two` ... each time the last was refused."""

    def __init__(self, url: str) -> None:
        self.url, self.given = url, ["one"]

    def access(self, *, rejected: Secret | None = None) -> Access:
        if rejected is not None:
            self.given.append({"one": "two", "two": "three"}.get(rejected.reveal(), "four"))
        return Access(Secret(self.given[-1]), self.url)


def accepts(token: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        is_good = handler.headers["Authorization"] == f"Bearer {token}"
        handler.answer(200 if is_good else 401, {"ok": is_good})

    return behave


def authorised(session: http.Session, server: Faulty) -> tuple[Authorised, Tokens]:
    tokens = Tokens(server.url)
    return Authorised(tokens, session, server.url, "google", "Google"), tokens


@pytest.mark.parametrize(("good", "given"), [("one", ["one"]), ("three", ["one", "two", "three"])])
def test_a_refused_token_is_replaced(session: http.Session, server: Faulty, good: str, given: list[str]) -> None:
    server.behave = accepts(good)
    calls, tokens = authorised(session, server)
    assert calls.call("GET", "/x").json() == {"ok": True}
    assert tokens.given == given
    tokens.given = ["one"]
    with calls.reading("/x", most=100) as answer:
        assert b"".join(answer) == b'{"ok": true}'
    assert tokens.given == given


def test_a_fresh_token_that_is_refused_ends_it(session: http.Session, server: Faulty) -> None:
    server.behave = accepts("none")
    calls, _ = authorised(session, server)
    with pytest.raises(FreshTokenRefused):
        calls.call("GET", "/x")
    with pytest.raises(FreshTokenRefused), calls.reading("/x", most=100):
        pass
    assert len(server.seen) == 6


@pytest.mark.parametrize("link", ["https://elsewhere.example/x", "//elsewhere.example/x", "x", "{url}.evil.example/x"])
def test_a_link_to_another_host_gets_no_token(session: http.Session, server: Faulty, link: str) -> None:
    calls, _ = authorised(session, server)
    with pytest.raises(ValueError, match="another host"):
        calls.call("GET", link.format(url=server.url))
    assert not server.seen
