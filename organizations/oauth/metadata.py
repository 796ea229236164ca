"""RFC 8414: what our OAuth server offers, and nothing that is off."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from oauth2_provider.settings import oauth2_settings


@require_safe
def authorization_server(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  Django's signature
    """Public; but a page of another origin reads nothing of ours, not even this (C8)."""

    def url(name: str) -> str:
        return settings.PUBLIC_URL + reverse(f"oauth2_provider:{name}")

    document = {
        "issuer": settings.PUBLIC_URL,
        "authorization_endpoint": url("authorize"),
        "token_endpoint": url("token"),
        "revocation_endpoint": url("revoke-token"),
        "introspection_endpoint": url("introspect"),
        "scopes_supported": sorted(oauth2_settings.SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": True,
    }
    return JsonResponse(document)
