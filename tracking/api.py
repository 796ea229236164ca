"""/api/v1/tracking/: this room's part."""

from django.urls import path

from tracking.views import FindView, MessagesView, MessageView, NewsView, RepliesView, SentView, ViewingView

urlpatterns = [
    path("messages/", MessagesView.as_view(), name="tracked-messages"),
    path("replies/", RepliesView.as_view(), name="tracking-replies"),
    path("news/", NewsView.as_view(), name="tracking-news"),
    path("messages/find/", FindView.as_view(), name="find-tracked-message"),
    path("messages/<uuid:message_id>/", MessageView.as_view(), name="tracked-message"),
    path("messages/<uuid:message_id>/sent/", SentView.as_view(), name="tracked-message-sent"),
    path("messages/<uuid:message_id>/viewing/", ViewingView.as_view(), name="tracked-message-viewing"),
]
