"""What became of one's mail: each message with its reason, how the mailbox is doing, and another try for what waits."""

import re
from collections.abc import Callable
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from dashboard.mailboxes import REFUSALS
from organizations.models import Member
from providers.errors import NotFound, ProviderError
from sync import backfill, conversations, decisions, opening, standing, tasks
from sync.decisions import Shown
from sync.reasons import Outcome, Rule
from vault.errors import VaultError
from vault.policies import syncs_mail

SHOWN = 50
#: Mailboxes of one page: each takes some queries.
MAILBOXES = 50
_WORDS = {
    Outcome.SYNCED: ("Saved", "good"),
    Outcome.BLOCKED: ("Blocked", ""),
    Outcome.UNMATCHED: ("Nobody known", ""),
    Outcome.PARKED: ("Needs somebody", "warn"),
    Outcome.PRIVATE: ("Private", ""),
    Outcome.IGNORED: ("Left out", ""),
    Outcome.FAILED: ("Failed", "bad"),
}
#: What a second look may change. Settings count for what comes: what they have kept out stays so until somebody asks.
_AGAIN = frozenset(Outcome) - {Outcome.SYNCED}
#: Candidates of one address, by what their ids begin with: nobody's name is kept here.
_PEOPLE = {"003": "Contact", "00Q": "Lead"}
_RECORD = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


@require_safe
@members_only
def page(request: HttpRequest, member: Member) -> HttpResponse:
    chosen = request.GET.get("outcome", "")
    chosen = chosen if chosen in {each.value for each in Outcome} else ""
    rows = decisions.of_member(member).select_related("mailbox__connection").order_by("-decided_at", "-pk")
    shown = Paginator(rows.filter(outcome=chosen) if chosen else rows, SHOWN).get_page(request.GET.get("page"))
    others = Paginator(standing.everybodys(member).order_by("member__name", "pk"), MAILBOXES)
    everybody = others.get_page(request.GET.get("mailboxes"))
    context = {
        "page": "email_sync",
        "saved": request.GET.get("saved", ""),
        "refusal": REFUSALS.get(request.GET.get("refused", ""), ""),
        "is_on": syncs_mail(member),
        "may_save_earlier": backfill.is_allowed(member.organization_id),
        "mailboxes": standing.of(standing.mine(member)),
        "everybody": standing.of(standing.everybodys(member).filter(pk__in=[row.pk for row in everybody])),
        "everybodys_page": everybody,
        "chosen": chosen,
        "counts": [(each.value, *_WORDS[each], number) for each, number in _counted(member)],
        "rows": shown,
        "lines": [_line(each) for each in decisions.shown(shown)],
    }
    return render(request, "dashboard/email_sync.html", context)


def _line(each: Shown) -> tuple[Shown, str, str, bool, list[tuple[str, str, str]]]:
    """With its tag, its tone, whether a second look may change it, and whoever could be meant in it, and why."""
    meant = [
        (id_, f"{_PEOPLE.get(id_[:3], 'Person')} {number}", " ".join(each.asked_why.get(id_, ())))
        for number, id_ in enumerate(each.asked_ids, 1)
    ]
    may_again = each.outcome in _AGAIN or each.rule == Rule.SAVED_ELSEWHERE  # which may be deleted there
    return (each, *_WORDS[Outcome(each.outcome)], may_again, meant)


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


@require_POST
@members_only
def choose(request: HttpRequest, member: Member) -> HttpResponse:
    """Who is meant, in the whole conversation."""
    mailboxes = conversations.choose(member, _chosen(request), request.POST.get("person", ""))
    if mailboxes is None:
        raise Http404
    tasks.wake(tasks.work, mailboxes)
    return redirect(f"{reverse('dashboard:email_sync')}?saved=again")


@require_safe
def open_mail(request: HttpRequest, decision_id: UUID) -> HttpResponseBase:
    return members_only(lambda _, member: _opened(lambda: opening.mail_address(member, decision_id)))(request)


@require_safe
def open_record(request: HttpRequest, record_id: str) -> HttpResponseBase:
    if not _RECORD.fullmatch(record_id):
        raise Http404
    return members_only(lambda _, member: _opened(lambda: opening.record_address(member, record_id)))(request)


def _opened(find: Callable[[], str | None]) -> HttpResponse:
    try:
        address = find()
    except NotFound:
        return redirect(f"{reverse('dashboard:email_sync')}?refused=gone")
    except (ProviderError, VaultError):
        return redirect(f"{reverse('dashboard:email_sync')}?refused=away")
    if address is None:
        raise Http404
    return redirect(address)


def _chosen(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("decision", ""))
    except ValueError:
        raise Http404 from None
