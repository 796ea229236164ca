"""The demo mailbox's pages: the list, one conversation, and the HTML of one message in a frame of its own."""

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sidebar.demo import mailbox
from sidebar.demo.mailbox import Conversation

# Nothing runs, nothing is fetched, nothing is sent; links open in a window of their own. `allow-same-origin`, harmless
# without scripts, lets the page around it measure the message and give it its full height.
_BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """The list with no message open; the dashboard where there is no demo mailbox."""
    if not settings.DEMO_MAILBOX:
        return HttpResponseRedirect("/dashboard/")
    return _page(request, None)


@require_safe
def conversation(request: HttpRequest, key: str) -> HttpResponse:
    return _page(request, _found(key))


@require_safe
def body(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """One message's own HTML, already sanitised, under a policy that lets nothing out."""
    mails = _found(key).mails
    if number >= len(mails) or not mails[number].html:
        raise Http404
    response = render(request, "sidebar/demo/body.html", {"html": mails[number].html, "subject": mails[number].subject})
    response.headers["Content-Security-Policy"] = _BODY_POLICY
    return response


@require_safe
def whole(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001
    """The newest message of a conversation as its file has it: what a mail client hands over to be saved."""
    path = _found(key).last.path
    if path is None:
        raise Http404
    response = HttpResponse(path.read_bytes(), content_type="message/rfc822")
    response.headers["Content-Disposition"] = "attachment"
    return response


def _page(request: HttpRequest, opened: Conversation | None) -> HttpResponse:
    context = {
        "conversations": _all(),
        "opened": opened,
        "hints": mailbox.sign_in_hints(Path(settings.DEMO_MAILBOX)),
    }
    response = render(request, "sidebar/demo/mailbox.html", context)
    # The pane in the frame opens a sign-in window that must find its way back to it.
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
    return response


def _all() -> Sequence[Conversation]:
    if not settings.DEMO_MAILBOX:
        raise Http404
    return mailbox.conversations(Path(settings.DEMO_MAILBOX))


def _found(key: str) -> Conversation:
    for candidate in _all():
        if candidate.key == key:
            return candidate
    raise Http404
