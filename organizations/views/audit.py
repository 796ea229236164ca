"""audit/: what was done in the organization, by whom. For administrators; read only."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import audit
from organizations.schema import problems
from organizations.serializers import AuditPage, AuditShape
from organizations.views.access import AdministratorsOnly, member_of

_Answer = inline_serializer(
    "AuditEntries",
    fields={"entries": AuditShape(many=True), "next_before": serializers.IntegerField(allow_null=True)},
)


class AuditView(APIView):
    permission_classes = (IsAuthenticated, AdministratorsOnly)

    @extend_schema(operation_id="audit_list", parameters=[AuditPage], responses={200: _Answer, **problems(400, 403)})
    def get(self, request: Request) -> Response:
        """Newest first; ask on with `before=<next_before>` until that is null."""
        wanted = AuditPage(data=request.query_params.dict())
        wanted.is_valid(raise_exception=True)
        page = audit.page(member_of(request).organization_id, **wanted.validated_data)
        return Response({"entries": AuditShape(page.entries, many=True).data, "next_before": page.next_before})
