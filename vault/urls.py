"""Doors below /connect/."""

from typing import Any

from django.urls import path

from vault import mailbox_pages, views

app_name = "vault"


def _doors(provider: str) -> list[Any]:
    """Written out for each provider: any other word is an unknown address."""
    given = {"provider": provider}
    return [
        path(f"{provider}/", mailbox_pages.choose, given, name=provider),
        path(f"{provider}/callback/", mailbox_pages.callback, given, name=f"{provider}_callback"),
        path(f"{provider}/disconnect/", mailbox_pages.disconnect, given, name=f"{provider}_disconnect"),
    ]


urlpatterns = [
    path("salesforce/", views.choose, name="salesforce"),
    path("salesforce/callback/", views.callback, name="salesforce_callback"),
    path("salesforce/callback/<slug:login_key>/", views.callback, name="salesforce_callback_of_host"),
    path("salesforce/disconnect/", views.disconnect, name="salesforce_disconnect"),
    *_doors("google"),
    *_doors("microsoft"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
