"""What Google and Microsoft tell us: acknowledged before anything is looked up, believed in nothing, one poll at most
for each mailbox (BI-C). Parses and wakes up; what has changed is asked of the provider.

Sources: learn.microsoft.com/graph/change-notifications-delivery-webhooks (the validation token comes back as plain text
within 10 s; 202 within 3 s, or it comes again for 4 h), cloud.google.com/pubsub/docs/push (2xx acknowledges)."""

import base64
import binascii
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from providers.errors import Transient
from sync import pull, subscriptions, tasks
from sync.hints import Hints
from sync.models import SyncedMailbox
from vault import pushes

log = logging.getLogger("sidebar.sync")

_LONGEST_TOKEN = 2_048
#: Graph puts several notices in one request; more than this nobody sends.
_MOST = 1_000
_LONGEST_ID = 20  # digits of a history id
_LONGEST_SECRET = 128  # Graph's own limit of a clientState
#: Of a subscription's life, where it has to be looked at. `missed` needs the poll alone.
_EVENTS = ("reauthorizationRequired", "subscriptionRemoved")
#: Seconds. Gmail tells of one person once a second at most, and drops the rest (developers.google.com/gmail/api/guides/
#: push, "Limits"): what came just behind is found by a second look.
SETTLED = 5.0
#: What was dropped, by reason, in this process.
dropped: Counter[str] = Counter()


@dataclass(frozen=True, slots=True, repr=False)
class Hint:
    """Gmail names an `address`, Graph a `subscription` and its `secret`."""

    address: str = ""
    subscription: str = ""
    secret: str = ""
    event: str = ""


def _acknowledged(status: int) -> HttpResponse:
    return HttpResponse(status=status)


@csrf_exempt
@require_POST
def gmail(request: HttpRequest) -> HttpResponse:
    """401 where it is not Google's; 204 for everything else, or it would come again."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        is_theirs = scheme == "Bearer" and pushes.is_googles(token)
    except Transient:
        return _acknowledged(503)  # Google's keys are away: it shall come again
    if not is_theirs:
        dropped["gmail: not Google's"] += 1
        return _acknowledged(401)
    address = _address_in(request.body)
    _leave([Hint(address=address)] if address else [])
    return _acknowledged(204)


def _address_in(body: bytes) -> str:
    """ "" where it says nothing that we could use."""
    try:
        data = json.loads(body)["message"]["data"]
        news = json.loads(base64.urlsafe_b64decode(data.replace("+", "-").replace("/", "_")))
        address, history = news["emailAddress"], str(news["historyId"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error):
        dropped["gmail: unreadable"] += 1
        return ""
    is_number = history.isascii() and history.isdigit() and len(history) <= _LONGEST_ID
    return address if is_number and _is_plain(address, 320) else ""


def _is_plain(text: object, longest: int) -> bool:
    """What PostgreSQL takes and may be one of ours: no control characters, no half of a character."""
    return isinstance(text, str) and len(text) <= longest and text.isprintable()


def _mailboxes(address: str) -> Iterable[UUID]:
    found = pushes.connections_of("google", address)
    return SyncedMailbox.objects.filter(connection_id__in=found, is_on=True).values_list("pk", flat=True)


@csrf_exempt
@require_POST
def graph(request: HttpRequest) -> HttpResponse:
    """202 for whatever comes, so that nobody learns which subscriptions there are (BI-C5)."""
    question = request.GET.get("validationToken")
    if question is not None:
        return _answered(question)
    _leave([hint for each in _notices(request.body) if (hint := _hint(each))])
    return _acknowledged(202)


def _answered(question: str) -> HttpResponse:
    if len(question) > _LONGEST_TOKEN:
        return _acknowledged(400)
    answer = HttpResponse(question, content_type="text/plain; charset=utf-8")
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def _notices(body: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(body)["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        found = None
    if not isinstance(found, list):
        dropped["graph: unreadable"] += 1
        return []
    return [each for each in found[:_MOST] if isinstance(each, dict)]


def _hint(notice: dict[str, Any]) -> Hint | None:
    """None where it is to be dropped unread."""
    named, event = _named(notice), notice.get("lifecycleEvent")
    if named is None:
        dropped["graph: unreadable"] += 1
        return None
    if notice.get("encryptedContent") is not None:
        dropped["graph: content that nobody asked for"] += 1  # we give out no key: whoever signed it cannot be known
        return None
    return Hint(subscription=named[0], secret=named[1], event=event if event in _EVENTS else "")


def _named(notice: dict[str, Any]) -> tuple[str, str] | None:
    """Its subscription and secret."""
    subscription, secret = notice.get("subscriptionId"), notice.get("clientState")
    if not isinstance(subscription, str) or not isinstance(secret, str):
        return None
    return (subscription, secret) if _is_plain(subscription, 512) and len(secret) <= _LONGEST_SECRET else None


# -- once it is acknowledged -----------------------------------------------------------------------------------------


def look_up(hints: Collection[Hint]) -> None:
    """Poll each mailbox that one of them speaks of, once."""
    whose = subscriptions.told_by({(hint.subscription, hint.secret) for hint in hints if hint.subscription})
    polled, googles = dict[UUID, None](), dict[UUID, None]()
    for hint in hints:
        if hint.address:
            googles.update(dict.fromkeys(_mailboxes(hint.address)))
        elif (mailbox_id := whose.get((hint.subscription, hint.secret))) is None:
            dropped["graph: not ours"] += 1
        else:
            _look_at(hint.subscription, mailbox_id, hint.event)
            polled[mailbox_id] = None
    for mailbox_id in polled:
        _poll(mailbox_id)
    for mailbox_id in googles:
        if _poll(mailbox_id):
            tasks.wake_once_more(tasks.poll, mailbox_id, SETTLED)


_hints = Hints(look_up)


def _leave(hints: Collection[Hint]) -> None:
    if lost := _hints.leave(hints):
        dropped["no room"] += lost


def _look_at(subscription: str, mailbox_id: UUID, event: str) -> None:
    """What may have happened to it, renewing it shows."""
    if event and subscriptions.is_to_be_checked(subscription):
        tasks.wake(tasks.look_after_subscription, [mailbox_id])


def _poll(mailbox_id: UUID) -> bool:
    is_first = pull.want(mailbox_id)
    if is_first:
        tasks.wake(tasks.poll, [mailbox_id])
    return is_first
