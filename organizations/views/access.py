"""Who may do what on this room's API, by role. A stranger's ids do not exist (404), whatever the role."""
# ruff: noqa: ARG002  DRF's signatures

from rest_framework.exceptions import APIException
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from organizations.models import Member


def member_of(request: Request) -> Member:
    """The caller, shared with other requests: read only."""
    assert isinstance(request.user, Member)  # noqa: S101  IsAuthenticated has seen to it; this is for the type checker
    return request.user


class AdministratorsOnly(BasePermission):
    message = "Only an administrator of your organization who is connected to Salesforce may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Member) and request.user.is_administrator


class ManagersOnly(BasePermission):
    message = "Only a manager or administrator of your organization who is connected to Salesforce may do this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Member) and request.user.is_manager


class Conflict(APIException):
    """The request is well formed, but not possible as things stand. `members` go into the problem."""

    status_code = 409
    default_detail = "This is not possible as things stand."

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.members = members
