"""Sync's API: what became of each message and why, and another try. A stranger's decisions do not exist."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.models import Member
from organizations.schema import problems
from organizations.views.access import member_of
from sync import decisions, tasks
from sync.decisions import Position
from sync.models import Decision
from sync.shapes import ChosenRequest, DecisionsQuery, DecisionsShape, DoneShape


class DecisionsView(APIView):
    @extend_schema(
        operation_id="sync_decisions",
        summary="What became of each message, and why",
        description="Newest first; ask on with `before=<next_before>` until that is null. With whom it is what others "
        "keep out, administrators are not told.",
        parameters=[DecisionsQuery],
        responses={200: DecisionsShape, **problems(400, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        asked = DecisionsQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        rows = _rows(member_of(request), wanted["whose"])
        after = _position(rows, wanted.get("before"))
        if "message_id" in wanted:
            rows = rows.filter(message_id=wanted["message_id"])
        outcomes = [wanted["outcome"]] if "outcome" in wanted else []
        found, following = decisions.page(
            rows, outcomes=outcomes, after=after, most=wanted["limit"], reader=member_of(request)
        )
        return Response(DecisionsShape({"decisions": found, "next_before": following.id if following else None}).data)


class RetryView(APIView):
    @extend_schema(
        operation_id="retry_decisions",
        summary="Look once more at these of your messages",
        description="The message is fetched anew. Whatever was decided before is decided again.",
        request=ChosenRequest,
        responses={200: DoneShape, **problems(400, 415)},
    )
    def post(self, request: Request) -> Response:
        member, ids = member_of(request), _chosen(request)
        count = decisions.of_member(member).filter(pk__in=ids).count()
        tasks.wake(tasks.work, decisions.try_again(member, ids))
        return Response({"count": count})


class IgnoreView(APIView):
    @extend_schema(
        operation_id="ignore_decisions",
        summary="Leave these of your dead letters alone",
        request=ChosenRequest,
        responses={200: DoneShape, **problems(400, 415)},
    )
    def post(self, request: Request) -> Response:
        return Response({"count": decisions.ignore(member_of(request), _chosen(request))})


def _rows(member: Member, whose: str) -> QuerySet[Decision]:
    if whose == "mine":
        return decisions.of_member(member)
    if not member.is_administrator:
        raise PermissionDenied("Only administrators see what became of everybody's messages.")
    return decisions.of_organization(member)


def _position(rows: QuerySet[Decision], before: UUID | None) -> Position | None:
    if before is None:
        return None
    row = rows.filter(pk=before).first()
    if row is None:
        raise Http404
    return Position(row.decided_at, row.pk)


def _chosen(request: Request) -> list[UUID]:
    chosen = ChosenRequest(data=request.data)
    chosen.is_valid(raise_exception=True)
    return list(chosen.validated_data["ids"])
