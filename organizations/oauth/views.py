"""The doors of our OAuth server: authorize, token, revoke, introspect. Errors are RFC 6749's, never a stack trace."""
# ruff: noqa: ARG002  Django's and the toolkit's signatures

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider.exceptions import FatalClientError, OAuthToolkitError
from oauth2_provider.http import OAuth2ResponseRedirect
from oauth2_provider.models import get_access_token_model
from oauth2_provider.views.base import AuthorizationView, RevokeTokenView, TokenView
from oauth2_provider.views.mixins import OAuthLibMixin
from oauthlib.oauth2.rfc6749.errors import InvalidRequestFatalError

from organizations.authentication import may_enter
from organizations.models import Application, Member
from organizations.oauth import redirects
from organizations.oauth.validator import digest_of

GRANT_TYPES = ("authorization_code", "refresh_token")


def error(code: str, description: str, status: int = 400) -> JsonResponse:
    """An RFC 6749 5.2 error answer."""
    return JsonResponse({"error": code, "error_description": description}, status=status)


def with_issuer(url: str) -> str:
    """`url` with RFC 9207's `iss`, once, equal to the issuer of our metadata."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "iss"]
    return parts._replace(query=urlencode([*query, ("iss", settings.PUBLIC_URL)])).geturl()


class Authorize(AuthorizationView):
    """RFC 6749 4.1.1. The request is judged before anybody is asked to sign in; ours go through without a question."""

    template_name = "organizations/authorize.html"
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.oauth2_data: dict[str, Any] = {}
        try:
            if _holds_nul(request.GET) or _holds_nul(request.POST):
                return self._refuse("A parameter holds a NUL character.")
            if request.method == "GET":
                self.validate_authorization_request(request)
            answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        except OAuthToolkitError as failure:
            answer = self.error_response(failure, None)
        except (ValueError, SuspiciousOperation, MultiPartParserError, UnreadablePostError):
            answer = self._refuse("The request cannot be understood.")
        return answer

    def handle_prompt_login(self) -> HttpResponseBase:
        """`prompt=login`: somebody else may be sitting there than the one who is signed in here."""
        logout(self.request)
        answer: HttpResponseBase = super().handle_prompt_login()
        return answer

    def get_login_url(self) -> str:
        """Salesforce has a session of its own with this browser, so it is told to ask again too."""
        asks_again = "login" in self.request.GET.get("prompt", "").split()
        return f"{settings.LOGIN_URL}?prompt=login" if asks_again else settings.LOGIN_URL

    def _refuse(self, description: str) -> HttpResponseBase:
        failure = FatalClientError(error=InvalidRequestFatalError(description=description))
        page: HttpResponseBase = self.error_response(failure, None)
        return page

    def redirect(self, redirect_to: str, application: Application | None) -> HttpResponse:
        """Only ever reached with a redirect URI that is registered; adds `iss` to successes and errors alike."""
        plain = redirects.is_plain_http(redirect_to)
        answer: HttpResponse = OAuth2ResponseRedirect(with_issuer(redirect_to), ["http"] if plain else ["https"])
        return answer

    def form_valid(self, form: Any) -> HttpResponseBase:
        """The hidden fields came back through the browser: the redirect is judged again, also for a refusal."""
        application = Application.objects.filter(client_id=form.cleaned_data["client_id"]).first()
        if application is None or not application.redirect_uri_allowed(form.cleaned_data["redirect_uri"]):
            return self._refuse("The redirect URI is not registered.")
        answer: HttpResponseBase = super().form_valid(form)
        return answer

    def form_invalid(self, form: Any) -> HttpResponseBase:
        return self._refuse(f"Missing: {', '.join(sorted(form.errors))}.")


def _holds_nul(parameters: Any) -> bool:
    return any("\0" in text for name, values in parameters.lists() for text in (name, *values))


@method_decorator(csrf_exempt, name="dispatch")
class FormEndpoint(View):
    """What token, revocation and introspection share: a form in, JSON out, whatever comes."""

    http_method_names = ["post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            refusal = self._fault(request) if request.method == "POST" else None
            response: HttpResponseBase = refusal or super().dispatch(request, *args, **kwargs)
        except (OperationalError, InterfaceError):
            response = error("temporarily_unavailable", "Our database does not answer. Try again.", 503)
            response.headers["Retry-After"] = "5"
        response.headers["Cache-Control"] = "no-store"
        if "Content-Type" not in response.headers or response.headers["Content-Type"].startswith("text/html"):
            response.headers["Content-Type"] = "application/json"
        return response

    def _fault(self, request: HttpRequest) -> JsonResponse | None:
        if request.content_type != "application/x-www-form-urlencoded":
            return error("invalid_request", "Send application/x-www-form-urlencoded.")
        try:
            form = request.POST
        except (SuspiciousOperation, UnreadablePostError, ValueError):
            return error("invalid_request", "The body cannot be read.")
        if request.GET:
            return error("invalid_request", "Send parameters in the body, not in the URL.")
        if _holds_nul(form) or any(len(values) > 1 for _, values in form.lists()):
            return error("invalid_request", "A parameter is repeated or holds a NUL character.")
        return None

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = error("invalid_request", "Use POST.", 405)
        response.headers["Allow"] = "POST"
        return response


class Token(FormEndpoint, TokenView):
    """RFC 6749 4.1.3 and 6. One transaction, on whose row locks codes and refresh tokens are used once."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        grant_type = request.POST.get("grant_type", "")
        if not grant_type:
            return error("invalid_request", "grant_type is missing.")
        if grant_type not in GRANT_TYPES:
            return error("unsupported_grant_type", "Only authorization_code and refresh_token are offered.")
        with transaction.atomic():
            response: HttpResponse = self.authorization_flow_token_response(request)
        return response


class Revoke(FormEndpoint, RevokeTokenView):
    """RFC 7009. Revoking one token ends all that came of the same sign-in."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            response: HttpResponse = super().post(request, *args, **kwargs)
        return response


class Introspect(FormEndpoint, OAuthLibMixin):
    """RFC 7662, for resource servers with a secret. Says nothing of a token that would not be let in."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if not self.authenticate_client(request):
            response = error("invalid_client", "Authenticate as a client with a secret.", 401)
            response.headers["WWW-Authenticate"] = 'Basic realm="introspection"'
            return response
        token = request.POST.get("token", "")
        if not token:
            return error("invalid_request", "token is missing.")
        return JsonResponse(self._describe(token))

    def _describe(self, token: str) -> dict[str, Any]:
        rows = get_access_token_model().objects.filter(token_checksum=digest_of(token))
        row = rows.select_related("application", "user__organization").first()
        if row is None or row.is_expired() or not isinstance(row.user, Member) or not may_enter(row.user):
            return {"active": False}
        return {
            "active": True,
            "scope": row.scope,
            "client_id": row.application.client_id,
            "sub": str(row.user.pk),
            "iss": settings.PUBLIC_URL,
            "token_type": "Bearer",
            "exp": int(row.expires.timestamp()),
            "iat": int(row.created.timestamp()),
        }
