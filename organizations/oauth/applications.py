"""The add-ins and resource servers that our OAuth server knows. Nobody registers one over the network."""

import secrets
from collections.abc import Sequence

from django.db import transaction

from organizations import audit
from organizations.models import Application
from organizations.oauth import redirects
from organizations.oauth.validator import SECRET_PREFIX, digest_of


def ensure_first_party(client_id: str, name: str, redirect_uris: Sequence[str]) -> Application:
    """Make or update one of our own add-ins: public, PKCE, no consent page. Raises ValueError for a bad redirect."""
    for uri in redirect_uris:
        if not redirects.is_acceptable(uri):
            raise ValueError(f"not a redirect URI that may be registered: {uri}")
    application: Application
    application, _ = Application.objects.update_or_create(
        client_id=client_id,
        defaults={
            "name": name,
            "redirect_uris": " ".join(redirect_uris),
            "client_type": Application.CLIENT_PUBLIC,
            "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
            "skip_authorization": True,
            "client_secret": "",
            "hash_client_secret": False,
        },
    )
    return application


def new_resource_server(name: str) -> tuple[str, str]:
    """A client that may introspect tokens and nothing else. Returns its id and its secret, which is not kept."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        application = Application.objects.create(
            name=name,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
            client_secret=SECRET_PREFIX + digest_of(secret),
            hash_client_secret=False,
        )
        audit.record(audit.INSTALLATION, "operator", "resource_server.made", application.client_id)
    return application.client_id, secret
