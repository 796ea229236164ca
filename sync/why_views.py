"""Sync's API for the sidebar: what became of the message that is open, and why."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.serializers import Strict
from organizations.views.access import member_of
from sync.mailboxes import PROVIDERS
from sync.shapes import DecisionShape
from sync.why import why

_STANDINGS = ("unseen", "waiting", "running", "decided")


class WhyQuery(Strict):
    provider = serializers.ChoiceField(choices=PROVIDERS)
    message_id = serializers.RegexField(r"^[!-~]{1,512}$", help_text="The mail provider's own id.")
    thread_id = serializers.RegexField(
        r"^[!-~]{1,512}$", required=False, help_text="The mail provider's own id of the conversation."
    )


class WhyShape(serializers.Serializer[Any]):
    is_followed = serializers.BooleanField(help_text="One's own mailbox there is synced.")
    standing = serializers.ChoiceField(choices=_STANDINGS, help_text="Whether sync has looked at it.")
    decision = DecisionShape(allow_null=True)
    is_private = serializers.BooleanField(help_text="Its conversation is kept private.")
    hindrance = serializers.CharField(help_text="Why its turn does not come just now, in words; empty where it does.")


class WhyView(APIView):
    @extend_schema(
        operation_id="why",
        summary="What became of one message of yours, and why",
        description="No call to a provider. A stranger's message is one that nobody has looked at.",
        parameters=[WhyQuery],
        responses={200: WhyShape, **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = WhyQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return Response(WhyShape(why(member_of(request), **asked.validated_data)).data)
