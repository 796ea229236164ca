"""Watching a mailbox, and Pub/Sub that carries the news to a push endpoint: at least once, signed, again where refused.

Sources: developers.google.com/workspace/gmail/api/guides/push (seven days; one notice a second and user, the
others are dropped); cloud.google.com/pubsub/docs/push (body, acknowledgement by 102, 200, 201, 202, 204; back-off),
.../authenticate-push-subscriptions (claims)."""

import asyncio
import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulators.google.mail.errors import GmailError, invalid
from simulators.oauth.signing import Signer

WATCH_SECONDS = 7 * 86_400
#: Between two notices of one user.
APART = 1.0
_GOOD = frozenset({102, 200, 201, 202, 204})
_TRIES = 8


@dataclass
class Watch:
    topic: str
    labels: frozenset[str]
    excludes: bool
    ends: float
    client: str

    def wants(self, labels: set[str], now: float) -> bool:
        if now >= self.ends:
            return False
        return not self.labels or bool(self.labels & labels) is not self.excludes


@dataclass
class Endpoint:
    """A push subscription of one topic. `audience`, `account`: what its tokens say; `copies`: how often each message
    comes; `lost`: how many of the next never come; `first_wait`: seconds before the second try, doubling."""

    url: str = ""
    audience: str = ""
    account: str = "push@sidebar-demo.iam.gserviceaccount.example"
    subscription: str = "projects/sidebar-demo/subscriptions/gmail"
    copies: int = 1
    lost: int = 0
    first_wait: float = 0.1
    sent: list[dict[str, Any]] = field(default_factory=list)


class Pusher:
    """`push_to`: where notices go unless a test says otherwise. `refused_topics`: watching is refused there."""

    def __init__(self, signer: Signer, now: Callable[[], float], ca: str = "") -> None:
        self.signer, self.now, self.ca = signer, now, ca
        self.issuer = self.push_to = ""
        self.endpoint = Endpoint()
        self.refused_topics: set[str] = set()
        self._number = 0
        self._told_at: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def restore(self) -> None:
        self.endpoint = Endpoint(url=self.push_to)
        self.refused_topics.clear()
        self._told_at.clear()

    def check(self, topic: str) -> None:
        """Raises GmailError as users.watch does."""
        parts = topic.split("/")
        if len(parts) != 4 or parts[0] != "projects" or parts[2] != "topics" or not all(parts):
            raise invalid("Invalid topicName does not match projects/<project>/topics/*")
        if topic in self.refused_topics:
            text = f"Error sending test message to Cloud PubSub {topic} : User not authorized to perform this action."
            raise GmailError(403, "forbidden", text)

    def tell(self, email: str, history: int) -> None:
        """Soon; the caller does not wait. Never where this user was told of something within the last second: what
        is dropped comes with no later notice either."""
        now = self.now()
        if not self.endpoint.url or now - self._told_at.get(email, 0.0) < APART:
            return
        self._told_at[email] = now
        if self.endpoint.lost > 0:
            self.endpoint.lost -= 1
            return
        self._number += 1
        for _ in range(self.endpoint.copies):
            task = asyncio.get_running_loop().create_task(self._deliver(email, history, str(self._number)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, email: str, history: int, number: str) -> None:
        endpoint, body = self.endpoint, self._body(email, history, number)
        for attempt in range(_TRIES):
            status = await asyncio.to_thread(self._post, endpoint, body)
            endpoint.sent.append({"message_id": number, "email": email, "history_id": history, "status": status})
            if status in _GOOD:
                return
            await asyncio.sleep(min(endpoint.first_wait * 2**attempt, 600.0))

    def _body(self, email: str, history: int, number: str) -> bytes:
        news = json.dumps({"emailAddress": email, "historyId": history}).encode()
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = {"data": base64.urlsafe_b64encode(news).decode(), "messageId": number, "message_id": number}
        message |= {"publishTime": when, "publish_time": when}
        return json.dumps({"message": message, "subscription": self.endpoint.subscription}).encode()

    def token(self, endpoint: Endpoint) -> str:
        now = int(time.time())
        who = {"email": endpoint.account, "email_verified": True, "sub": "113774264463038321964", "azp": "1137742644"}
        return self.signer.sign(
            {"iss": self.issuer, "aud": endpoint.audience or endpoint.url, "iat": now, "exp": now + 3600, **who}
        )

    def _post(self, endpoint: Endpoint, body: bytes) -> int:
        """The status, 0 where nobody answered."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token(endpoint)}"}
        headers |= {"User-Agent": "CloudPubSub-Google"}
        request = urllib.request.Request(endpoint.url, body, headers)  # noqa: S310  the endpoint is a test's own
        context = ssl.create_default_context(cafile=self.ca) if endpoint.url.startswith("https:") else None
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310  # nosec B310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
