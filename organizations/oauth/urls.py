"""/o/: the four endpoints and their description. No application management, no OIDC, no device flow."""

from django.urls import path

from organizations.oauth import metadata, views

app_name = "oauth2_provider"  # the toolkit reverses its own names
urlpatterns = [
    path("authorize/", views.Authorize.as_view(), name="authorize"),
    path("token/", views.Token.as_view(), name="token"),
    path("revoke_token/", views.Revoke.as_view(), name="revoke-token"),
    path("introspect/", views.Introspect.as_view(), name="introspect"),
    path(".well-known/oauth-authorization-server", metadata.authorization_server, name="metadata"),
]
