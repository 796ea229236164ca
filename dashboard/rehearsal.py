"""The page that tries email sync out: what the settings in force would have done with one's mail of the last days."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from dashboard.gates import members_only
from organizations.models import Member
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError
from sync import rehearsal
from sync.mailboxes import PROVIDERS
from sync.rehearsal import Rehearsal
from vault import dialects
from vault.clients import reconnect_url
from vault.errors import ConnectRequired, VaultError

_BUSY = "Others are trying it out right now. Try again in half a minute."
_AWAY = "Your mailbox or Salesforce could not be asked just now. Try again in a few minutes."
_HERE = "/dashboard/email-sync/try/"


@require_safe
@members_only
def page(request: HttpRequest, member: Member) -> HttpResponse:  # noqa: ARG001  who looks is all the gate asks
    return _page(request)


@require_POST
@members_only
def run(request: HttpRequest, member: Member) -> HttpResponse:
    provider = request.POST.get("provider", "")
    if provider not in PROVIDERS:
        raise Http404
    try:
        return _page(request, found=rehearsal.rehearse(member, provider, days=rehearsal.LONGEST.days))
    except rehearsal.Busy:
        return _page(request, refusal=_BUSY, status=429)
    except (ConnectRequired, NeedsReconnect, PermissionMissing) as error:
        missing = error.provider or provider
        refusal = f"{dialects.label(missing)} has to be connected first, with your mail allowed."
        return _page(request, refusal=refusal, again=reconnect_url(missing, _HERE), status=409)
    except (ProviderError, VaultError):
        return _page(request, refusal=_AWAY, status=503)


def _page(
    request: HttpRequest, *, found: Rehearsal | None = None, refusal: str = "", again: str = "", status: int = 200
) -> HttpResponse:
    choices = [(name, dialects.label(name)) for name in PROVIDERS]
    context = {"page": "email_sync", "choices": choices, "found": found, "refusal": refusal, "again": again}
    return render(request, "dashboard/rehearsal.html", context, status=status)
