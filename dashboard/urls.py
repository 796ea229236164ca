"""Doors of the dashboard."""

from django.urls import path

from dashboard import analytics, connections, email_sync, mailboxes, members, rehearsal, undoing, views, withdrawn
from dashboard.overview import overview
from dashboard.policy import change_policy, policy_page

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("connections/", connections.connections, name="connections"),
    path("connections/everybody/", overview, name="overview"),
    path("connections/sign-out-device/", connections.sign_out_device, name="sign_out_device"),
    path("connections/sign-out-everywhere/", connections.sign_out_everywhere, name="sign_out_everywhere"),
    path("connections/<uuid:connection_id>/disconnect/", connections.confirm, name="disconnect"),
    path("connections/<uuid:connection_id>/end/", connections.end_for, name="end_for"),
    path("analytics/", analytics.page, name="analytics"),
    path("analytics/export/", analytics.export, name="analytics_export"),
    path("analytics/withdrawn/", withdrawn.page, name="withdrawn"),
    path("analytics/withdrawn/add/", withdrawn.withdraw, name="withdraw_target"),
    path("analytics/withdrawn/restore/", withdrawn.restore, name="restore_target"),
    path("email-sync/", email_sync.page, name="email_sync"),
    path("email-sync/again/", email_sync.again, name="email_sync_again"),
    path("email-sync/ignore/", email_sync.ignore, name="email_sync_ignore"),
    path("email-sync/choose/", email_sync.choose, name="email_sync_choose"),
    path("email-sync/open/<uuid:decision_id>/", email_sync.open_mail, name="open_mail"),
    path("email-sync/record/<str:record_id>/", email_sync.open_record, name="open_record"),
    path("email-sync/earlier/", mailboxes.save_earlier, name="save_earlier"),
    path("email-sync/earlier/stop/", mailboxes.stop, name="stop_earlier"),
    path("email-sync/undo/<uuid:decision_id>/", undoing.page, name="undo"),
    path("email-sync/undo/<uuid:decision_id>/run/", undoing.carry_out, name="undo_run"),
    path("email-sync/taken-back/", undoing.overview, name="corrections"),
    path("email-sync/taken-back/put-back/", undoing.put_back, name="put_back"),
    path("email-sync/taken-back/rule/", undoing.of_rule, name="undo_rule"),
    path("email-sync/try/", rehearsal.page, name="try_out"),
    path("email-sync/try/run/", rehearsal.run, name="rehearse"),
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
