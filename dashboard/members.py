"""The members page: people, invitations, domains, and the forms to change them. The rules are the use cases' own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import View, members_only
from organizations import domains, invitations, roles
from organizations.models import Domain, Invitation, Member, Role
from organizations.refusals import NotAllowed, NotPossible
from vault import farewell

_SHOWN = 100
_ORDER = {role.value: number for number, role in enumerate(Role)}
#: (form, who sends it). Returns what the page says afterwards, None for "Saved." Raises NotAllowed, NotPossible,
#: DomainRefused: their text is shown in the form's section.
Act = Callable[[QueryDict, Member], str | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A member, and what the reader may do about him."""

    member: Member
    roles: list[Role]
    may_change_access: bool


@require_safe
@members_only
def members(request: HttpRequest, member: Member) -> HttpResponse:
    """The organization's people, with their roles, for who manages them; others see themselves, as through the API."""
    return _page(request, member, saved=request.GET.get("saved", ""))


def _page(
    request: HttpRequest, member: Member, *, saved: str = "", refused: str = "", message: str = "", status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"page": "members", "saved": saved, "refused": refused, "message": message}
    context |= {"people": _people(member), "domains": _domains(member)}
    if member.is_manager:
        context |= {"invitations": _open_invitations(member), "invite_roles": _roles_to_invite(member)}
        context["connections_end"] = farewell.of_who_is_sent_away()
    return render(request, "dashboard/members.html", context, status=status)


def _people(reader: Member) -> list[Row]:
    found = Member.objects.filter(organization_id=reader.organization_id).order_by("name", "username")
    if not reader.is_manager:
        found = found.filter(pk=reader.pk)
    ordered = sorted(found, key=lambda row: (not row.is_active, _ORDER[row.role]))
    return [Row(row, roles.open_to(reader, row), roles.may_change_access(reader, row)) for row in ordered]


def _domains(reader: Member) -> QuerySet[Domain]:
    return Domain.objects.filter(organization_id=reader.organization_id).order_by("name")


def _open_invitations(reader: Member) -> list[tuple[Invitation, bool]]:
    rows = Invitation.objects.filter(organization_id=reader.organization_id, accepted_at=None)
    newest = rows.order_by("-created_at", "-pk")[:_SHOWN]
    return [(row, invitations.may_invite_as(reader, Role(row.role))) for row in newest]


def _roles_to_invite(reader: Member) -> list[Role]:
    return [role for role in reversed(Role) if invitations.may_invite_as(reader, role)]


def _door(section: str, act: Act) -> View:
    """A POST that changes something, and leads back to the section of the page where it was asked for."""

    @require_POST
    @members_only
    def door(request: HttpRequest, member: Member) -> HttpResponse:
        try:
            saved = act(request.POST, member) or section
        except (NotAllowed, NotPossible, domains.DomainRefused) as refusal:
            return _page(request, member, refused=section, message=str(refusal), status=422)
        return redirect(f"{reverse('dashboard:members')}?saved={saved}#{section}")

    return door


def _change_member(form: QueryDict, actor: Member) -> str | None:
    try:
        key = UUID(form.get("member", ""))
    except ValueError:
        raise Http404 from None
    member = get_object_or_404(Member, pk=key, organization_id=actor.organization_id)
    is_active = {"yes": True, "no": False}.get(form.get("is_active", ""))
    roles.change_member(
        actor, member, role=_role(form.get("role", "")) if "role" in form else None, is_active=is_active
    )
    return "ended" if is_active is False else None


def _invite(form: QueryDict, actor: Member) -> None:
    _require_manager(actor)
    try:
        invitations.invite(actor, form.get("username", ""), _role(form.get("role", "")), actor.organization)
    except ValueError as error:
        raise NotPossible(str(error)) from None


def _withdraw(form: QueryDict, actor: Member) -> None:
    _require_manager(actor)
    key = _number(form.get("invitation", ""))
    invitations.withdraw(actor, get_object_or_404(Invitation, pk=key, organization_id=actor.organization_id))


def _add_domain(form: QueryDict, actor: Member) -> None:
    _require_administrator(actor)
    domains.add_domain(actor, actor.organization_id, form.get("name", ""))


def _remove_domain(form: QueryDict, actor: Member) -> None:
    _require_administrator(actor)
    key = _number(form.get("domain", ""))
    domains.remove_domain(actor, get_object_or_404(Domain, pk=key, organization_id=actor.organization_id))


def _require_manager(actor: Member) -> None:
    """Others have no such section on their page, where a refusal could be shown."""
    if not actor.is_manager:
        raise PermissionDenied


def _require_administrator(actor: Member) -> None:
    if not actor.is_administrator:
        raise NotAllowed("Only an administrator changes the domains.")


def _role(text: str) -> Role:
    if text not in Role:
        raise NotPossible("There is no such role.")
    return Role(text)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise Http404
    return int(text)


change_member = _door("people", _change_member)
invite = _door("invitations", _invite)
withdraw = _door("invitations", _withdraw)
add_domain = _door("domains", _add_domain)
remove_domain = _door("domains", _remove_domain)
