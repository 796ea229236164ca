"""Sync's API for what a person says of his conversations: private or not, and who is meant."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.serializers import Strict
from organizations.views.access import member_of
from sync import conversations, tasks
from sync.mailboxes import PROVIDERS
from sync.shapes import Id


class PrivateRequest(Strict):
    provider = serializers.ChoiceField(choices=PROVIDERS)
    thread_id = serializers.RegexField(r"^[!-~]{1,512}$", help_text="The mail provider's own id of the conversation.")
    is_private = serializers.BooleanField()


class ChoiceRequest(Strict):
    decision_id = Id()
    person_id = serializers.RegexField(r"^[A-Za-z0-9]{15,18}$", help_text="One of the decision's asked_ids.")


class AgainShape(serializers.Serializer[Any]):
    """`is_looked_at_again`: some of its messages stayed out until now, and are looked at once more."""

    is_looked_at_again = serializers.BooleanField()


class PrivateView(APIView):
    @extend_schema(
        operation_id="keep_private",
        summary="Keep a conversation of yours private, or no longer",
        description="Nothing more of it is saved in Salesforce. What was saved before stays there.",
        request=PrivateRequest,
        responses={200: AgainShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = _checked(PrivateRequest(data=request.data))
        said = (asked["provider"], asked["thread_id"], asked["is_private"])
        return _answer(conversations.keep_private(member_of(request), *said))


class ChoiceView(APIView):
    @extend_schema(
        operation_id="choose_person",
        summary="Say who is meant where several people have the same address",
        request=ChoiceRequest,
        responses={200: AgainShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = _checked(ChoiceRequest(data=request.data))
        return _answer(conversations.choose(member_of(request), asked["decision_id"], asked["person_id"]))


def _checked(asked: Strict) -> dict[str, Any]:
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _answer(mailboxes: Sequence[UUID] | None) -> Response:
    if mailboxes is None:
        raise NotFound
    tasks.wake(tasks.work, mailboxes)
    return Response({"is_looked_at_again": bool(mailboxes)})
