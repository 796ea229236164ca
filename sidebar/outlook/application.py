"""Keeps the task pane known to our OAuth server: a first-party public client. Knows no secret, for there is none."""

from typing import Any

from django.conf import settings

from organizations.oauth.applications import ensure_first_party

CLIENT_ID = "outlook-task-pane"
SCOPE = "sidebar"
CALLBACK_PATH = "/addins/outlook/callback/"


def register(using: str = "default", **_: Any) -> None:
    """Receiver of `post_migrate`: every deployment knows the task pane under its own PUBLIC_URL."""
    if using == "default":
        ensure_first_party(CLIENT_ID, "Outlook task pane", [settings.PUBLIC_URL + CALLBACK_PATH])
