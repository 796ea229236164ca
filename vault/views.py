"""The pages of connecting: choose where to sign in, come back from Salesforce, disconnect. No password, ever (C2)."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from organizations.models import Member
from providers.base import Secret
from vault import connect, farewell, outbound, refused, salesforce
from vault.clients import reconnect_url
from vault.errors import AppUnusable, KekUnusable, NotAllowedHere, OwnTrouble
from vault.scopes import purposes

log = logging.getLogger("sidebar.vault")

BACKEND = "organizations.authentication.MemberBackend"
#: A code or state that is longer was not made by Salesforce or us.
LONGEST = 2_000
_OUR_KEYS = (
    "Our keys cannot be used just now, so nothing was connected. Your administrator can see why; try again later."
)
_NO_PASSWORDS = "Never send a password here: you type it at its own provider only."
View = Callable[..., HttpResponseBase]


def _names_in(request: HttpRequest) -> set[str]:
    """The names of everything sent, whichever way."""
    names = {*request.GET, *request.POST}
    if request.content_type == "application/json":
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            return names
        names |= set(body) if isinstance(body, dict) else set()
    return {name.lower() for name in names}


def takes_no_password(view: View) -> View:
    """Answers 400 to anything that looks like a password, and turns refusals into plain pages (C2)."""

    @wraps(view)
    @sensitive_post_parameters()
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if any(name.startswith(("pass", "pwd")) for name in _names_in(request)):
                raise NotAllowedHere(_NO_PASSWORDS)
            return view(request, *args, **kwargs)
        except NotAllowedHere as refusal:
            return _refusal(request, refusal)
        except AppUnusable as error:
            return _refusal(request, NotAllowedHere(str(error), status=503))
        except (KekUnusable, OwnTrouble) as error:
            log.error("nobody can connect: %s", error)
            return _refusal(request, NotAllowedHere(_OUR_KEYS, status=503))

    return guarded


def _refusal(request: HttpRequest, refusal: NotAllowedHere) -> HttpResponse:
    provider = request.resolver_match.kwargs.get("provider") if request.resolver_match else None
    context = {
        "again": reconnect_url(provider or salesforce.PROVIDER),
        "sentence": str(refusal),
        "advice": refusal.advice,
        "may_sign_out": refusal.status == 409 and provider is None,
    }
    refused.note(provider or salesforce.PROVIDER, refusal.cause)
    response = render(request, "vault/refused.html", context, status=refusal.status)
    if refusal.status == 503:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def next_path(request: HttpRequest, otherwise: str = "") -> str:
    """A path of our own, or the default page: never another site, whatever a browser would make of it."""
    path = str(request.POST.get("next") or request.GET.get("next") or "")
    is_plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 4_000
    if is_plain and url_has_allowed_host_and_scheme(path, allowed_hosts=None):
        return path
    return otherwise or settings.LOGIN_REDIRECT_URL


def _prompt(request: HttpRequest) -> str:
    """ "login" where somebody else is to sign in than the one whom Salesforce's own session in this browser names."""
    return "login" if "login" in (request.POST.get("prompt"), request.GET.get("prompt")) else ""


def signed_in(request: HttpRequest) -> Member | None:
    return request.user if isinstance(request.user, Member) else None


@takes_no_password
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponseBase:
    """GET: choose where to sign in (`?login=` preselects, `?prompt=login` asks who it is). POST: go there."""
    if request.method == "POST":
        text = str(request.POST.get("login") or "")
        typed = str(request.POST.get("address") or "")
        address = typed if text == "other" else text
        url = connect.begin(request.session, address, next_path(request), _prompt(request))
        return HttpResponseRedirect(url)
    chosen = str(request.GET.get("login") or "")
    choices = salesforce.login_choices()
    context = {
        "choices": choices.items(),
        "chosen": chosen if chosen in choices else ("other" if chosen else next(iter(choices))),
        "address": "" if chosen in choices else chosen[:300],
        "next": next_path(request),
        "prompt": _prompt(request),
        "purposes": purposes(salesforce.PROVIDER).items(),
        "member": signed_in(request),
        "here": request.get_full_path(),
    }
    return render(request, "vault/connect.html", context)


@takes_no_password
@require_GET
@sensitive_variables("code")
def callback(request: HttpRequest, login_key: str | None = None) -> HttpResponseBase:
    """The browser comes back from Salesforce. Everything in its address is a stranger's text."""
    given = {name: request.GET.get(name) for name in ("state", "code", "iss", "error", "error_description")}
    if any(value is not None and len(value) > LONGEST for value in given.values()):
        raise NotAllowedHere("Salesforce's answer is longer than it can be.")
    code = Secret(given["code"] or "")
    answer = connect.Callback(given["state"] or "", code, given["iss"], login_key)
    with outbound.sign_ins.waiting(login_key or ""):  # before the state is used up: the same address may come again
        expected, verifier = connect.expect(request.session, answer)
        if given["error"]:
            raise connect.said_by_salesforce(given["error"], given["error_description"] or "")
        if not code:
            raise NotAllowedHere("Salesforce's answer holds no code. Please start again.")
        done = connect.complete(expected, verifier, code, signed_in(request))
    login(request, done.member, backend=BACKEND)  # a new session id: one fixed by someone else is worth nothing
    return HttpResponseRedirect(done.next)


@takes_no_password
@require_POST
def disconnect(request: HttpRequest) -> HttpResponseBase:
    """End the signed-in person's grant, here and, once it answers, at Salesforce; this browser session ends too."""
    member = signed_in(request)
    if member is None:
        raise NotAllowedHere("You are not signed in.", status=403)
    told = farewell.disconnect(member, salesforce.PROVIDER)
    logout(request)
    return render(request, "vault/disconnected.html", {"told": told})


@takes_no_password
@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End this browser session only; the grant stays."""
    logout(request)
    path = next_path(request)
    return HttpResponseRedirect(path if path.startswith("/connect/") else "/connect/salesforce/?prompt=login")
