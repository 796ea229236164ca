"""The dashboard's pages: parse, ask, show. They work without JavaScript and decide nothing themselves."""

from collections.abc import Iterable

from django.contrib.auth import logout
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard import holdings
from dashboard.gates import administrators_only, members_only
from organizations import audit
from organizations.models import AuditEntry, Member
from vault import standing

AUDIT_PAGE = 100


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """Who am I, and what is held about me; for a stranger, the way in."""
    if not isinstance(request.user, Member):
        return render(request, "dashboard/signed_out.html")
    return _home(request)


@members_only
def _home(request: HttpRequest, member: Member) -> HttpResponse:
    context = {"page": "home", "found": standing.of(member), "held": holdings.about(member)}
    return render(request, "dashboard/home.html", context)


@administrators_only
def audit_log(request: HttpRequest, member: Member) -> HttpResponse:
    """The newest entries first; a POST walks the whole chain and says whether it is whole."""
    checked = request.method == "POST"
    fault = audit.verify(member.organization_id) if checked else None
    shown = audit.page(member.organization_id, limit=AUDIT_PAGE, before=_number(request.GET.get("before", "")))
    names = _names(shown.entries, member)
    context = {
        "page": "audit",
        "entries": [(entry, names.get(entry.actor, entry.actor)) for entry in shown.entries],
        "older": shown.next_before,
        "checked": checked,
        "fault": fault,
    }
    return render(request, "dashboard/audit.html", context)


@require_safe
def cookies(request: HttpRequest) -> HttpResponse:
    """Every cookie we set, for everybody to read (C43)."""
    return render(request, "dashboard/cookies.html", {"page": "cookies", "cookies": holdings.cookies()})


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends this browser's session. The connection to Salesforce stays; the connection page ends that."""
    logout(request)
    return redirect("dashboard:home")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 18 else None


def _names(entries: Iterable[AuditEntry], reader: Member) -> dict[str, str]:
    """ "member:<id>" -> a name, where the member is still there and of the reader's organization."""
    actors = {entry.actor for entry in entries if entry.actor.startswith("member:")}
    rows = Member.objects.filter(organization_id=reader.organization_id).annotate(
        actor=Concat(Value("member:"), Cast("pk", CharField()))
    )
    known = rows.filter(actor__in=actors).values_list("actor", "name", "username")
    return dict.fromkeys(actors, "A former member") | {actor: name or username for actor, name, username in known}
