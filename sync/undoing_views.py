"""Sync's API for taking mail out of Salesforce again and saving it with others. A stranger's mail does not exist."""

import re
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.serializers import Strict
from organizations.views.access import Conflict, member_of
from sync import corrections, putting_back, tasks, undoing
from sync.corrections import Result
from sync.mailboxes import PROVIDERS
from sync.models import Correction
from sync.shapes import Id
from sync.undoing import Span

_RULE = OpenApiParameter("rule", str, OpenApiParameter.PATH, enum=[each.value for each in undoing.WRITES])

_AN_ID = re.compile(r"[A-Za-z0-9]{18}")
_ACTIVITY = OpenApiParameter("activity_id", {"type": "string", "pattern": "^[A-Za-z0-9]{18}$"}, OpenApiParameter.PATH)


class NothingRequest(Strict):
    """Nothing is to be said."""


class PeopleRequest(Strict):
    record_ids = serializers.ListField(
        child=serializers.RegexField(r"^00[3Q][A-Za-z0-9]{15}$"),
        min_length=1,
        max_length=undoing.MOST_PEOPLE,
        help_text="Contacts or leads that it stands with from now on, by their ids of 18 characters.",
    )


class ThreadRequest(Strict):
    provider = serializers.ChoiceField(choices=PROVIDERS)
    thread_id = serializers.RegexField(r"^[!-~]{1,512}$", help_text="The mail provider's own id of the conversation.")


class ThreadPeopleRequest(ThreadRequest, PeopleRequest):
    """A conversation, and who it stands with."""


class SpanRequest(Strict):
    since = serializers.DateTimeField(help_text="When it was saved: from then on.")
    until = serializers.DateTimeField(help_text="Until before then; nothing where that is no later than since.")
    member_id = Id(required=False, help_text="Of whom; for administrators everybody, where left out.")
    domain = serializers.RegexField(
        r"^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$", required=False, max_length=253, help_text="The counterpart's."
    )
    expected = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="How many, as counted before; without it they are counted only.",
    )


class CountedShape(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="Emails that would be taken out of Salesforce.")
    members = serializers.IntegerField(help_text="In whose names they were saved.")
    first = serializers.DateTimeField(allow_null=True)
    last = serializers.DateTimeField(allow_null=True)


class CountShape(serializers.Serializer[Any]):
    result = serializers.ChoiceField(choices=[each.value for each in Result])
    count = serializers.IntegerField()
    sentence = serializers.CharField(help_text="For the person.")


class CorrectionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=Correction.Kind.values)
    scope = serializers.ChoiceField(choices=Correction.Scope.values)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField(help_text="Records in Salesforce that it is about.")
    left = serializers.IntegerField(help_text="Still to be done.")
    lines = CountShape(many=True, help_text="What became of the others.")
    codes = serializers.ListField(child=serializers.CharField(), help_text="Salesforce's own, of what it refused.")


class CorrectionsShape(serializers.Serializer[Any]):
    corrections = CorrectionShape(many=True)


