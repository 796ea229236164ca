"""Which door leads to which room."""

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("api/v1/", include("config.api")),
    path("", include("sidebar.demo.urls")),
    path("o/", include("organizations.oauth.urls")),
    path(".well-known/", include("organizations.oauth.wellknown")),
    path("connect/", include("vault.urls")),
    path("hooks/", include("sync.urls")),
    path("addins/outlook/", include("sidebar.outlook.urls")),
    path("dashboard", RedirectView.as_view(url="/dashboard/")),
    path("dashboard/", include("dashboard.urls")),
    path("problems/", include("dashboard.problems")),
    path("", include("config.health")),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
