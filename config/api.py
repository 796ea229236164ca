"""The API's front door: which path leads to which room, and the schema of all of it."""

import threading
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request

from config import health
from sidebar.emails import EmailsView

_one_at_a_time = threading.Lock()


@cache
def _description() -> bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: bytes = OpenApiJsonRenderer().render(schema)
    return rendered


class Description(SpectacularJSONAPIView):
    """The OpenAPI description, made once by each process: that takes up to a second, anyone may ask for it, and
    drf-spectacular fails where two threads make it at once."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        with _one_at_a_time:
            return HttpResponse(_description(), content_type=request.accepted_renderer.media_type)


urlpatterns = [
    path("sidebar/", include("sidebar.api")),  # first, since resolving a path is a fifth of a warm look-up
    path("tracking/", include("tracking.api")),
    path("sync/emails/", EmailsView.as_view(), name="log-email"),
    path("sync/", include("sync.api")),
    path("schema/", Description.as_view(), name="schema"),
    path("", include("organizations.api")),
    path("", include("vault.api")),
    path("<path:unknown>", health.no_such_api),
]
