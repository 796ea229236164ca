"""What came of many messages: one's own, one by one; everybody's, for administrators, as sums per sender, since whom a
colleague writes to is the colleague's business. Reads only."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, IntegerField, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Greatest

from organizations.models import Member
from providers.errors import Transient
from tracking.models import Content, TrackedMessage
from vault.errors import VaultError


@dataclass(frozen=True, slots=True)
class Span:
    """From `first`, before `last`."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One message. `recipients`: empty where its seal does not open."""

    id: UUID
    sent_at: datetime
    recipients: list[str]
    opens: int
    clicks: int
    last_at: datetime | None  # of the last open, click or reply


@dataclass(frozen=True, slots=True)
class Total:
    sender: str
    messages: int
    opened: int  # messages
    clicked: int


def own(member: Member, span: Span) -> QuerySet[TrackedMessage]:
    """The newest first; `lines` tells them."""
    mine = _sent(span).filter(organization_id=member.organization_id, member_id=member.pk)
    sums = {f"sum_{name}": Coalesce(Sum(f"copies__{name}"), 0, output_field=IntegerField()) for name in _COUNTERS}
    newest = Greatest(Max("copies__last_at"), Max("copies__replied_at"))  # of those that are there
    return mine.annotate(**sums, newest=newest).order_by("-sent_at", "pk")


_COUNTERS = ("opens", "clicks")


def lines(messages: Iterable[TrackedMessage]) -> Iterator[Line]:
    for row in messages:
        sent_at: datetime = row.sent_at  # type: ignore[assignment]  # `own` has only those that were sent
        facts = {name: getattr(row, f"sum_{name}") for name in _COUNTERS}
        yield Line(row.pk, sent_at, _recipients(row), **facts, last_at=getattr(row, "newest"))  # noqa: B009


def _recipients(message: TrackedMessage) -> list[str]:
    try:
        return Content.of(message).recipients
    except (VaultError, Transient):
        return []


def by_sender(organization_id: UUID, span: Span) -> list[Total]:
    rows = _sent(span).filter(organization_id=organization_id)
    clicked = Q(copies__clicks__gt=0)
    opened = Q(copies__opens__gt=0) | clicked | Q(copies__replied_at__isnull=False)
    found = rows.values_list("member_id", "member__name", "member__username").annotate(
        messages=Count("pk", distinct=True),
        opened=Count("pk", distinct=True, filter=opened),
        clicked=Count("pk", distinct=True, filter=clicked),
    )
    return [
        Total(name or username, *numbers) for _, name, username, *numbers in found.order_by("member__name", "member_id")
    ]


def _sent(span: Span) -> QuerySet[TrackedMessage]:
    return TrackedMessage.objects.filter(sent_at__gte=span.first, sent_at__lt=span.last)
