"""The two pages of the add-in. They are the same for everybody: who is signed in is known to the pane's script only."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sidebar.outlook.application import CALLBACK_PATH, CLIENT_ID, SCOPE


@require_safe
def task_pane(request: HttpRequest) -> HttpResponse:
    """The pane itself: an empty frame that its ES modules fill. Sets and reads no cookie (C43)."""
    context = {"client_id": CLIENT_ID, "scope": SCOPE, "callback_path": CALLBACK_PATH}
    return render(request, "sidebar/outlook/taskpane.html", context)


@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Where our OAuth server sends the pop-up: its script hands code, state and iss to the pane, and closes it."""
    response = render(request, "sidebar/outlook/callback.html")
    response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the code
    return response
