"""Subscriptions to changes of messages: what may be asked, and how long it lasts. Calls nobody.

Sources: learn.microsoft.com/graph/api/subscription-post-subscriptions, /graph/change-notifications-overview (4,230
minutes for messages; an end less than 45 minutes away is moved there; 1,000 for a mailbox)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from simulators.microsoft.accounts import new_id
from simulators.microsoft.mail.failures import Refusal, bad
from simulators.microsoft.mail.query import instant
from simulators.microsoft.mail.resources import stamp

LONGEST, SHORTEST = 4230 * 60.0, 45 * 60.0
MOST_FOR_MAILBOX = 1000
_LONGEST_STATE = 128
_KINDS = frozenset({"created", "updated", "deleted"})
_RESOURCE = re.compile(r"/?me(?:/mailfolders(?:\('(?P<key>[^']+)'\)|/(?P<part>[^/']+)))?/messages", re.IGNORECASE)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_TAKEN = frozenset(
    {"changeType", "notificationUrl", "lifecycleNotificationUrl", "resource", "expirationDateTime", "clientState"}
    | {"latestSupportedTlsVersion", "includeResourceData"}
)


@dataclass
class Subscription:
    """`folder`: as asked for, "" for the whole mailbox."""

    person: str
    client_id: str
    resource: str
    folder: str
    kinds: frozenset[str]
    url: str
    lifecycle_url: str
    state: str = field(repr=False)
    ends: float = 0.0
    is_immutable: bool = False
    id: str = field(default_factory=new_id)

    def json(self) -> dict[str, Any]:
        """The state is never shown."""
        return {
            "id": self.id,
            "resource": self.resource,
            "applicationId": self.client_id,
            "changeType": ",".join(sorted(self.kinds)),
            "clientState": None,
            "notificationUrl": self.url,
            "lifecycleNotificationUrl": self.lifecycle_url or None,
            "expirationDateTime": stamp(self.ends),
            "creatorId": self.person,
            "latestSupportedTlsVersion": "v1_2",
            "notificationQueryOptions": None,
        }


class Subscriptions:
    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.all: dict[str, Subscription] = {}

    def made(self, person: str, client_id: str, body: Any, is_immutable: bool) -> Subscription:
        """Not yet kept: both addresses are asked first. Raises Refusal."""
        if not isinstance(body, dict) or set(body) - _TAKEN:
            raise bad("The request body is no subscription.", "InvalidRequest")
        resource = _text(body, "resource")
        match = _RESOURCE.fullmatch(resource)
        if match is None:
            raise bad(f"Unsupported workload or resource '{resource}'.", "InvalidRequest")
        kinds = frozenset(_text(body, "changeType").replace(" ", "").lower().split(","))
        if not kinds <= _KINDS:
            raise bad("The changeType is not supported.", "InvalidRequest")
        return Subscription(
            person,
            client_id,
            resource,
            match["key"] or match["part"] or "",
            kinds,
            _url(_text(body, "notificationUrl")),
            _url(body["lifecycleNotificationUrl"]) if body.get("lifecycleNotificationUrl") else "",
            _state(body.get("clientState")),
            self.end(body),
            is_immutable,
        )

    def end(self, body: Mapping[str, Any]) -> float:
        """Raises Refusal where it is too far away."""
        wanted, now = instant(_text(body, "expirationDateTime")), self.now()
        if wanted > now + LONGEST:
            raise bad("Subscription expiration can only be 4230 minutes in the future.", "ExtensionError")
        return max(wanted, now + SHORTEST)

    def keep(self, subscription: Subscription) -> None:
        if len(self.of(subscription.person)) >= MOST_FOR_MAILBOX:
            raise Refusal(403, "ExtensionError", "The mailbox has too many subscriptions.")
        self.all[subscription.id] = subscription

    def of(self, person: str) -> list[Subscription]:
        """Living ones."""
        for each in [each for each in self.all.values() if each.ends <= self.now()]:
            del self.all[each.id]
        return [each for each in self.all.values() if each.person == person]

    def one(self, person: str, client_id: str, id_: str) -> Subscription:
        """Raises Refusal 404; another app's and another person's are not there."""
        found = next((s for s in self.of(person) if s.id == id_ and s.client_id == client_id), None)
        if found is None:
            raise Refusal(404, "ResourceNotFound", "The object was not found.")
        return found

    def told(self, person: str) -> list[dict[str, Any]]:
        """For /_sim."""
        return [{"id": s.id, "folder": s.folder, "url": s.url, "ends": s.ends} for s in self.of(person)]


def _text(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise bad(f"The property '{name}' is required.", "InvalidRequest")
    return found


def _state(said: Any) -> str:
    if said is not None and (not isinstance(said, str) or len(said) > _LONGEST_STATE):
        raise bad("The clientState is longer than 128 characters.", "InvalidRequest")
    return said or ""


def _url(said: Any) -> str:
    """https, and plain http for an address of this machine: what runs here has no certificate."""
    parts = urlsplit(said) if isinstance(said, str) else urlsplit("")
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return str(said)
    raise bad(
        "Subscription validation request failed. The notification endpoint must be an https URL.", "InvalidRequest"
    )
