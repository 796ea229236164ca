"""Doors of the dashboard."""

from django.urls import path

from dashboard import views
from dashboard.policy import change_policy, policy_page

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("connection/", views.connection, name="connection"),
    path("policy/", policy_page, name="policy"),
    path("policy/change/", change_policy, name="policy_change"),
    path("members/", views.members, name="members"),
    path("audit/", views.audit_log, name="audit"),
    path("cookies/", views.cookies, name="cookies"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
