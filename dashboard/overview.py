"""The organization's connections, for administrators: how many are in which state, and whose. Shows no address of a
mailbox, no scope in use and no token: what managers see on the members page, and the state."""

from collections import Counter
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.gates import administrators_only
from organizations.models import Member
from vault import clock, dialects, farewell, standing
from vault.farewell import Told
from vault.models import Connection
from vault.revocation import Ending
from vault.standing import Status

SHOWN = 100
#: What somebody should look at comes first.
_TONES = ("bad", "warn", "", "good")


@dataclass(frozen=True, slots=True)
class Row:
    """A member's connection, and how it stands."""

    connection: Connection
    label: str
    status: Status
    may_end: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many connections at a provider are in one state."""

    provider: str
    words: str
    tone: str
    number: int


@require_safe
@administrators_only
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    """Counts by provider and state, then the connections themselves, those in trouble first."""
    rows = _rows(member)
    shown = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    context = {"page": "connections", "told": _told(request.GET), "counts": _counts(rows), "rows": shown}
    return render(request, "dashboard/overview.html", context)


def _told(query: QueryDict) -> Told | None:
    """What became of a connection that was ended from here; None where the address does not say so in our words."""
    ending, provider = query.get("ended", ""), query.get("provider", "")
    if not ending or ending not in set(Ending) or provider not in standing.PROVIDERS:
        return None
    return farewell.told(Ending(ending), provider, is_own=False)


def _rows(reader: Member) -> list[Row]:
    found = standing.rows().filter(organization_id=reader.organization_id).select_related("member")
    now = clock.now()
    rows = [
        Row(row, dialects.label(row.provider), standing.status_of(row, now), standing.is_live(row))
        for row in found.order_by("member__name", "member__username", "provider")
    ]
    return sorted(rows, key=lambda row: _TONES.index(row.status.tone))


def _counts(rows: list[Row]) -> list[Count]:
    found = Counter((row.label, row.status.words, row.status.tone) for row in rows)
    counts = [Count(*key, number) for key, number in found.items()]
    return sorted(counts, key=lambda count: (count.provider, _TONES.index(count.tone)))
