"""What the sender is shown of a message: who, when, where, what, and how sure. Honest: where nothing came there is no
signal, which does not say that nobody read it (C53)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from organizations.models import Member
from tracking.classify import Verdict
from tracking.hot.tokens import Kind
from tracking.models import Content, Copy, Event, TrackedMessage

_HOW_SURE = {"clicked": "sure", "replied": "sure", "opened": "likely"}
#: The newest hits of a message that are told one by one.
MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """A message with its copies, as far as needed to say whether anything is new."""

    message: TrackedMessage
    copies: list[Copy]

    @property
    def etag(self) -> str:
        told = [str(self.message.pk), str(self.message.sent_at)]
        told += [f"{copy.pk} {copy.hits} {copy.opens} {copy.clicks} {copy.replied_at}" for copy in self.copies]
        return f'"{hashlib.blake2b(" ".join(told).encode(), digest_size=12).hexdigest()}"'


def of(member: Member, message_id: UUID) -> Seen | None:
    """The sender's own messages; another's do not exist."""
    message = _own(member).filter(pk=message_id).first()
    return Seen(message, list(message.copies.order_by("number", "pk"))) if message else None


def found(member: Member, headers: Iterable[str]) -> list[UUID]:
    """His messages with these Message-IDs, as far as they were tracked, the newest first."""
    marks = {mark_of(member, header) for header in headers} - {b""}
    return list(_own(member).filter(mark__in=marks).order_by("-sent_at", "pk").values_list("pk", flat=True))


def _own(member: Member) -> QuerySet[TrackedMessage]:
    return TrackedMessage.objects.filter(organization_id=member.organization_id, member_id=member.pk)


def mark_of(member: Member, header: str) -> bytes:
    """A keyed digest: the Message-ID itself is not kept. b"" for none at all, "<>" too."""
    name = header.strip().strip("<>")
    return salted_hmac(f"tracking {member.organization_id}", name, algorithm="sha256").digest() if name else b""


def told(seen: Seen) -> dict[str, Any]:
    """Opens the seal. Raises what the vault raises."""
    content, message = Content.of(seen.message), seen.message
    events = Event.objects.filter(message_id=message.pk, at__gte=message.created_at)
    unclear = set(events.filter(verdict=Verdict.UNKNOWN).values_list("copy_id", flat=True))
    names = {copy.pk: who(copy, content) for copy in seen.copies}
    return {
        "id": str(message.pk),
        "sent_at": message.sent_at,
        "tracked": {"opens": message.opens, "clicks": message.clicks},
        "recipients": [_recipient(copy, names[copy.pk], is_unclear=copy.pk in unclear) for copy in seen.copies],
        "events": [
            _event(event, names.get(event.copy_id, ""), content) for event in events.order_by("-at")[:MOST_EVENTS]
        ],
    }


def who(copy: Copy, content: Content) -> str:
    if copy.number is None:
        return f"Someone of {len(content.recipients)}" if len(content.recipients) > 1 else "Someone"
    return content.recipients[copy.number]


def _recipient(copy: Copy, who: str, *, is_unclear: bool) -> dict[str, Any]:
    signal = signal_of(copy)
    if signal == "no_signal" and is_unclear:
        signal = "maybe_opened"
    facts = {"opens": copy.opens, "clicks": copy.clicks, "last_at": copy.last_at, "replied_at": copy.replied_at}
    how_sure = _HOW_SURE.get(signal, "unclear")
    return {"who": who, "of_all": copy.number is None, "signal": signal, "how_sure": how_sure, **facts}


def signal_of(copy: Copy) -> str:
    """A click or a reply proves an open; a loaded image makes it likely; what a machine did says nothing."""
    if copy.clicks:
        return "clicked"
    if copy.replied_at:
        return "replied"
    return "opened" if copy.opens else "no_signal"


def _event(event: Event, who: str, content: Content) -> dict[str, Any]:
    return {
        "at": event.at,
        "what": "click" if event.kind == Kind.CLICK else "open",
        "who": who,
        "link": _link(event.link, content.links),
        "verdict": event.verdict,
        "reason": event.reason,
        "device": event.device,
        "place": event.place,
    }


def _link(number: int, links: list[str]) -> str:
    return links[number - 1] if 0 < number <= len(links) else ""
