"""The simulated Pub/Sub: what a push endpoint of ours will meet. Google's own library verifies its tokens."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from tests.contracts.mailbox_standing import Post, letter
from tests.simulators.mail_providers import MailProvider

TOPIC = {"topicName": "projects/sidebar-demo/topics/gmail"}
READ = "openid https://www.googleapis.com/auth/gmail.readonly"


@dataclass
class Endpoint:
    """Ours, as it might be: `statuses` are answered first, then 204."""

    url: str = ""
    heard: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def news(self) -> list[dict[str, Any]]:
        return [json.loads(base64.urlsafe_b64decode(body["message"]["data"])) for body, _ in self.heard]

    def wait(self, count: int) -> None:
        until(lambda: len(self.heard) >= count)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def endpoint(google: MailProvider) -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.heard.append((body, self.headers["Authorization"]))
            self.send_response(made.statuses.pop(0) if made.statuses else 204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/google/gmail/"
        google.sim("push", {"url": made.url, "audience": "https://us.example/hooks/google/gmail/"})
        yield made
        google.sim("push", {"url": ""})
        server.shutdown()


@pytest.fixture
def post(google: MailProvider) -> Post:
    return Post(google)


@pytest.fixture
def ask(google: MailProvider) -> Callable[..., dict[str, Any]]:
    token = google.tokens("alice", scope=READ)["access_token"]

    def do(what: str, body: dict[str, Any]) -> dict[str, Any]:
        where = f"{google.info['api_url']}/gmail/v1/users/me/{what}"
        answer = google.http.post(where, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.ok, answer.text
        return dict(answer.json()) if answer.content else {}

    return do


Ask = Callable[..., dict[str, Any]]


def a_second_later(google: MailProvider) -> None:
    google.sim("clock", {"advance": 1})


def test_news_come_signed(google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask) -> None:
    watched = ask("watch", TOPIC)
    a_second_later(google)
    post.deliver(letter())
    endpoint.wait(2)
    body, authorization = endpoint.heard[-1]
    news = max(endpoint.news(), key=lambda each: int(each["historyId"]))  # in no order, as at Pub/Sub
    assert news["emailAddress"] == "alice@acme.example"
    assert int(news["historyId"]) > int(watched["historyId"])
    assert body["message"]["messageId"] == body["message"]["message_id"]
    assert body["subscription"].startswith("projects/")
    certs = google.metadata()["jwks_uri"]
    audience = "https://us.example/hooks/google/gmail/"
    claims = id_token.verify_token(authorization.removeprefix("Bearer "), Request(google.http), audience, certs)
    assert claims["iss"] == google.info["api_url"]
    assert (claims["email"], claims["email_verified"]) == ("push@sidebar-demo.iam.gserviceaccount.example", True)


def test_news_come_again_until_they_are_taken(google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask) -> None:
    ask("watch", TOPIC)
    endpoint.wait(1)
    endpoint.statuses = [500, 302, 404]
    a_second_later(google)
    post.deliver(letter())
    endpoint.wait(5)
    assert len({body["message"]["messageId"] for body, _ in endpoint.heard[1:]}) == 1
    sent = post.simulated.sim("push", {})["sent"]
    assert [each["status"] for each in sent[1:4]] == [500, 302, 404]


def test_news_may_come_twice_or_never(google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask) -> None:
    ask("watch", TOPIC)
    endpoint.wait(1)
    google.sim("push", {"copies": 2})
    a_second_later(google)
    post.deliver(letter("1"))
    endpoint.wait(3)
    google.sim("push", {"copies": 1, "lost": 1})
    a_second_later(google)
    post.deliver(letter("2"))
    a_second_later(google)
    post.deliver(letter("3"))
    endpoint.wait(4)
    time.sleep(0.1)
    assert len(endpoint.heard) == 4


def test_of_many_changes_within_a_second_the_first_alone_is_told(
    google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask
) -> None:
    """For each person; what was dropped is never told of, and known from the history id of the next one."""
    ask("watch", TOPIC)
    bob = Post(google, "bob")
    token = google.tokens("bob", scope=READ)["access_token"]
    url, bearer = f"{google.info['api_url']}/gmail/v1/users/me/watch", {"Authorization": f"Bearer {token}"}
    assert google.http.post(url, json=TOPIC, headers=bearer, timeout=10).ok
    endpoint.wait(2)
    a_second_later(google)
    for each in (post, bob):
        each.deliver(*(letter(number) for number in range(5)))
    endpoint.wait(4)
    time.sleep(0.2)
    assert sorted(each["emailAddress"] for each in endpoint.news()[2:]) == ["alice@acme.example", "bob@acme.example"]
    a_second_later(google)
    post.deliver(letter("later"))
    endpoint.wait(5)
    assert len(endpoint.heard) == 5
    hers = [int(each["historyId"]) for each in endpoint.news() if each["emailAddress"] == "alice@acme.example"]
    assert hers[-1] > hers[-2] + 4


def test_who_is_not_watched_is_not_told_of(google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask) -> None:
    post.deliver(letter("1"))
    ask("watch", {**TOPIC, "labelIds": ["SENT"], "labelFilterBehavior": "include"})
    endpoint.wait(1)
    a_second_later(google)
    post.deliver(letter("2"))
    Post(google, "bob").deliver(letter("3"))
    post.deliver(letter("4"), folder="sent")
    endpoint.wait(2)
    ask("stop", {})
    a_second_later(google)
    post.deliver(letter("5"), folder="sent")
    time.sleep(0.1)
    assert len(endpoint.heard) == 2


def test_watching_ends_after_seven_days(google: MailProvider, endpoint: Endpoint, post: Post, ask: Ask) -> None:
    google.sim("limits", {"expires_in": 30 * 86_400})
    first = ask("watch", TOPIC)
    endpoint.wait(1)
    assert abs(int(first["expiration"]) / 1000 - time.time() - 7 * 86_400) < 60
    google.sim("clock", {"advance": 8 * 86_400})
    post.deliver(letter())
    time.sleep(0.1)
    assert len(endpoint.heard) == 1
