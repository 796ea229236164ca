"""The API's front door: which path leads to which room, and the schema of all of it."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from config import health

urlpatterns = [
    path("sidebar/", include("sidebar.api")),  # first, since resolving a path is a fifth of a warm look-up
    path("schema/", SpectacularJSONAPIView.as_view(authentication_classes=[], permission_classes=[]), name="schema"),
    path("", include("organizations.api")),
    path("", include("vault.api")),
    path("<path:unknown>", health.no_such_api),
]
