"""Pages for taking mail out of Salesforce again and saving it with others: asked before it is done, and how far it is.

The rules are the use cases' own."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from organizations.models import Member
from sync import corrections, decisions, putting_back, tasks, undoing
from sync.decisions import Shown
from sync.models import Correction, Decision
from sync.reasons import Rule
from sync.undoing import Counted, Span

_WORDS = {
    ("undo", "mail"): "An email, out of Salesforce",
    ("undo", "thread"): "A conversation, out of Salesforce",
    ("undo", "rule"): "What a rule has saved, out of Salesforce",
    ("relink", "mail"): "An email, to other people",
    ("relink", "thread"): "A conversation, to other people",
}
_RULES = {Rule.MATCHED: "Saved by email sync", Rule.ASKED_FOR: "Saved because somebody asked for it in the sidebar"}
#: In a record's address, or pasted as it is.
_PERSON = re.compile(r"(?<![A-Za-z0-9])00[3Q][A-Za-z0-9]{15}(?![A-Za-z0-9])")
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,8}")
#: So many digits are enough for a count, and few enough for a number.
_COUNT = re.compile(r"[0-9]{1,9}")
_NO_PERSON = "There is no contact or lead in this. Open one in Salesforce and copy the address of that page."
_NOTHING = "Nothing of it is saved in Salesforce."
_NO_SPAN = "Say from which day to which, the first one first; and a domain, if any, like example.com."


# -- an email and its conversation ------------------------------------------------------------------------------------


@require_safe
def page(request: HttpRequest, decision_id: UUID) -> HttpResponseBase:
    return members_only(lambda asked, member: _page(asked, _own(member, decision_id)))(request)


@require_POST
def carry_out(request: HttpRequest, decision_id: UUID) -> HttpResponseBase:
    return members_only(lambda asked, member: _carried_out(asked, member, decision_id))(request)


def _carried_out(request: HttpRequest, member: Member, decision_id: UUID) -> HttpResponse:
    """`what`: undo or relink; `whole`: the conversation."""
    row = _own(member, decision_id)
    people = _PERSON.findall(request.POST.get("people", ""))[: undoing.MOST_PEOPLE]
    wants_others = request.POST.get("what") == "relink"
    if wants_others and not people:
        return _page(request, row, refusal=_NO_PERSON, status=422)
    begun = _relinked(request, member, row, people) if wants_others else _undone(request, member, row)
    return _began(begun) if begun else _page(request, row, refusal=_NOTHING, status=409)


def _undone(request: HttpRequest, member: Member, row: Decision) -> Correction | None:
    if "whole" in request.POST:
        return undoing.undo_thread(member, row.mailbox.connection.provider, row.thread_id)
    return undoing.undo_mail(member, row.pk)


def _relinked(request: HttpRequest, member: Member, row: Decision, people: list[str]) -> Correction | None:
    if "whole" in request.POST:
        return undoing.relink_thread(member, row.mailbox.connection.provider, row.thread_id, people)
    return undoing.relink_mail(member, row.pk, people)


def _own(member: Member, decision_id: UUID) -> Decision:
    row = decisions.of_member(member).select_related("mailbox__connection").filter(pk=decision_id).first()
    if row is None:
        raise Http404
    return row


def _page(request: HttpRequest, row: Decision, *, refusal: str = "", status: int = 200) -> HttpResponse:
    (line,) = decisions.shown([row])
    thread = _count_of_thread(row, line)
    context = {"page": "email_sync", "line": line, "in_thread": thread, "refusal": refusal, "most": undoing.MOST_PEOPLE}
    return render(request, "dashboard/undo.html", context, status=status)


def _count_of_thread(row: Decision, line: Shown) -> int:
    if not line.thread_id:
        return 0
    rows = Decision.objects.filter(mailbox_id=row.mailbox_id, thread_id=row.thread_id)
    return rows.exclude(activity_id="").count()


def _began(correction: Correction) -> HttpResponse:
    tasks.wake(tasks.correct, [correction.pk])
    return redirect(f"{reverse('dashboard:corrections')}?saved=begun")


# -- what a rule has saved, and how far all of it is ------------------------------------------------------------------


@require_safe
@members_only
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    return _overview(request, member, saved=request.GET.get("saved", ""))


@require_POST
@members_only
def of_rule(request: HttpRequest, member: Member) -> HttpResponse:
    """Counts first; with `expected` it begins, where there are still as many."""
    span = _span(request, member)
    if span is None:
        return _overview(request, member, refusal=_NO_SPAN, status=422)
    try:
        expected = request.POST.get("expected", "")
        if not _COUNT.fullmatch(expected):
            return _overview(request, member, span=span, counted=undoing.count(member, span))
        begun = undoing.undo_span(member, span, int(expected))
        return _began(begun) if begun else _overview(request, member, refusal=_NOTHING, status=409)
    except undoing.NotAllowed:
        raise Http404 from None
    except undoing.HasChanged:
        refusal = "There are more of them, or fewer, by now. Look at the number and decide again."
        counted = undoing.count(member, span)
        return _overview(request, member, span=span, counted=counted, refusal=refusal, status=409)


@require_POST
@members_only
def put_back(request: HttpRequest, member: Member) -> HttpResponse:
    try:
        mailboxes = putting_back.put_back(member, UUID(request.POST.get("correction", "")))
    except ValueError:
        raise Http404 from None
    if mailboxes is None:
        raise Http404
    tasks.wake(tasks.work, mailboxes)
    return redirect(f"{reverse('dashboard:corrections')}?saved=put_back")


def _span(request: HttpRequest, member: Member) -> Span | None:
    """Whole days of the member's own time zone. Raises Http404 for what no form of ours sends."""
    said = request.POST
    since, until = _midnight(said.get("since", "")), _midnight(said.get("until", ""), days=1)
    if since is None or until is None or since >= until:
        return None
    if said.get("rule") not in _RULES:
        raise Http404
    domain = said.get("domain", "").strip().lower().removeprefix("@")
    if domain and not _DOMAIN.fullmatch(domain):
        return None
    return Span(said["rule"], since, until, _whose(said.get("member", ""), member), domain)


def _midnight(typed: str, *, days: int = 0) -> datetime | None:
    """That begins the day, or the one `days` later. No mail is from a year that calendars disagree about."""
    try:
        day = date.fromisoformat(typed) + timedelta(days=days)
        return timezone.make_aware(datetime.combine(day, time())) if 1970 <= day.year < 9999 else None
    except (ValueError, OverflowError):
        return None


def _whose(typed: str, member: Member) -> UUID | None:
    if not typed:
        return None if member.is_administrator else member.pk
    try:
        return UUID(typed)
    except ValueError:
        raise Http404 from None


def _overview(
    request: HttpRequest,
    member: Member,
    *,
    saved: str = "",
    refusal: str = "",
    span: Span | None = None,
    counted: Counted | None = None,
    status: int = 200,
) -> HttpResponse:
    lines = corrections.progress(corrections.latest(member))
    context: dict[str, Any] = {
        "page": "email_sync",
        "lines": [(each, _WORDS[each.kind, each.scope]) for each in lines],
        "is_under_way": any(each.ended_at is None for each in lines),
        "rules": list(_RULES.items()),
        "members": _members(member),
        "typed": request.POST,
        "chosen_rule": span.rule if span else "",
        "counted": counted,
        "saved": saved,
        "refusal": refusal,
    }
    return render(request, "dashboard/corrections.html", context, status=status)


def _members(member: Member) -> list[Member]:
    if not member.is_administrator:
        return []
    return list(Member.objects.filter(organization_id=member.organization_id).order_by("name", "username"))
