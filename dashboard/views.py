"""The dashboard's pages: parse, ask, show. They work without JavaScript and decide nothing themselves."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard import holdings
from dashboard.gates import administrators_only, members_only
from organizations import audit
from organizations.models import AuditEntry, Member, Role
from vault.clients import SALESFORCE, reconnect_url
from vault.models import Connection, State
from vault.scopes import purpose_of

AUDIT_PAGE = 100


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Who am I, and what is held about me; for a stranger, the way in."""
    if not isinstance(request.user, Member):
        return render(request, "dashboard/signed_out.html")
    return _home(request)


@members_only
def _home(request: HttpRequest, member: Member) -> HttpResponse:
    context = {"page": "home", "connection": _connection_of(member), "held": holdings.about(member)}
    return render(request, "dashboard/home.html", context)


@require_safe
@members_only
def connection(request: HttpRequest, member: Member) -> HttpResponse:
    """The member's grant: its state, what it allows, and the ways to mend and to end it."""
    row = _connection_of(member)
    context = {
        "page": "connection",
        "connection": row,
        "scopes": [(scope, purpose_of(SALESFORCE, scope)) for scope in row.scopes] if row else [],
        "last_used_for": holdings.use_in_words(row.last_used_for) if row else "",
        "reconnect_url": reconnect_url(SALESFORCE, "/dashboard/connection/"),
    }
    return render(request, "dashboard/connection.html", context)


@require_safe
@members_only
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """Everybody of the organization, with the roles."""
    rows = Member.objects.filter(organization_id=member.organization_id).order_by("name", "username")
    roles = {role.value: number for number, role in enumerate(Role)}
    ordered = sorted(rows, key=lambda row: (not row.is_active, roles[row.role]))
    return render(request, "dashboard/members.html", {"page": "members", "members": ordered})


@administrators_only
def audit_log(request: HttpRequest, member: Member) -> HttpResponse:
    """The newest entries first; a POST walks the whole chain and says whether it is whole."""
    checked = request.method == "POST"
    fault = audit.verify(member.organization_id) if checked else None
    entries = _audit_page(member, request.GET.get("before", ""))
    context = {
        "page": "audit",
        "entries": [(entry, _actor(entry.actor, member)) for entry in entries[:AUDIT_PAGE]],
        "older": entries[AUDIT_PAGE - 1].sequence if len(entries) > AUDIT_PAGE else None,
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


def _connection_of(member: Member) -> Connection | None:
    rows = Connection.objects.filter(member=member, provider=SALESFORCE).exclude(state=State.SHREDDED)
    return rows.order_by("-connected_at").first()


def _audit_page(member: Member, before: str) -> list[AuditEntry]:
    """One entry more than a page, so that we know whether there are older ones."""
    rows = AuditEntry.objects.filter(organization_id=member.organization_id)
    if before.isdecimal() and len(before) < 18:
        rows = rows.filter(sequence__lt=int(before))
    return list(rows.order_by("-sequence")[: AUDIT_PAGE + 1])


def _actor(actor: str, reader: Member) -> str:
    """ "member:<id>" as a name, where the member is still there and of the reader's organization."""
    kind, _, key = actor.partition(":")
    if kind != "member":
        return actor
    found = Member.objects.filter(pk=key, organization_id=reader.organization_id).values_list("name", flat=True).first()
    return found or "A former member"
