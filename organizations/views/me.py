"""GET me/: who am I, and all that you hold of me."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.serializers import Me
from organizations.views.access import member_of


class MeView(APIView):
    @extend_schema(operation_id="me", responses={200: Me, **problems(403)})
    def get(self, request: Request) -> Response:
        """Who you are to us, in which organization and role, and every item we hold about you (C23, C24)."""
        return Response(Me(member_of(request)).data)
