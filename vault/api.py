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
from vault import revocation, standing
from vault.clients import reconnect_url
from vault.models import Connection, State
from vault.standing import Standing


class ScopeShape(serializers.Serializer[Any]):
    scope = serializers.CharField()
    purpose = serializers.CharField()


class MissingScopeShape(ScopeShape):
    """`feature`: what is switched on and needs this; empty where every use does."""

    feature = serializers.CharField(allow_blank=True)


class ConnectionShape(serializers.Serializer[Any]):
    """One grant. `reason` says in plain words why it is not healthy, `advice` what to do; while it is, the one is
    empty, and the other only says when the provider ends it by itself, where that is known.

    Healthy means accepted by the provider within the last day; `proven_at` is when it last was. `account` is your own
    user name or address there, where we keep it."""

    id = serializers.UUIDField()
    provider = serializers.ChoiceField(standing.PROVIDERS)
    account = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(State.choices)
    reason = serializers.CharField(allow_blank=True)
    advice = serializers.CharField(allow_blank=True)
    scopes = ScopeShape(many=True)
    missing_scopes = MissingScopeShape(many=True)
    connected_at = serializers.DateTimeField()
    proven_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_for = serializers.CharField(allow_blank=True)
    last_use = serializers.CharField(allow_blank=True)
    reconnect_url = serializers.URLField()


class ConnectionsShape(serializers.Serializer[Any]):
    connections = ConnectionShape(many=True)


def _shape(found: Standing) -> dict[str, Any]:
    row = found.connection
    return {
        "id": row.pk,
        "provider": row.provider,
        "account": found.account,
        "state": found.shown.state,
        "reason": found.shown.reason,
        "advice": found.status.advice,
        "scopes": [scope for scope in found.scopes if scope.is_granted],
        "missing_scopes": found.missing,
        "connected_at": row.connected_at,
        "proven_at": found.shown.proven_at,
        "last_used_at": row.last_used_at,
        "last_used_for": row.last_used_for,
        "last_use": found.last_use,
        "reconnect_url": reconnect_url(row.provider),
    }


class ConnectionsView(APIView):
    @extend_schema(operation_id="connections_list", responses={200: ConnectionsShape, **problems()})
    def get(self, request: Request) -> Response:
        """Your connections: what each may do, what is missing, when it was last proven to work and used for what."""
        shapes = [_shape(found) for found in standing.of(member_of(request))]
        return Response(ConnectionsShape({"connections": shapes}).data)


class ConnectionView(APIView):
    @extend_schema(operation_id="connections_delete", responses={204: None, **problems(404)})
    def delete(self, request: Request, connection_id: UUID) -> Response:
        """Disconnect: every use is denied at once; a provider that can end the grant is asked until it has."""
        member = member_of(request)
        mine = Connection.objects.filter(pk=connection_id, member=member)
        if not mine.exists() or not revocation.disconnect(connection_id, member):
            raise Http404
        return Response(status=204)


urlpatterns = [
    path("connections/", ConnectionsView.as_view(), name="connections"),
    path("connections/<uuid:connection_id>/", ConnectionView.as_view(), name="connection"),
]
