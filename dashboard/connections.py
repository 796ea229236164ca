"""The connections page: what the member has connected and where he is signed in; ending one asks first.

A connection of somebody else's is as good as none, except for an administrator of the same organization."""

from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import administrators_only, members_only
from organizations import devices
from organizations.models import Member
from vault import dialects, revocation, standing
from vault.clients import reconnect_url
from vault.models import Connection

HERE = "/dashboard/connections/"


@require_safe
@members_only
def connections(request: HttpRequest, member: Member) -> HttpResponse:
    """Every provider with its state, scopes and last use; then the add-ins (C3, C10, C17)."""
    found = standing.of(member)
    live = {shown.connection.provider for shown in found if shown.is_live}
    context = {
        "page": "connections",
        "saved": request.GET.get("saved", ""),
        "cards": [(shown, reconnect_url(shown.connection.provider, HERE)) for shown in _in_order(found)],
        "open": [
            (dialects.label(provider), reconnect_url(provider, HERE))
            for provider in standing.PROVIDERS
            if provider not in live and standing.may_connect(member, provider)
        ],
        "devices": [(device, devices.label(device)) for device in devices.of(member)],
    }
    return render(request, "dashboard/connections.html", context)


def _in_order(found: list[standing.Standing]) -> list[standing.Standing]:
    return sorted(found, key=lambda shown: (not shown.is_live, standing.PROVIDERS.index(shown.connection.provider)))


@require_safe
def confirm(request: HttpRequest, connection_id: UUID) -> HttpResponseBase:
    """Say what ends with a connection, and ask."""
    return members_only(lambda asked, member: _confirm(asked, member, connection_id))(request)


def _confirm(request: HttpRequest, member: Member, connection_id: UUID) -> HttpResponse:
    row = _to_end(member, connection_id)
    is_own = row.member_id == member.pk
    door = f"vault:{row.provider}_disconnect" if is_own else "dashboard:end_for"
    context = {
        "page": "connections",
        "row": row,
        "is_own": is_own,
        "spoken": dialects.of(row.provider),
        "signs_in": row.provider == dialects.SIGNS_IN,
        "action": reverse(door, args=() if is_own else (row.pk,)),
        "back": reverse("dashboard:connections" if is_own else "dashboard:overview"),
    }
    return render(request, "dashboard/disconnect.html", context)


@require_POST
def end_for(request: HttpRequest, connection_id: UUID) -> HttpResponseBase:
    """An administrator ends a member's connection, here at once, at the provider as soon as it answers."""
    return administrators_only(lambda _, member: _end_for(member, connection_id))(request)


def _end_for(member: Member, connection_id: UUID) -> HttpResponse:
    row = _to_end(member, connection_id)
    ending = revocation.disconnect(row.pk, member)
    if not ending:
        raise Http404
    query = urlencode({"ended": ending.value, "provider": row.provider})
    return redirect(f"{reverse('dashboard:overview')}?{query}")


def _to_end(member: Member, connection_id: UUID) -> Connection:
    """A live connection that this member may end: his own, or as an administrator a colleague's. Raises Http404."""
    reach = {"organization_id": member.organization_id} if member.is_administrator else {"member": member}
    row = get_object_or_404(standing.rows().filter(**reach).select_related("member"), pk=connection_id)
    if not standing.is_live(row):
        raise Http404
    return row


@require_POST
@members_only
def sign_out_device(request: HttpRequest, member: Member) -> HttpResponse:
    """End one add-in's sign-in; the others go on."""
    try:
        family = UUID(request.POST.get("device", ""))
    except ValueError:
        raise Http404 from None
    if not devices.sign_out(member, family):
        raise Http404
    return redirect(f"{HERE}?saved=device#devices")


@require_POST
@members_only
def sign_out_everywhere(request: HttpRequest, member: Member) -> HttpResponse:
    """End every add-in and every browser session of the member, this one too."""
    devices.sign_out_everywhere(member)
    logout(request)
    return redirect("dashboard:home")
