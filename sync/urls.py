"""Where providers tell us of changes. Below /hooks/."""

from django.urls import path

from sync import webhooks

urlpatterns = [
    path("google/gmail/", webhooks.gmail),
    path("microsoft/graph/", webhooks.graph),
]
