"""Links that lead nowhere any more, for administrators: which, and the forms to withdraw and to restore one."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import administrators_only
from organizations.models import Member
from tracking import withdrawing
from tracking.models import WithdrawnTarget
from tracking.withdrawing import NotALink


@require_safe
@administrators_only
def page(request: HttpRequest, member: Member) -> HttpResponse:
    return _page(request, member, saved=request.GET.get("saved", ""))


@require_POST
@administrators_only
def withdraw(request: HttpRequest, member: Member) -> HttpResponse:
    typed = request.POST.get("address", "")
    try:
        target = _own(withdrawing.meant(typed), member)
    except NotALink as refusal:
        return _page(request, member, message=str(refusal), typed=typed, status=422)
    withdrawing.withdraw(member, member.organization_id, target)
    return redirect(f"{reverse('dashboard:withdrawn')}?saved=withdrawn")


@require_POST
@administrators_only
def restore(request: HttpRequest, member: Member) -> HttpResponse:
    try:
        key = UUID(request.POST.get("target", ""))
    except ValueError:
        raise Http404 from None
    withdrawing.restore_row(member, get_object_or_404(WithdrawnTarget, pk=key, organization_id=member.organization_id))
    return redirect(f"{reverse('dashboard:withdrawn')}?saved=restored")


def _own(meant: withdrawing.Meant, member: Member) -> str:
    if meant.organization_id not in (None, member.organization_id):
        raise NotALink("This link is not from your organization.")
    return meant.target


def _page(
    request: HttpRequest, member: Member, *, saved: str = "", message: str = "", typed: str = "", status: int = 200
) -> HttpResponse:
    context = {"page": "analytics", "saved": saved, "message": message, "typed": typed}
    context["targets"] = withdrawing.of(member.organization_id)  # type: ignore[assignment]
    return render(request, "dashboard/withdrawn.html", context, status=status)
