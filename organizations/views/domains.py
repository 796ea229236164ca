"""domains/: the organization's own e-mail domains."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import domains
from organizations.models import Domain
from organizations.schema import problems
from organizations.serializers import DomainRequest, DomainShape
from organizations.views.access import AdministratorsOnly, Conflict, member_of


class ReadableByAll(AdministratorsOnly):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or super().has_permission(request, view)


class DomainsView(APIView):
    permission_classes = (IsAuthenticated, ReadableByAll)

    @extend_schema(operation_id="domains_list", responses={200: DomainShape(many=True), **problems(403)})
    def get(self, request: Request) -> Response:
        """Domains whose addresses are colleagues: they are left out of look-ups."""
        rows = Domain.objects.filter(organization_id=member_of(request).organization_id).order_by("name")
        return Response(DomainShape(rows, many=True).data)

    @extend_schema(
        operation_id="domains_add",
        request=DomainRequest,
        responses={200: DomainShape, 201: DomainShape, **problems(400, 403, 409)},
    )
    def post(self, request: Request) -> Response:
        """Add a domain: 201, or 200 where it was there already. Public mail services are refused."""
        asked = DomainRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        actor = member_of(request)
        try:
            domain, is_new = domains.add_domain(actor, actor.organization_id, asked.validated_data["name"])
        except domains.DomainRefused as error:
            raise Conflict(str(error)) from None
        return Response(DomainShape(domain).data, status=201 if is_new else 200)


class DomainView(APIView):
    permission_classes = (IsAuthenticated, AdministratorsOnly)

    @extend_schema(operation_id="domains_remove", responses={204: None, **problems(403, 404)})
    def delete(self, request: Request, domain_id: int) -> Response:
        """Remove a domain; its addresses are looked up from now on."""
        actor = member_of(request)
        domains.remove_domain(actor, get_object_or_404(Domain, pk=domain_id, organization_id=actor.organization_id))
        return Response(status=204)
