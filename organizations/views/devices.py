"""me/devices/: where your add-ins are signed in, and ending that. Another member's device is as good as none."""

from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import devices
from organizations.authentication import CheckedToken
from organizations.schema import problems
from organizations.serializers import Devices
from organizations.views.access import member_of


def _own_family(request: Request) -> UUID | None:
    return devices.family_of(request.auth.digest) if isinstance(request.auth, CheckedToken) else None


class DevicesView(APIView):
    @extend_schema(operation_id="devices_list", responses={200: Devices, **problems(403)})
    def get(self, request: Request) -> Response:
        """Your signed-in add-ins, newest first; `is_current` marks the one that asks (C3)."""
        own = _own_family(request)
        rows = [
            {
                "id": device.family,
                "name": devices.label(device),
                "signed_in_at": device.signed_in_at,
                "last_used_at": device.last_used_at,
                "is_current": device.family == own,
            }
            for device in devices.of(member_of(request))
        ]
        return Response(Devices({"devices": rows}).data)


class DeviceView(APIView):
    @extend_schema(operation_id="devices_delete", responses={204: None, **problems(403, 404)})
    def delete(self, request: Request, device_id: UUID) -> Response:
        """Sign one add-in out, within seconds everywhere; the others go on."""
        if not devices.sign_out(member_of(request), device_id):
            raise Http404
        return Response(status=204)
