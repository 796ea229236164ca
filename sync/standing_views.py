"""Sync's API for how mailboxes are doing, and for saving mail of earlier times. A stranger's mailbox does not exist."""

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.models import Member
from organizations.schema import problems
from organizations.serializers import Strict
from organizations.views.access import Conflict, member_of
from sync import backfill, standing, tasks
from sync.mailboxes import PROVIDERS
from sync.models import SyncedMailbox
from sync.shapes import Id


class MailboxesQuery(Strict):
    """`after`: what the last answer called `next_after`. `whose`: for administrators, everybody's."""

    whose = serializers.ChoiceField(choices=("mine", "everybody"), default="mine")
    after = Id(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=standing.MOST, default=50)


class ProgressShape(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    share = serializers.FloatField(min_value=0, max_value=1, help_text="Of this time that was listed.")
    found = serializers.IntegerField(help_text="Emails of it, known ones among them.")
    left = serializers.IntegerField(help_text="Emails that were found and wait to be looked at.")
    is_listed = serializers.BooleanField()
    is_cancelled = serializers.BooleanField()


class DayShape(serializers.Serializer[Any]):
    day = serializers.DateField(help_text="Of UTC.")
    told = serializers.IntegerField(help_text="Changes that the mail provider told of, each time it did.")
    listed = serializers.IntegerField(help_text="Emails that the mail provider has, of what was compared.")
    missed = serializers.IntegerField(help_text="Of these in chosen folders, and it had told of none. Looked at since.")


class MailboxShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="mailbox.pk")
    member_id = serializers.UUIDField(source="mailbox.member_id")
    provider = serializers.ChoiceField(choices=PROVIDERS, source="mailbox.connection.provider")
    tone = serializers.ChoiceField(choices=("good", "warn", "bad", ""), help_text="Whether all is well.")
    words = serializers.CharField(help_text="How it is doing, in a word or two.")
    sentence = serializers.CharField(help_text="Why, and what to do, for the person whose mailbox it is.")
    polled_at = serializers.DateTimeField(allow_null=True, help_text="When it was last looked at without a fault.")
    waiting = serializers.IntegerField(help_text="Emails that wait to be looked at.")
    backfill = ProgressShape(allow_null=True, help_text="Of the last one.")
    days = DayShape(many=True, help_text="Of the last week, the newest first.")


class MailboxesShape(serializers.Serializer[Any]):
    mailboxes = MailboxShape(many=True)
    next_after = serializers.UUIDField(allow_null=True)


class BackfillRequest(Strict):
    mailbox_id = Id()
    since = serializers.DateField(
        help_text="Emails from this day (of UTC) on, up to when email sync began. Three years at most."
    )


class StopRequest(Strict):
    mailbox_id = Id()


class MailboxesView(APIView):
    @extend_schema(
        operation_id="sync_standing",
        summary="How synced mailboxes are doing",
        description="Ask on with `after=<next_after>` until that is null.",
        parameters=[MailboxesQuery],
        responses={200: MailboxesShape, **problems(400, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        asked = MailboxesQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        rows, wanted = _rows(member_of(request), asked.validated_data["whose"]), asked.validated_data
        if "after" in wanted and not rows.filter(pk=wanted["after"]).exists():
            raise NotFound
        found, following = standing.page(rows, after=wanted.get("after"), most=wanted["limit"])
        return Response(MailboxesShape({"mailboxes": found, "next_after": following}).data)


class BackfillView(APIView):
    @extend_schema(
        operation_id="start_backfill",
        summary="Save mail of earlier times",
        description="By the same rules as new mail, which always goes first. One at a time for each mailbox.",
        request=BackfillRequest,
        responses={200: MailboxShape, **problems(400, 404, 409, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = BackfillRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        row = _mine(request, asked.validated_data["mailbox_id"])
        try:
            backfill.start(row, datetime.combine(asked.validated_data["since"], time(), UTC))
        except ValueError:
            raise ValidationError({"since": "Earlier than email sync began, and three years ago at most."}) from None
        except backfill.SwitchedOff:
            raise Conflict("Saving earlier mail, or email sync of this mailbox, is switched off.") from None
        except backfill.RunningAlready:
            raise Conflict("Earlier mail of this mailbox is being saved already.") from None
        tasks.wake(tasks.list_more, [row.pk])
        return _shown(row)


class StopView(APIView):
    @extend_schema(
        operation_id="stop_backfill",
        summary="Save no more mail of earlier times",
        description="What was saved stays. Nothing happens where none runs.",
        request=StopRequest,
        responses={200: MailboxShape, **problems(400, 404, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = StopRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        row = _mine(request, asked.validated_data["mailbox_id"])
        backfill.cancel(row)
        return _shown(row)


def _rows(member: Member, whose: str) -> QuerySet[SyncedMailbox]:
    if whose == "mine":
        return standing.mine(member)
    if not member.is_administrator:
        raise PermissionDenied("Only administrators see how everybody's mailboxes are doing.")
    return standing.everybodys(member)


def _mine(request: Request, mailbox_id: UUID) -> SyncedMailbox:
    row = standing.mine(member_of(request)).filter(pk=mailbox_id).first()
    if row is None:
        raise NotFound
    return row


def _shown(row: SyncedMailbox) -> Response:
    (found,), _ = standing.page(SyncedMailbox.objects.filter(pk=row.pk))
    return Response(MailboxShape(found).data)
