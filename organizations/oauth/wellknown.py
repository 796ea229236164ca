"""/.well-known/: where RFC 8414 clients look first, our issuer having no path."""

from django.urls import path

from organizations.oauth import metadata

urlpatterns = [path("oauth-authorization-server", metadata.authorization_server)]
