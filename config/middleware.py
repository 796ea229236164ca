"""What every answer carries: a request id and the page's Content-Security-Policy. No rule of the product lives here."""

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, UnreadablePostError
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.deprecation import MiddlewareMixin

from config import errors, request_ids

# Gmail and the Outlook family: the only strangers that may frame the add-in pages (C8).
MAIL_HOSTS = (
    "https://mail.google.com https://outlook.office.com https://outlook.office365.com https://outlook.live.com "
    "https://outlook.cloud.microsoft https://*.officeapps.live.com"
)
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'"
)
_DATA = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
# Chromium holds redirects after a form post to form-action too, and signing in leaves for Salesforce, an
# identity provider we have never heard of, and an add-in's own redirect URI.
_LEAVING = f"{_PAGE}; frame-ancestors 'none'; form-action 'self' https: http://localhost:* http://127.0.0.1:*"

POLICIES = (
    ("/api/", _DATA),
    ("/addins/", f"{_PAGE}; form-action 'none'; frame-ancestors 'self' {MAIL_HOSTS}"),
    ("/connect/", _LEAVING),
    ("/o/", _LEAVING),
    ("/", f"{_PAGE}; frame-ancestors 'none'; form-action 'self'"),
)
# Signing in for an add-in happens in a pop-up whose opener must survive the trip to Salesforce.
_POPUP_PATHS = ("/addins/", "/connect/", "/o/")
MAX_BODY_BYTES = 1_048_576
#: Reading a quoted one takes some releases of Python quadratic time (CVE-2024-7592).
MAX_COOKIE_BYTES = 8_192
#: Bodies that a view reads as they come, and counts: by path and media type.
STREAMED = frozenset({("/api/v1/sync/emails/", "message/rfc822")})


class Bodies:
    """Nobody waits for a body but here, and no longer than it deserves (`config.pace`); what is streamed, its view
    reads."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.META.get("CONTENT_LENGTH", "0") in ("", "0") or _is_streamed(request):
            return self.get_response(request)
        try:
            _ = request.body
        except UnreadablePostError:
            return errors.too_slow()
        return self.get_response(request)


class Envelope:
    """Outermost of ours: refuses what no view should see, and completes every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.public = urlsplit(settings.PUBLIC_URL)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = f"{random.getrandbits(64):016x}"
        request_ids.current.set(request_id)
        response = self.refusal(request) or self.get_response(request)
        headers = response.headers
        headers["X-Request-Id"] = request_id
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = policy_for(request.path)
        if "Cache-Control" not in headers:
            headers["Cache-Control"] = "no-store"
        if request.path == "/" or request.path.startswith(_POPUP_PATHS):
            headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups" if request.path == "/" else "unsafe-none"
        return response

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        host = request.get_host()  # raises DisallowedHost -> 400
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return errors.problem("unsupported-encoding", 415, "Send the body uncompressed.")
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES and not _is_streamed(request):
            return errors.problem("too-large", 413, "The body is larger than 1 MiB.")
        if len(request.META.get("HTTP_COOKIE", "")) > MAX_COOKIE_BYTES:
            detail = "The cookies are larger than 8 KiB. Delete those of this site."
            return errors.problem("cookies-too-large", 431, detail)
        if host != self.public.netloc and request.method == "GET" and settings.IS_LOOPBACK:
            return self.to_public_name(request)
        return None

    def to_public_name(self, request: HttpRequest) -> HttpResponse | None:
        """127.0.0.1 and localhost are different origins to a browser: send pages to the one that is configured."""
        if request.path.startswith(("/api/", "/o/", "/healthz", "/readyz", "/metrics", "/.well-known/", "/hooks/")):
            return None
        return HttpResponseRedirect(settings.PUBLIC_URL + request.get_full_path())

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Views outside DRF answer the same problems as those inside."""
        return errors.problem_for(exception) if request.path.startswith("/api/") else None


def _is_streamed(request: HttpRequest) -> bool:
    return request.method == "POST" and (request.path, request.content_type) in STREAMED


def policy_for(path: str) -> str:
    return next(policy for prefix, policy in POLICIES if path.startswith(prefix))


class PagesOnly(MiddlewareMixin):
    """The API knows bearer tokens alone: no cookie is read or set there, and the hot path pays for none of this."""

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith("/api/"):
            return self.get_response(request)
        return super().__call__(request)


class PageSessions(PagesOnly, SessionMiddleware):
    pass


class PageForms(PagesOnly, CsrfViewMiddleware):
    pass


class PageMembers(PagesOnly, AuthenticationMiddleware):
    pass
