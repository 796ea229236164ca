"""/api/v1/: this room's part. Views are in `views/`."""

from django.urls import path

from organizations.views.audit import AuditView
from organizations.views.devices import DevicesView, DeviceView
from organizations.views.domains import DomainsView, DomainView
from organizations.views.invitations import InvitationsView, InvitationView
from organizations.views.me import MeView
from organizations.views.members import MembersView, MemberView
from organizations.views.policy import PolicyView

urlpatterns = [
    path("policy/", PolicyView.as_view(), name="policy"),
    path("me/", MeView.as_view(), name="me"),
    path("me/devices/", DevicesView.as_view(), name="devices"),
    path("me/devices/<uuid:device_id>/", DeviceView.as_view(), name="device"),
    path("members/", MembersView.as_view(), name="members"),
    path("members/<uuid:member_id>/", MemberView.as_view(), name="member"),
    path("invitations/", InvitationsView.as_view(), name="invitations"),
    path("invitations/<int:invitation_id>/", InvitationView.as_view(), name="invitation"),
    path("domains/", DomainsView.as_view(), name="domains"),
    path("domains/<int:domain_id>/", DomainView.as_view(), name="domain"),
    path("audit/", AuditView.as_view(), name="audit"),
]
