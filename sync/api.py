"""/api/v1/sync/: this room's part."""

from django.urls import path

from sync.conversation_views import ChoiceView, PrivateView
from sync.rehearsal_views import RehearsalView
from sync.views import DecisionsView, IgnoreView, RetryView

urlpatterns = [
    path("decisions/", DecisionsView.as_view(), name="sync-decisions"),
    path("decisions/retry/", RetryView.as_view(), name="retry-sync-decisions"),
    path("decisions/choose/", ChoiceView.as_view(), name="choose-person"),
    path("dry-run/", RehearsalView.as_view(), name="rehearse-sync"),
    path("conversations/private/", PrivateView.as_view(), name="keep-private"),
    path("decisions/ignore/", IgnoreView.as_view(), name="ignore-sync-decisions"),
]
