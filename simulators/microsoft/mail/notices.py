"""Tells subscribers of changes: the handshake, notices with retries, late or never to who is slow, lifecycle notices.

Sources: learn.microsoft.com/graph/change-notifications-delivery-webhooks (3 s for an answer; up to four hours of
retries, then dropped; 10 s for the handshake), /graph/change-notifications-lifecycle-events."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

from simulators.microsoft.accounts import Account, new_id
from simulators.microsoft.mail.box import Message
from simulators.microsoft.mail.calling import Answer, Caller
from simulators.microsoft.mail.failures import bad
from simulators.microsoft.mail.pace import SLOW, Pace
from simulators.microsoft.mail.resources import stamp
from simulators.microsoft.mail.subscriptions import Subscription, Subscriptions

HANDSHAKE_SECONDS, SECONDS = 10.0, 3.0
GIVES_UP = 4 * 3600.0
_LONGEST_WAIT = 60.0
_LOOKS_EVERY = 0.2
_EVENTS = ("reauthorizationRequired", "subscriptionRemoved", "missed")
_ABOUT = ("subscriptionId", "subscriptionExpirationDateTime", "clientState", "tenantId")
Json = dict[str, Any]


@dataclass
class Manners:
    """What a test may ask for, at /_sim/push: each notice so often, so many of the next lost, the first wait for a
    second try."""

    copies: int = 1
    lost: int = 0
    first_wait: float = 1.0


class Notices:
    def __init__(self, subscriptions: Subscriptions, now: Callable[[], float], caller: Caller) -> None:
        self.subscriptions, self.now, self.caller = subscriptions, now, caller
        self.manners = Manners()
        self.pace = Pace(now)
        self.sent: list[Json] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def change(self, body: Json) -> Json:
        self.manners = replace(self.manners, **body)
        return asdict(self.manners) | {"sent": self.sent}

    async def shake_hands(self, url: str) -> None:
        """Raises Refusal where the address does not give the token back as plain text."""
        token = (
            f"Validation: Testing client application reachability for subscription Request-Id: {secrets.token_hex(8)}"
        )
        joint = "&" if "?" in url else "?"
        asked = f"{url}{joint}validationToken={quote(token, safe='')}"
        answer = await self.caller.post(asked, b"", "text/plain; charset=utf-8", HANDSHAKE_SECONDS)
        if (answer.status, answer.kind, answer.body) != (200, "text/plain", token.encode()):
            text = f"Subscription validation request failed. Endpoint answered with status {answer.status}."
            raise bad(text, "ValidationError")

    def tell(self, account: Account, what: str, message: Message, folder: str) -> None:
        """A change of a message; called within the loop that serves."""
        for each in self.subscriptions.of(account.key):
            if what in each.kinds and each.folder in ("", folder):
                self._post(each, each.url, _notice(account, each, what, message))

    def lifecycle(self, account: Account, event: str) -> Json:
        """Of all subscriptions of this person; `subscriptionRemoved` ends them."""
        if event not in _EVENTS:
            raise ValueError(f"one of {', '.join(_EVENTS)}")
        found = [each for each in self.subscriptions.of(account.key) if each.lifecycle_url]
        for each in found:
            if event == "subscriptionRemoved":
                del self.subscriptions.all[each.id]
            self._post(each, each.lifecycle_url, _about(account, each) | {"lifecycleEvent": event})
        return {"told": len(found)}

    def _post(self, subscription: Subscription, url: str, notice: Json) -> None:
        if self.manners.lost > 0:
            self.manners.lost -= 1
            return
        for _ in range(self.manners.copies):
            task = asyncio.get_running_loop().create_task(self._deliver(subscription, url, notice))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, subscription: Subscription, url: str, notice: Json) -> None:
        began, wait, tries = self.now(), self.manners.first_wait, 0
        while self.now() - began < GIVES_UP:
            if self.pace.is_cut_off(url):
                return
            await self._until(self.now() + self.pace.delay(url))
            tries += 1
            answer = await self.caller.post(url, {"value": [notice]}, "application/json", SECONDS)
            self.pace.note(url, answer.seconds)
            self._note(subscription, notice, answer, tries)
            if 200 <= answer.status < 300:
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        if "changeType" in notice and subscription.lifecycle_url:
            about = {name: value for name, value in notice.items() if name in _ABOUT}
            self._post(subscription, subscription.lifecycle_url, about | {"lifecycleEvent": "missed"})

    async def _until(self, then: float) -> None:
        """By the provider's clock, which a test may put forward."""
        while (left := then - self.now()) > 0:  # noqa: ASYNC110  a clock that is put forward wakes nobody
            await asyncio.sleep(min(left, _LOOKS_EVERY))

    def _note(self, subscription: Subscription, notice: Json, answer: Answer, tries: int) -> None:
        kind = notice.get("changeType") or notice.get("lifecycleEvent")
        entry = {"subscription": subscription.id, "what": kind, "status": answer.status, "tries": tries}
        self.sent.append(entry | {"is_slow": answer.seconds > SLOW})


def _about(account: Account, subscription: Subscription) -> Json:
    return {
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": stamp(subscription.ends),
        "clientState": subscription.state,
        "tenantId": account.tid,
    }


def _notice(account: Account, subscription: Subscription, what: str, message: Message) -> Json:
    name = message.id if subscription.is_immutable else message.regular_id
    data = {
        "@odata.type": "#Microsoft.Graph.Message",
        "@odata.id": f"Users/{account.oid}/Messages/{name}",
        "@odata.etag": f'W/"{new_id()}"',
        "id": name,
    }
    place = {"changeType": what, "resource": f"Users/{account.oid}/Messages/{name}", "resourceData": data}
    return {"id": new_id(), **_about(account, subscription), **place}