class UndoMailView(APIView):
    @extend_schema(
        operation_id="undo_decision",
        summary="Take an email out of Salesforce again",
        description="One's own; for administrators anybody's. It is deleted where sync has written it and nobody has "
        "changed it in Salesforce since; a colleague who has the same email keeps it. It is not saved again.",
        request=NothingRequest,
        responses={202: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request, decision_id: UUID) -> Response:
        _checked(NothingRequest(data=request.data))
        return _begun(undoing.undo_mail(member_of(request), decision_id))


class UndoActivityView(APIView):
    @extend_schema(
        operation_id="undo_activity",
        summary="Take an email out of Salesforce again, by the id that saving it has told",
        parameters=[_ACTIVITY],
        request=NothingRequest,
        responses={202: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request, activity_id: str) -> Response:
        _checked(NothingRequest(data=request.data))
        if not _AN_ID.fullmatch(activity_id):
            raise NotFound
        return _begun(undoing.undo_activity(member_of(request), activity_id))


class PutBackView(APIView):
    @extend_schema(
        operation_id="put_back",
        summary="Let what was taken out of Salesforce be saved again",
        description="What sync had saved is looked at once more, with the settings as they are now.",
        request=NothingRequest,
        responses={200: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request, correction_id: UUID) -> Response:
        _checked(NothingRequest(data=request.data))
        member = member_of(request)
        mailboxes = putting_back.put_back(member, correction_id)
        if mailboxes is None:
            raise NotFound
        tasks.wake(tasks.work, mailboxes)
        return _shown(corrections.seen_by(member).get(pk=correction_id), 200)


class RelinkMailView(APIView):
    @extend_schema(
        operation_id="relink_decision",
        summary="Save an email with other people",
        request=PeopleRequest,
        responses={202: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request, decision_id: UUID) -> Response:
        asked = _checked(PeopleRequest(data=request.data))
        return _begun(undoing.relink_mail(member_of(request), decision_id, asked["record_ids"]))


class UndoThreadView(APIView):
    @extend_schema(
        operation_id="undo_conversation",
        summary="Take a conversation of yours out of Salesforce again",
        description="What is saved of it so far. Keep it private, too, so that nothing more of it is.",
        request=ThreadRequest,
        responses={202: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = _checked(ThreadRequest(data=request.data))
        return _begun(undoing.undo_thread(member_of(request), asked["provider"], asked["thread_id"]))


class RelinkThreadView(APIView):
    @extend_schema(
        operation_id="relink_conversation",
        summary="Save a conversation of yours with other people",
        description="From now on they are also who is meant in it where several people have an address.",
        request=ThreadPeopleRequest,
        responses={202: CorrectionShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = _checked(ThreadPeopleRequest(data=request.data))
        thread = (asked["provider"], asked["thread_id"])
        return _begun(undoing.relink_thread(member_of(request), *thread, asked["record_ids"]))


class UndoRuleView(APIView):
    @extend_schema(
        operation_id="undo_rule",
        summary="Take out of Salesforce again what a rule has saved in a span of time",
        description="Without `expected` they are counted only. With it, it begins where the count is still the same. "
        "Administrators for everybody or one member; others for themselves.",
        parameters=[_RULE],
        request=SpanRequest,
        responses={200: CountedShape, 202: CorrectionShape, **problems(400, 403, 404, 409, 415)},
    )
    def post(self, request: Request, rule: str) -> Response:
        asked = _checked(SpanRequest(data=request.data))
        if rule not in undoing.WRITES:
            raise NotFound
        expected = asked.pop("expected", None)
        try:
            return _of_span(request, Span(rule, **asked), expected)
        except undoing.NotAllowed:
            raise PermissionDenied("Only administrators take back what others have saved.") from None
        except undoing.HasChanged as changed:
            raise Conflict("There are more of them, or fewer, by now.", count=changed.count) from None


class CorrectionsView(APIView):
    @extend_schema(
        operation_id="corrections",
        summary="What was taken out of Salesforce again, or saved with others, and how far that has come",
        description="The latest; for administrators everybody's.",
        responses={200: CorrectionsShape, **problems()},
    )
    def get(self, request: Request) -> Response:
        rows = corrections.latest(member_of(request))
        return Response(CorrectionsShape({"corrections": corrections.progress(rows)}).data)


class CorrectionView(APIView):
    @extend_schema(
        operation_id="correction",
        summary="How far one of them has come",
        responses={200: CorrectionShape, **problems(404)},
    )
    def get(self, request: Request, correction_id: UUID) -> Response:
        row = corrections.seen_by(member_of(request)).filter(pk=correction_id).first()
        if row is None:
            raise NotFound
        return _shown(row, 200)


def _checked(asked: Strict) -> dict[str, Any]:
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _of_span(request: Request, span: Span, expected: int | None) -> Response:
    member = member_of(request)
    if expected is None:
        return Response(CountedShape(undoing.count(member, span)).data)
    return _begun(undoing.undo_span(member, span, expected))


def _begun(correction: Correction | None) -> Response:
    if correction is None:
        raise NotFound
    tasks.wake(tasks.correct, [correction.pk])
    return _shown(correction, 202)


def _shown(correction: Correction, status: int) -> Response:
    return Response(CorrectionShape(corrections.progress([correction])[0]).data, status=status)
