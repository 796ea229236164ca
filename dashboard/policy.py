"""The policy page: every setting with its value in force and where that comes from, and the forms to change it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from organizations import policy
from organizations.models import Member

Row = dict[str, Any]


@require_safe
@members_only
def policy_page(request: HttpRequest, member: Member) -> HttpResponse:
    return _page(request, member, saved=request.GET.get("saved", ""))


@require_POST
@members_only
def change_policy(request: HttpRequest, member: Member) -> HttpResponse:
    """Saves or resets one setting, for the organization or for the member; a refusal is shown beside it."""
    key = request.POST.get("key", "")
    try:
        policy.change(member, _level(request.POST), **_asked(request.POST, policy.toggle_named(key)))
    except policy.PolicyRefused as refusal:
        return _page(request, member, refused=key, message=refusal.message, status=422)
    return redirect(f"{reverse('dashboard:policy')}?saved={key}#{key}")


def _level(form: QueryDict) -> policy.Level:
    return policy.Level.ORGANIZATION if form.get("level") == "organization" else policy.Level.MEMBER


def _asked(form: QueryDict, toggle: policy.Toggle) -> dict[str, Any]:
    """The form of one setting in the words of `policy.change`. Only the form for everybody has the tick."""
    if form.get("action") == "reset":
        return {"reset": [toggle.key]}
    asked: dict[str, Any] = {"values": {toggle.key: _value(form, toggle)}}
    if _level(form) is policy.Level.ORGANIZATION and toggle.for_members:
        asked["users_can_modify"] = {toggle.key: form.get("users_can_modify") == "on"}
    return asked


def _value(form: QueryDict, toggle: policy.Toggle) -> Any:
    """What the form says, as the toggle's own type; the toggle itself judges it."""
    text = form.get("value", "").strip()
    if toggle.type is policy.Type.BOOL:
        return {"yes": True, "no": False}.get(text, text)
    if toggle.type is policy.Type.INT:
        return int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 12 else text
    if toggle.type is policy.Type.CHOICE:
        return text
    if toggle.type is policy.Type.USERNAMES_OR_OFF and not text:
        return None
    return text.split()


def _page(
    request: HttpRequest, member: Member, *, saved: str = "", refused: str = "", message: str = "", status: int = 200
) -> HttpResponse:
    rows = [_row(toggle) for toggle in policy.describe_for(member)]
    context = {"page": "policy", "rows": rows, "saved": saved, "refused": refused, "message": message}
    return render(request, "dashboard/policy.html", context, status=status)


def _row(toggle: Row) -> Row:
    sources = {"member": "You", "organization": "Your organization", "default": "Built in"}
    return {
        **toggle,
        "shown": _shown(toggle, toggle["value"]),
        "source_label": sources[toggle["source"]],
        "own": _shown(toggle, toggle["member_value"]),
        "forms": [form for form in (_form(toggle, "member"), _form(toggle, "organization")) if form],
    }


def _form(toggle: Row, level: str) -> Row | None:
    if not toggle["can_change" if level == "member" else "can_change_organization"]:
        return None
    stored = toggle[f"{level}_value"]
    value = toggle["value"] if stored is None else stored
    return {
        "level": level,
        "title": "For you" if level == "member" else "For everybody",
        "is_set": stored is not None,
        "text": "\n".join(value) if isinstance(value, list) else "" if value is None else value,
        "may_open": level == "organization" and toggle["scope"] == "both",
    }


def _shown(toggle: Row, value: Any) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    if value is None:
        return "Off" if toggle["type"] == "usernames_or_off" else "Not set"
    if isinstance(value, list):
        return ", ".join(value) if value else "None"
    return str(value)
