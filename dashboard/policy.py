"""The policy page: every setting with its value in force and where that comes from, and the forms to change it."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from dashboard.policy_groups import grouped
from organizations import policy
from organizations.models import Member

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """What somebody asked for and did not get; he finds what he typed where he typed it."""

    key: str
    level: policy.Level
    typed: str
    message: str


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
        refused = Refused(key, _level(request.POST), request.POST.get("value", ""), refusal.message)
        return _page(request, member, refused=refused, status=422)
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
    if toggle.type in (policy.Type.PHRASES, policy.Type.FOLDERS):
        return [line for line in map(str.strip, text.splitlines()) if line]
    return text.split()


def _page(
    request: HttpRequest, member: Member, *, saved: str = "", refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    rows = [_row(toggle, refused) for toggle in policy.describe_for(member)]
    context = {"page": "policy", "groups": grouped(rows), "saved": saved}
    return render(request, "dashboard/policy.html", context, status=status)


def _row(toggle: Row, refused: Refused | None) -> Row:
    sources = {"member": "You", "organization": "Your organization", "default": "Built in"}
    here = refused if refused and refused.key == toggle["key"] else None
    levels = (policy.Level.MEMBER, policy.Level.ORGANIZATION)
    forms = [form for form in (_form(toggle, level, here) for level in levels) if form]
    return {
        **toggle,
        "shown": _shown(toggle, toggle["value"]),
        "source_label": sources[toggle["source"]],
        "own": _shown(toggle, toggle["member_value"]),
        "choices": list(_words(toggle).items()),
        "forms": forms,
        "refused": here.message if here and not any(form["refused"] for form in forms) else "",
    }


def _form(toggle: Row, level: policy.Level, refused: Refused | None) -> Row | None:
    is_own = level is policy.Level.MEMBER
    if not toggle["can_change" if is_own else "can_change_organization"]:
        return None
    stored = toggle[f"{level}_value"]
    value = toggle["value"] if stored is None else stored
    text = "\n".join(value) if isinstance(value, list) else "" if value is None else value
    here = refused if refused and refused.level is level else None
    return {
        "level": level.value,
        "title": "For you" if is_own else "For everybody",
        "is_set": stored is not None,
        "text": here.typed if here else text,
        "refused": here.message if here else "",
        "may_open": not is_own and toggle["scope"] == "both",
    }


def _words(toggle: Row) -> dict[str, str]:
    return dict(zip(toggle["choices"], policy.toggle_named(toggle["key"]).choice_labels, strict=True))


def _shown(toggle: Row, value: Any) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "On" if value else "Off"
    if value is None:
        return "Off" if toggle["type"] == "usernames_or_off" else "Not set"
    if isinstance(value, list):
        return ", ".join(value) if value else "None"
    return _words(toggle).get(value, str(value))
