"""Doors below /connect/."""

from django.urls import path

from vault import views

app_name = "vault"
urlpatterns = [
    path("salesforce/", views.choose, name="salesforce"),
    path("salesforce/callback/", views.callback, name="salesforce_callback"),
    path("salesforce/callback/<slug:login_key>/", views.callback, name="salesforce_callback_of_host"),
    path("salesforce/disconnect/", views.disconnect, name="salesforce_disconnect"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
