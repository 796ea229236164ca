"""invitations/: who may join, by Salesforce username."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import invitations, refusals
from organizations.models import Invitation, Role
from organizations.schema import problems
from organizations.serializers import InvitationRequest, InvitationShape
from organizations.views.access import ManagersOnly, member_of


class InvitationsView(APIView):
    permission_classes = (IsAuthenticated, ManagersOnly)

    @extend_schema(operation_id="invitations_list", responses={200: InvitationShape(many=True), **problems(403)})
    def get(self, request: Request) -> Response:
        """Invitations of your organization, newest first; used ones have `accepted_at`."""
        rows = Invitation.objects.filter(organization_id=member_of(request).organization_id)
        return Response(InvitationShape(rows.order_by("-created_at", "-pk")[:500], many=True).data)

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationRequest,
        responses={201: InvitationShape, **problems(400, 403)},
    )
    def post(self, request: Request) -> Response:
        """Invite a Salesforce username for 14 days, or renew its invitation. No mail is sent."""
        asked = InvitationRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        actor, role = member_of(request), Role(asked.validated_data["role"])
        try:
            made = invitations.invite(actor, asked.validated_data["username"], role, actor.organization)
        except refusals.NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        except ValueError as error:
            raise ValidationError({"username": str(error)}) from None
        return Response(InvitationShape(made).data, status=201)


class InvitationView(APIView):
    permission_classes = (IsAuthenticated, ManagersOnly)

    @extend_schema(operation_id="invitations_withdraw", responses={204: None, **problems(403, 404)})
    def delete(self, request: Request, invitation_id: int) -> Response:
        """Withdraw an invitation. Who has already joined stays."""
        actor = member_of(request)
        invitation = get_object_or_404(Invitation, pk=invitation_id, organization_id=actor.organization_id)
        try:
            invitations.withdraw(actor, invitation)
        except refusals.NotAllowed as error:
            raise PermissionDenied(str(error)) from None
        return Response(status=204)
