"""Who may open which page. Pages know people by their browser session, never by a token."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from organizations.models import Member

View = Callable[[HttpRequest], HttpResponseBase]
Page = Callable[[HttpRequest, Member], HttpResponseBase]


def members_only(page: Page) -> View:
    """Hands the signed-in member to the page, in the member's own time zone (C24); others are sent to sign in."""

    @wraps(page)
    def gate(request: HttpRequest) -> HttpResponseBase:
        member = request.user
        if not isinstance(member, Member):
            return redirect_to_login(request.get_full_path())
        with timezone.override(member.zone):
            return page(request, member)

    return gate


def administrators_only(page: Page) -> View:
    """The same, for administrators; other members get 403."""

    def guarded(request: HttpRequest, member: Member) -> HttpResponseBase:
        if not member.is_administrator:
            raise PermissionDenied
        return page(request, member)

    return members_only(guarded)
