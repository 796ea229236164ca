"""Subscriptions: asking Graph to tell us of new messages. A notice is a hint only; what changed, delta says.

One subscription covers a mailbox: new folders are within it, and of 1,000 for a mailbox and all apps we take one.
Sources: learn.microsoft.com/graph/outlook-change-notifications-overview (resources, the 1,000),
/graph/api/subscription-post-subscriptions (clientState of at most 128 characters, an end less than 45 minutes away is
moved there), /graph/change-notifications-overview#subscription-lifetime (messages: 4,230 minutes in the older text,
10,080 in the newer: we ask for the shorter one, and heed the answer), /graph/change-notifications-lifecycle-events (the
lifecycle address cannot be added later, and may be the same one)."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from providers.errors import NotFound
from providers.mail import Subscription
from providers.microsoft.mail_changes import instant
from providers.microsoft.mail_failures import nonsense
from providers.microsoft.mail_wire import ROOT, Wire, text

_LIFE = timedelta(minutes=4200)
_PATH = f"{ROOT}/subscriptions"
#: `created` in a folder: arrived, sent or moved there.
_ASKED = {"changeType": "created", "resource": "me/messages"}


def subscribe(wire: Wire, address: str, secret: str) -> Subscription:
    """Rejected where `address` is no https URL, or does not answer Graph's question while this call lasts."""
    where = {"notificationUrl": address, "lifecycleNotificationUrl": address, "clientState": secret}
    return _read(wire.write("POST", _PATH, {**_ASKED, **where, "expirationDateTime": _end()}))


def renew(wire: Wire, subscription_id: str) -> Subscription:
    """Also what `reauthorizationRequired` asks for. Raises NotFound where it is gone."""
    return _read(wire.write("PATCH", _path(subscription_id), {"expirationDateTime": _end()}))


def unsubscribe(wire: Wire, subscription_id: str) -> None:
    with suppress(NotFound):
        wire.write("DELETE", _path(subscription_id))


def _read(answer: Mapping[str, Any]) -> Subscription:
    id_, end = text(answer, "id"), text(answer, "expirationDateTime")
    if not id_ or not end:
        raise nonsense()
    return Subscription(id_, instant(end))


def _path(subscription_id: str) -> str:
    return f"{_PATH}/{quote(subscription_id, safe='')}"


def _end() -> str:
    return (datetime.now(UTC) + _LIFE).strftime("%Y-%m-%dT%H:%M:%SZ")
