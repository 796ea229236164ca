"""What became of one's mail: each message with its reason, how the mailbox is doing, and another try for what waits."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from organizations.models import Member
from sync import decisions, standing, tasks
from sync.reasons import Outcome
from vault.policies import syncs_mail

SHOWN = 50
_WORDS = {
    Outcome.SYNCED: ("Saved", "good"),
    Outcome.BLOCKED: ("Blocked", ""),
    Outcome.UNMATCHED: ("Nobody known", ""),
    Outcome.PARKED: ("Needs somebody", "warn"),
    Outcome.PRIVATE: ("Private", ""),
    Outcome.IGNORED: ("Left out", ""),
    Outcome.FAILED: ("Failed", "bad"),
}
#: What a second look may change: the others follow from settings, which are looked at when they change.
_AGAIN = (Outcome.UNMATCHED, Outcome.PARKED, Outcome.FAILED, Outcome.BLOCKED, Outcome.PRIVATE)


@require_safe
@members_only
def page(request: HttpRequest, member: Member) -> HttpResponse:
    chosen = request.GET.get("outcome", "")
    chosen = chosen if chosen in {each.value for each in Outcome} else ""
    rows = decisions.of_member(member).select_related("mailbox__connection").order_by("-decided_at", "-pk")
    shown = Paginator(rows.filter(outcome=chosen) if chosen else rows, SHOWN).get_page(request.GET.get("page"))
    context = {
        "page": "email_sync",
        "saved": request.GET.get("saved", ""),
        "is_on": syncs_mail(member),
        "mailboxes": standing.of(standing.mine(member)),
        "everybody": standing.of(standing.everybodys(member)) if member.is_administrator else [],
        "chosen": chosen,
        "counts": [(each.value, *_WORDS[each], number) for each, number in _counted(member)],
        "rows": shown,
        "lines": [(each, *_WORDS[Outcome(each.outcome)], each.outcome in _AGAIN) for each in decisions.shown(shown)],
    }
    return render(request, "dashboard/email_sync.html", context)


def _counted(member: Member) -> list[tuple[Outcome, int]]:
    found = decisions.counts(member)
    return [(each, found[each]) for each in Outcome if found.get(each)]


@require_POST
@members_only
def again(request: HttpRequest, member: Member) -> HttpResponse:
    tasks.wake(tasks.work, decisions.try_again(member, [_chosen(request)]))
    return redirect(f"{reverse('dashboard:email_sync')}?saved=again")


@require_POST
@members_only
def ignore(request: HttpRequest, member: Member) -> HttpResponse:
    decisions.ignore(member, [_chosen(request)])
    return redirect(f"{reverse('dashboard:email_sync')}?saved=ignored")


def _chosen(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("decision", ""))
    except ValueError:
        raise Http404 from None
