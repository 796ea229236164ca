"""Saving mail of earlier times, begun and stopped on the page on email sync."""

from collections.abc import Mapping
from datetime import date, datetime, time
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.gates import members_only
from organizations.models import Member
from sync import backfill, standing, tasks
from sync.models import SyncedMailbox

#: What the page says after a refusal, by the code in its address.
REFUSALS: Mapping[str, str] = {
    "early": "Choose a day before email sync began, three years ago at most.",
    "running": "Earlier mail of this mailbox is being saved already.",
    "gone": "This email is not in your mailbox any more.",
    "away": "Your mailbox or Salesforce could not be asked just now. See Connections, or try again in a few minutes.",
    "off": "Saving earlier mail is switched off in your organization, or email sync of this mailbox is.",
}


@require_POST
@members_only
def save_earlier(request: HttpRequest, member: Member) -> HttpResponse:
    row, since = _own(request, member), _day(request.POST.get("since", ""))
    try:
        if since is None:
            return _back("refused=early")
        backfill.start(row, since)
    except ValueError:
        return _back("refused=early")
    except backfill.SwitchedOff:
        return _back("refused=off")
    except backfill.RunningAlready:
        return _back("refused=running")
    tasks.wake(tasks.list_more, [row.pk])
    return _back("saved=earlier")


@require_POST
@members_only
def stop(request: HttpRequest, member: Member) -> HttpResponse:
    backfill.cancel(_own(request, member))
    return _back("saved=stopped")


def _own(request: HttpRequest, member: Member) -> SyncedMailbox:
    try:
        found = standing.mine(member).filter(pk=UUID(request.POST.get("mailbox", ""))).first()
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found


def _day(text: str) -> datetime | None:
    """Its beginning, where the person is (gates.members_only)."""
    try:
        return datetime.combine(date.fromisoformat(text), time(), timezone.get_current_timezone())
    except ValueError:
        return None


def _back(query: str) -> HttpResponse:
    return redirect(f"{reverse('dashboard:email_sync')}?{query}")
