"""members/: see, promote, deactivate. The rules are in `organizations.roles`."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import refusals, roles
from organizations.models import Member, Role
from organizations.schema import problems
from organizations.serializers import MemberChange, MemberShape, Page
from organizations.views.access import Conflict, ManagersOnly, member_of


class MembersView(APIView):
    permission_classes = (IsAuthenticated, ManagersOnly)

    @extend_schema(
        operation_id="members_list", parameters=[Page], responses={200: MemberShape(many=True), **problems(400, 403)}
    )
    def get(self, request: Request) -> Response:
        """The people of your organization, by name. For managers and administrators."""
        page = Page(data=request.query_params.dict())
        page.is_valid(raise_exception=True)
        start, limit = page.validated_data["offset"], page.validated_data["limit"]
        rows = Member.objects.filter(organization_id=member_of(request).organization_id).order_by("name", "id")
        return Response(MemberShape(rows[start : start + limit], many=True).data)


class MemberView(APIView):
    permission_classes = (IsAuthenticated, ManagersOnly)

    @extend_schema(
        operation_id="members_change",
        request=MemberChange,
        responses={200: MemberShape, **problems(400, 403, 404, 409)},
    )
    def patch(self, request: Request, member_id: UUID) -> Response:
        """Give a role, end access or give it back. Handing on `primary_admin` makes you an admin."""
        change = MemberChange(data=request.data)
        change.is_valid(raise_exception=True)
        actor = member_of(request)
        member = get_object_or_404(Member, pk=member_id, organization_id=actor.organization_id)
        role = change.validated_data.get("role")
        try:
            changed = roles.change_member(
                actor, member, role=Role(role) if role else None, is_active=change.validated_data.get("is_active")
            )
        except refusals.NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except refusals.NotPossible as error:
            raise Conflict(str(error)) from None
        return Response(MemberShape(changed).data)
