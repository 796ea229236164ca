"""/api/v1/sync/: this room's part."""

from django.urls import path

from sync.views import DecisionsView, IgnoreView, RetryView

urlpatterns = [
    path("decisions/", DecisionsView.as_view(), name="sync-decisions"),
    path("decisions/retry/", RetryView.as_view(), name="retry-sync-decisions"),
    path("decisions/ignore/", IgnoreView.as_view(), name="ignore-sync-decisions"),
]
