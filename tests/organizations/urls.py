"""This room's doors alone, so that its tests need no other room's."""

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("organizations.api")),
    path("o/", include("organizations.oauth.urls")),
    path(".well-known/", include("organizations.oauth.wellknown")),
]
handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
