"""/api/v1/connections/: what a member has connected, and ending it. Another member's connection is as good as none."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.views.access import member_of
from vault import revocation
from vault.clients import reconnect_url
from vault.models import Connection, State
from vault.scopes import purpose_of


class ScopeShape(serializers.Serializer[Any]):
    scope = serializers.CharField()
    purpose = serializers.CharField()


class ConnectionShape(serializers.Serializer[Any]):
    """One grant. `reason` says in plain words why it is not healthy; empty while it is."""

    id = serializers.UUIDField()
    provider = serializers.ChoiceField(["salesforce"])
    state = serializers.ChoiceField(State.choices)
    reason = serializers.CharField(allow_blank=True)
    scopes = ScopeShape(many=True)
    connected_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_for = serializers.CharField(allow_blank=True)
    reconnect_url = serializers.URLField()


class ConnectionsShape(serializers.Serializer[Any]):
    connections = ConnectionShape(many=True)


def _shape(row: Connection) -> dict[str, Any]:
    return {
        "id": row.pk,
        "provider": row.provider,
        "state": row.state,
        "reason": row.reason,
        "scopes": [{"scope": scope, "purpose": purpose_of(row.provider, scope)} for scope in row.scopes],
        "connected_at": row.connected_at,
        "last_used_at": row.last_used_at,
        "last_used_for": row.last_used_for,
        "reconnect_url": reconnect_url(row.provider),
    }


class ConnectionsView(APIView):
    @extend_schema(operation_id="connections_list", responses={200: ConnectionsShape, **problems()})
    def get(self, request: Request) -> Response:
        """Your connections, what each may do, and when it was last used for what."""
        rows = Connection.objects.filter(member=member_of(request)).exclude(state=State.SHREDDED)
        shapes = [_shape(row) for row in rows.order_by("-connected_at")]
        return Response(ConnectionsShape({"connections": shapes}).data)


class ConnectionView(APIView):
    @extend_schema(operation_id="connections_delete", responses={204: None, **problems(404)})
    def delete(self, request: Request, connection_id: UUID) -> Response:
        """Disconnect: every use is denied at once, and the grant is revoked at its provider."""
        member = member_of(request)
        mine = Connection.objects.filter(pk=connection_id, member=member)
        if not mine.exists() or not revocation.disconnect(connection_id, member):
            raise Http404
        return Response(status=204)


urlpatterns = [
    path("connections/", ConnectionsView.as_view(), name="connections"),
    path("connections/<uuid:connection_id>/", ConnectionView.as_view(), name="connection"),
]
