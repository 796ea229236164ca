"""A title and a page for each problem type of the API (RFC 9457): what it means and what to do. Words only."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe


@dataclass(frozen=True, slots=True)
class Problem:
    title: str
    meaning: str
    advice: str


PROBLEMS = {
    "bad-request": Problem(
        "The request cannot be understood",
        "The body is no JSON, is nested too deep, or a header that is needed is missing or malformed.",
        "Compare the request with the schema at /api/v1/schema/. The member detail says what was wrong.",
    ),
    "invalid": Problem(
        "Some values are not valid",
        "The request was understood, but a value in it cannot be right.",
        "The member errors lists each field with what is wrong about it.",
    ),
    "not-authenticated": Problem(
        "Sign in first",
        "There was no access token, or it has run out or been revoked.",
        "Get a new access token with the refresh token; if that is refused too, sign in again.",
    ),
    "forbidden": Problem(
        "You may not do this",
        "Your role in your organization, or what the access token was issued for, does not allow this.",
        "Ask an administrator of your organization.",
    ),
    "not-found": Problem(
        "Not found",
        "There is no such record or address, or you may not see it. The two are not told apart.",
        "Look it up again; it may have been deleted, merged or hidden from you in Salesforce.",
    ),
    "method-not-allowed": Problem(
        "This address does not take that method",
        "The address exists, but not for this HTTP method.",
        "The Allow header lists the methods it takes.",
    ),
    "not-acceptable": Problem(
        "Only JSON is answered here", "The Accept header rules JSON out.", "Accept application/json."
    ),
    "conflict": Problem(
        "Something else was first",
        "The same request is still being worked on, or what you change has changed meanwhile.",
        "Wait a moment, look at the present state, then decide whether to send it again.",
    ),
    "idempotency-key-required": Problem(
        "A key for this action is missing",
        "Whatever writes to Salesforce needs an Idempotency-Key, so that sending it twice writes it once.",
        "Send a header Idempotency-Key with a random text, a new one for each action.",
    ),
    "idempotency-key-in-use": Problem(
        "This action is under way",
        "The same action, with the same Idempotency-Key, is being carried out right now.",
        "Wait as many seconds as Retry-After says, then send it again: you will get the answer of the first.",
    ),
    "idempotency-key-reused": Problem(
        "This key belongs to another action",
        "The Idempotency-Key was used before, with other values.",
        "Use a new key for each action.",
    ),
    "outcome-unknown": Problem(
        "Nobody knows whether this was saved",
        "Salesforce broke off before it answered; the change may or may not have been made.",
        "Look in Salesforce. If it was not made, try again with a new Idempotency-Key.",
    ),
    "signatures-off": Problem(
        "Signatures are not read",
        "Filling in new contacts from signatures is switched off, by the organization or by this person.",
        "Switch it on in the settings; an administrator may have to do so for everybody first.",
    ),
    "unsupported-media-type": Problem(
        "Send JSON", "The body is of a type that is not read here.", "Send application/json, in UTF-8."
    ),
    "unsupported-encoding": Problem(
        "Compressed bodies are not taken", "The body was compressed.", "Send it without Content-Encoding."
    ),
    "changed-since": Problem(
        "Somebody was faster",
        "The record was changed by somebody else after this person changed it offline. Nothing was written.",
        "Look at both values. If yours shall stand, send it again with the present values in `was`.",
    ),
    "length-required": Problem(
        "The length of the body is missing",
        "A message in chunks could break off without anybody noticing, and half of it would be saved.",
        "Send a Content-Length, or a Content-Digest with sha-256 of the whole body.",
    ),
    "body-cut": Problem(
        "The body broke off",
        "Fewer bytes came than were announced, or others than their digest says. Nothing was saved.",
        "Send it again, with the same Idempotency-Key.",
    ),
    "too-slow": Problem(
        "The body took too long",
        "We wait ten seconds for a body, and longer the more of it has come: five minutes for a whole message. "
        "Nothing was saved.",
        "Send it again over a better connection, with the same Idempotency-Key.",
    ),
    "too-large": Problem(
        "The body is too large",
        "The body is larger than this address takes. The member detail says how much that is.",
        "Ask for fewer things in one request.",
    ),
    "cookies-too-large": Problem(
        "The cookies are too large",
        "The cookies that came along are larger than 8 KiB. Ours are not: something else on this host has set them.",
        "Delete this site's cookies in the browser, and ask again.",
    ),
    "too-many-requests": Problem(
        "Too many requests",
        "More requests came from you than one person needs.",
        "Wait as many seconds as the Retry-After header says.",
    ),
    "connect-required": Problem(
        "Connect first",
        "You are signed in, but have not connected the provider that the member provider names (Salesforce, Google or"
        " Microsoft), or have ended that.",
        "Open the address in reconnect_url. Nothing is read from the provider before.",
    ),
    "needs-reconnect": Problem(
        "Connect again",
        "The provider that the member provider names no longer accepts the connection: it was revoked, ran out, or"
        " your password or your organization's rules have changed.",
        "Open the address in reconnect_url and sign in there. Your settings stay as they are.",
    ),
    "permission-missing": Problem(
        "You may not do this at the provider",
        "Your Salesforce profile or permission sets do not allow this, or you have not allowed us what it needs. We"
        " never do more than you may.",
        "The member errors says which. Where it says scope_missing, connect again and allow it; otherwise ask the"
        " provider's administrator.",
    ),
    "rejected": Problem(
        "Salesforce refused this",
        "A validation rule, a missing value or a duplicate stopped the change. Nothing was written.",
        "The member errors holds Salesforce's own words and the fields it names.",
    ),
    "rate-limited": Problem(
        "The provider allows no more calls for now",
        "Your organization has used up its calls at Salesforce, Google or Microsoft, or sent too many at once.",
        "Wait as many seconds as Retry-After says. Background work stops well before, to leave room for people.",
    ),
    "provider-unavailable": Problem(
        "The provider does not answer",
        "Salesforce, Google or Microsoft was too slow, broke off, or answered nonsense.",
        "Try again in a few seconds. A write is safe to repeat with the same Idempotency-Key.",
    ),
    "database-unavailable": Problem(
        "We cannot answer right now",
        "Our own database did not answer.",
        "Try again in a few seconds; Retry-After says how many.",
    ),
    "server-error": Problem(
        "Something went wrong on our side",
        "This is a fault of ours, and it has been logged without any of your data.",
        "Try again. If it stays, tell your administrator the request_id.",
    ),
}


def title_of(slug: str) -> str:
    """The title of an answer of this type: that of its page."""
    return PROBLEMS[slug].title if slug in PROBLEMS else slug.replace("-", " ").capitalize()


@require_safe
def problem_page(request: HttpRequest, slug: str) -> HttpResponse:
    if slug not in PROBLEMS:
        raise Http404
    return render(request, "dashboard/problem.html", {"problem": PROBLEMS[slug], "slug": slug})


app_name = "problems"
urlpatterns = [path("<slug:slug>", problem_page, name="problem"), path("<slug:slug>/", problem_page)]
