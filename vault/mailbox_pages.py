"""The pages of connecting Google and Microsoft: what is asked for and why, come back, disconnect. No password (C2)."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from organizations.models import Member
from providers.base import Secret
from vault import consent, dialects, farewell, mailbox_refusals, mailboxes, outbound
from vault.clients import reconnect_url
from vault.errors import NotAllowedHere
from vault.models import Connection
from vault.policies import features_of
from vault.views import LONGEST, next_path, signed_in, takes_no_password

#: Where a person looks after connecting: what is allowed now, what is still missing.
HOME = "/dashboard/connections/"


def _must_be_signed_in(request: HttpRequest) -> Member:
    member = signed_in(request)
    if member is None:
        raise NotAllowedHere("Sign in with Salesforce first, then connect your mailbox.", status=403)
    return member


@takes_no_password
@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, provider: str) -> HttpResponseBase:
    """GET: what will be asked for and why; who is not signed in signs in first. POST: go to the provider."""
    if request.method == "POST":
        member = _must_be_signed_in(request)
        return HttpResponseRedirect(mailboxes.begin(request.session, member, provider, next_path(request, HOME)))
    if signed_in(request) is None:
        query = urlencode({"next": request.get_full_path()})
        return HttpResponseRedirect(f"{reverse('vault:salesforce')}?{query}")
    return _page(request, _must_be_signed_in(request), provider)


def _page(request: HttpRequest, member: Member, provider: str) -> HttpResponseBase:
    mailboxes.require_app(provider, member)
    row = mailboxes.current(member, provider)
    context = {
        "label": dialects.label(provider),
        "connection": row,
        "scopes": consent.shown(member, provider, row.scopes if row else ()),
        "missing": consent.missing(row) if row else (),
        "features": consent.in_words(features_of(member)),
        "refusals": mailbox_refusals.ahead(provider, dialects.label(provider)),
        "next": next_path(request, HOME),
    }
    return render(request, "vault/mailbox.html", context)


@takes_no_password
@require_GET
@sensitive_variables("code")
def callback(request: HttpRequest, provider: str) -> HttpResponseBase:
    """The browser comes back from the provider. Everything in its address is a stranger's text."""
    member, label = _must_be_signed_in(request), dialects.label(provider)
    names = ("state", "code", "iss", "error", "error_description", "error_subcode")
    given = {name: request.GET.get(name) for name in names}
    if any(value is not None and len(value) > LONGEST for value in given.values()):
        raise NotAllowedHere(f"{label}'s answer is longer than it can be.")
    code = Secret(given["code"] or "")
    with outbound.sign_ins.waiting(provider):  # before the state is used up: the same address may come again
        answer = mailboxes.Answer(provider, given["state"] or "", given["iss"])
        expected, verifier = mailboxes.expect(request.session, member, answer)
        if given["error"]:
            text = f"{given['error_description'] or ''} {given['error_subcode'] or ''}".strip()
            raise mailbox_refusals.refusal(provider, label, given["error"], text)
        if not code:
            raise NotAllowedHere(f"{label}'s answer holds no code. Please start again.")
        row = mailboxes.complete(expected, verifier, code, member)
    return _connected(request, member, row, expected.next)


def _connected(request: HttpRequest, member: Member, row: Connection, next_url: str) -> HttpResponseBase:
    """On to where the person came from, unless something that is switched on was not allowed: that is said first."""
    absent = consent.missing(row)
    if not absent:
        return HttpResponseRedirect(next_url)
    spoken = dialects.of(row.provider)
    context = {
        "again": reconnect_url(row.provider, next_url),
        "label": spoken.label,
        "missing": [(scope, spoken.purpose_of(scope)) for scope in absent],
        "features": consent.in_words(consent.held_back(member, row.provider, row.scopes)),
        "next": next_url,
    }
    return render(request, "vault/incomplete.html", context)


@takes_no_password
@require_POST
def disconnect(request: HttpRequest, provider: str) -> HttpResponseBase:
    """End the signed-in person's grant, here and where it can be ended there. He stays signed in."""
    member, label = _must_be_signed_in(request), dialects.label(provider)
    told = farewell.disconnect(member, provider)
    context = {"again": reconnect_url(provider), "home": HOME, "label": label, "told": told}
    return render(request, "vault/mailbox_disconnected.html", context)
