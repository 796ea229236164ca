"""Sync's API for a dry run of one's own mailbox."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.serializers import Strict
from organizations.views.access import member_of
from sync import rehearsal
from sync.mailboxes import PROVIDERS
from sync.reasons import Outcome, Rule


class RehearsalRequest(Strict):
    provider = serializers.ChoiceField(choices=PROVIDERS)
    days = serializers.IntegerField(min_value=1, max_value=rehearsal.LONGEST.days, default=rehearsal.LONGEST.days)


class LineShape(serializers.Serializer[Any]):
    rule = serializers.ChoiceField(choices=[each.value for each in Rule])
    outcome = serializers.ChoiceField(choices=[each.value for each in Outcome])
    count = serializers.IntegerField()
    sentence = serializers.CharField(help_text="Why, in words, for the person.")


class RehearsalShape(serializers.Serializer[Any]):
    seen = serializers.IntegerField(source="forecast.seen")
    synced = serializers.IntegerField(source="forecast.synced", help_text="Emails that would have been saved.")
    sentence = serializers.CharField(source="forecast.sentence")
    lines = LineShape(source="forecast.lines", many=True, help_text="The most frequent first.")
    since = serializers.DateTimeField()
    reached = serializers.DateTimeField(help_text="The oldest email that was looked at.")
    is_complete = serializers.BooleanField(help_text="False where time ran out before all were looked at.")


class RehearsalView(APIView):
    @extend_schema(
        operation_id="rehearse_sync",
        summary="What email sync would have done with your mail of the last days",
        description="As if it were on, with the settings in force. Looks at headings only and writes nothing.",
        request=RehearsalRequest,
        responses={200: RehearsalShape, **problems(400, 403, 409, 415, 429, 502, 503)},
    )
    def post(self, request: Request) -> Response:
        asked = RehearsalRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            found = rehearsal.rehearse(member_of(request), **asked.validated_data)
        except rehearsal.Busy:
            raise Throttled(wait=rehearsal.MOST_SECONDS) from None
        return Response(RehearsalShape(found).data)
