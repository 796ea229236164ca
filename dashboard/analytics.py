"""Opens and clicks: a page for everybody's own messages, sums for administrators, and the same as CSV."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from dashboard.gates import members_only
from organizations.models import Member
from tracking import analytics, inflow, policies
from tracking.analytics import Span

SHOWN = 50
#: Days that are shown unless somebody asks for others, and at most.
USUAL, MOST = 30, 366
#: What a spreadsheet would take for a formula (owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Days:
    """As people choose them: both included. `fault`: why others are shown than were asked for."""

    first: date
    last: date
    fault: str = ""

    @property
    def span(self) -> Span:
        return Span(_midnight(self.first), _midnight(self.last + timedelta(days=1)))


@require_safe
@members_only
def page(request: HttpRequest, member: Member) -> HttpResponse:
    days = _days(request.GET)
    shown = Paginator(analytics.own(member, days.span), SHOWN).get_page(request.GET.get("page"))
    context = {
        "page": "analytics",
        "days": days,
        "rows": shown,
        "lines": list(analytics.lines(iter(shown))),
        "totals": analytics.by_sender(member.organization_id, days.span) if member.is_administrator else [],
        "zone": timezone.get_current_timezone_name(),
        "is_on": policies.opens(member) or policies.clicks(member),
        "backlog": _backlog() if member.is_administrator else None,
    }
    return render(request, "dashboard/analytics.html", context)


@require_safe
@members_only
def export(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """Streamed: a year of messages need not fit into memory."""
    days = _days(request.GET)
    everybody = member.is_administrator and request.GET.get("who") == "everybody"
    zone = timezone.get_current_timezone()  # of the member: over before the last line is written
    rows = _totals(member, days.span) if everybody else _lines(member, days.span, zone)
    name = f"{'everybody' if everybody else 'messages'}-{days.first}-{days.last}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_written(rows), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(member: Member, span: Span, zone: tzinfo) -> Iterator[list[str | int]]:
    yield ["Sent", "Recipients", "Opens", "Clicks", "Last signal"]
    for line in analytics.lines(analytics.own(member, span).iterator(chunk_size=500)):
        to = "; ".join(_plain(each) for each in line.recipients)  # where ";" parts cells each of them begins one
        yield [_told(line.sent_at, zone), to, line.opens, line.clicks, _told(line.last_at, zone)]


def _told(at: datetime | None, zone: tzinfo) -> str:
    """With its zone: 2026-11-22T08:35:00+01:00."""
    return at.astimezone(zone).isoformat(timespec="seconds") if at else ""


def _totals(member: Member, span: Span) -> Iterator[list[str | int]]:
    yield ["Sender", "Messages sent", "of these opened", "of these clicked"]
    for total in analytics.by_sender(member.organization_id, span):
        yield [total.sender, total.messages, total.opened, total.clicked]


class _Line:
    """What csv.writer writes to: hands the line back."""

    def write(self, text: str) -> str:
        return text


def _written(rows: Iterable[list[str | int]]) -> Iterator[str]:
    """With a byte order mark: Excel takes it for UTF-8 by nothing else."""
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield "\ufeff"
    for row in rows:
        yield writer.writerow([_plain(each) if isinstance(each, str) else each for each in row])


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _days(query: QueryDict) -> Days:
    today = timezone.localdate()
    usual = Days(today - timedelta(days=USUAL - 1), today)
    try:
        first = date.fromisoformat(str(query["from"])) if query.get("from") else usual.first
        last = date.fromisoformat(str(query["to"])) if query.get("to") else usual.last
    except ValueError:
        return Days(usual.first, usual.last, "Give days as year-month-day.")
    if not timedelta(0) <= last - first <= timedelta(days=MOST) or not 2000 <= first.year <= last.year < 2200:
        return Days(usual.first, usual.last, "The first day comes before the last, and a year is the most.")
    return Days(first, last)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _backlog() -> inflow.Backlog | None:
    try:
        return inflow.backlog(timezone.now().timestamp())
    except RedisError:
        return None
