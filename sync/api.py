"""/api/v1/sync/: this room's part."""

from django.urls import path

from sync.conversation_views import ChoiceView, PrivateView
from sync.rehearsal_views import RehearsalView
from sync.standing_views import BackfillView, MailboxesView, StopView
from sync.undoing_views import (
    CorrectionsView,
    CorrectionView,
    PutBackView,
    RelinkMailView,
    RelinkThreadView,
    UndoActivityView,
    UndoMailView,
    UndoRuleView,
    UndoThreadView,
)
from sync.views import DecisionsView, IgnoreView, RetryView
from sync.why_views import WhyView

urlpatterns = [
    path("decisions/", DecisionsView.as_view(), name="sync-decisions"),
    path("decisions/retry/", RetryView.as_view(), name="retry-sync-decisions"),
    path("decisions/choose/", ChoiceView.as_view(), name="choose-person"),
    path("mailboxes/", MailboxesView.as_view(), name="sync-mailboxes"),
    path("backfill/", BackfillView.as_view(), name="start-backfill"),
    path("backfill/stop/", StopView.as_view(), name="stop-backfill"),
    path("dry-run/", RehearsalView.as_view(), name="rehearse-sync"),
    path("conversations/private/", PrivateView.as_view(), name="keep-private"),
    path("why/", WhyView.as_view(), name="why"),
    path("decisions/ignore/", IgnoreView.as_view(), name="ignore-sync-decisions"),
    path("decisions/<uuid:decision_id>/undo/", UndoMailView.as_view(), name="undo-decision"),
    path("decisions/<uuid:decision_id>/relink/", RelinkMailView.as_view(), name="relink-decision"),
    path("conversations/undo/", UndoThreadView.as_view(), name="undo-conversation"),
    path("conversations/relink/", RelinkThreadView.as_view(), name="relink-conversation"),
    path("rules/<str:rule>/undo/", UndoRuleView.as_view(), name="undo-rule"),
    path("activities/<str:activity_id>/undo/", UndoActivityView.as_view(), name="undo-activity"),
    path("corrections/<uuid:correction_id>/put-back/", PutBackView.as_view(), name="put-back"),
    path("corrections/", CorrectionsView.as_view(), name="corrections"),
    path("corrections/<uuid:correction_id>/", CorrectionView.as_view(), name="correction"),
]
