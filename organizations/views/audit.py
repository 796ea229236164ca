"""audit/: what was done in the organization, by whom. For administrators; read only."""

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.models import AuditEntry
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
        page = AuditPage(data=request.query_params.dict())
        page.is_valid(raise_exception=True)
        wanted: dict[str, Any] = page.validated_data
        rows = AuditEntry.objects.filter(organization_id=member_of(request).organization_id)
        if "before" in wanted:
            rows = rows.filter(sequence__lt=wanted["before"])
        entries = list(rows.order_by("-sequence")[: wanted["limit"]])
        more = len(entries) == wanted["limit"] and entries[-1].sequence > 1
        answer = {"entries": AuditShape(entries, many=True).data, "next_before": entries[-1].sequence if more else None}
        return Response(answer)
