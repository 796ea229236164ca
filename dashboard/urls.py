"""Doors of the dashboard."""

from django.urls import path

from dashboard import members, views
from dashboard.policy import change_policy, policy_page

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("connection/", views.connection, name="connection"),
    path("policy/", policy_page, name="policy"),
    path("policy/change/", change_policy, name="policy_change"),
    path("members/", members.members, name="members"),
    path("members/change/", members.change_member, name="members_change"),
    path("members/invite/", members.invite, name="members_invite"),
    path("members/withdraw/", members.withdraw, name="members_withdraw"),
    path("members/domains/add/", members.add_domain, name="domains_add"),
    path("members/domains/remove/", members.remove_domain, name="domains_remove"),
    path("audit/", views.audit_log, name="audit"),
    path("cookies/", views.cookies, name="cookies"),
    path("sign-out/", views.sign_out, name="sign_out"),
]
