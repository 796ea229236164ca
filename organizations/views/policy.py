"""policy/: the settings in force, and changing them for oneself or, as an administrator, for everybody."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations import policy
from organizations.models import Member
from organizations.schema import problems
from organizations.serializers import Level, Policy, PolicyChange
from organizations.views.access import AdministratorsOnly, Conflict, member_of

#: PolicyRefused.code -> how it is answered; every other code is a bad value (400).
FORBIDDEN = ("locked", "not-an-administrator", "not-for-members", "not-for-organizations", "not-for-both")


class PolicyView(APIView):
    @extend_schema(operation_id="policy", parameters=[Level], responses={200: Policy, **problems(400, 403)})
    def get(self, request: Request) -> Response:
        """Every setting: its value in force, where that comes from, and whether you may change it."""
        return self._answer(member_of(request), self._level(request))

    @extend_schema(
        operation_id="policy_change",
        parameters=[Level],
        request=PolicyChange,
        responses={200: Policy, **problems(400, 403, 409)},
    )
    def patch(self, request: Request) -> Response:
        """Change all that is named, or nothing. `level=organization` is for administrators and concerns everybody."""
        level, change = self._level(request), PolicyChange(data=request.data)
        change.is_valid(raise_exception=True)
        member = member_of(request)
        try:
            policy.change(member, level, **change.validated_data)
        except policy.PolicyRefused as error:
            raise _answer_to(error) from None
        return self._answer(member, level)

    def _level(self, request: Request) -> policy.Level:
        asked = Level(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        level = policy.Level(asked.validated_data["level"])
        if level is policy.Level.ORGANIZATION and not member_of(request).is_administrator:
            raise PermissionDenied(AdministratorsOnly.message)
        return level

    def _answer(self, member: Member, level: policy.Level) -> Response:
        described = policy.describe_for(member, for_organization=level is policy.Level.ORGANIZATION)
        return Response({"level": level, "settings": described})


def _answer_to(error: policy.PolicyRefused) -> Exception:
    if error.code in FORBIDDEN:
        return PermissionDenied(f"{error.key}: {error.message}")
    if isinstance(error, policy.ChangedMeanwhile):
        return Conflict(error.message, key=error.key, value=error.value)
    if error.code == "refused":
        return Conflict(error.message, key=error.key)
    return ValidationError({error.key: error.message}, code=error.code)
