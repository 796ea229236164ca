"""Tracking's API: prepare a message, say that it was sent, see what came of it. A stranger's message does not exist."""

from uuid import UUID

from django.http import Http404
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from organizations.schema import problems
from organizations.views.access import member_of
from tracking import news, replies, sending, shown, telling
from tracking.prepare import Prepared, Wanted, prepare_message
from tracking.shapes import (
    FindRequest,
    FoundShape,
    MessageRequest,
    NewsQuery,
    NewsShape,
    PreparedShape,
    ReplyRequest,
    SentRequest,
    ShownShape,
)

_IF_NEW = OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag that you have.")


class MessagesView(APIView):
    @extend_schema(
        operation_id="prepare_message",
        summary="What goes out instead of a message",
        description="For each copy one pixel and its links. `tracked` false: send it as it is; `reason` says why.",
        request=MessageRequest,
        responses={201: PreparedShape, 200: PreparedShape, **problems(400, 413, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        wanted = MessageRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        prepared = prepare_message(member_of(request), Wanted(**wanted.validated_data))
        return Response(_told(prepared), 201 if prepared.message else 200)


def _told(prepared: Prepared) -> dict[str, object]:
    copies = [
        {"recipient": each.recipient or None, "html": each.html, "pixel": each.pixel or None, "links": each.links}
        for each in prepared.copies
    ]
    message = prepared.message
    return {
        "id": str(message.pk) if message else None,
        "tracked": message is not None,
        "reason": prepared.why_not,
        "invalid": prepared.invalid,
        "copies": copies,
    }


def _own(request: Request, message_id: UUID) -> shown.Seen:
    seen = shown.of(member_of(request), message_id)
    if seen is None:
        raise Http404
    return seen


class MessageView(APIView):
    @extend_schema(
        operation_id="tracked_message",
        summary="Who opened it and clicked, when, where, and how sure that is",
        parameters=[_IF_NEW],
        responses={200: ShownShape, 304: None, **problems(404, 503)},
    )
    def get(self, request: Request, message_id: UUID) -> Response:
        seen = _own(request, message_id)
        headers = {"ETag": seen.etag}
        if _has(request, seen.etag):
            return Response(status=304, headers=headers)
        return Response(ShownShape(shown.told(seen)).data, headers=headers)


def _has(request: Request, etag: str) -> bool:
    """Compared as RFC 9110 13.1.2 says: a list, and weak ones too, which is what a proxy that compresses makes of
    ours."""
    known = {each.removeprefix("W/") for each in parse_etags(request.headers.get("If-None-Match", ""))}
    return not known.isdisjoint((etag, "*"))


class SentView(APIView):
    @extend_schema(
        operation_id="message_was_sent",
        summary="From now on what comes counts",
        request=SentRequest,
        responses={204: None, **problems(400, 404, 415)},
    )
    def post(self, request: Request, message_id: UUID) -> Response:
        told = SentRequest(data=request.data)
        told.is_valid(raise_exception=True)
        seen, header = _own(request, message_id), told.validated_data.get("message_id", "")
        sending.sent(seen.message, shown.mark_of(member_of(request), header) if header else b"")
        if header:
            telling.sent(member_of(request), seen.message, header)
        return Response(status=204)


class ViewingView(APIView):
    @extend_schema(
        operation_id="message_is_viewed_by_sender",
        summary="The sender is looking at it: that is no open",
        request=None,
        responses={204: None, **problems(404)},
    )
    def post(self, request: Request, message_id: UUID) -> Response:
        sending.viewed_by_sender(_own(request, message_id).message)
        return Response(status=204)


class RepliesView(APIView):
    @extend_schema(
        operation_id="message_is_a_reply",
        summary="Somebody replied: that proves an open",
        description="For a message that the member received and is looking at. Whether what it replies to is tracked "
        "need not be known: if not, nothing happens.",
        request=ReplyRequest,
        responses={204: None, **problems(400, 415, 503)},
    )
    def post(self, request: Request) -> Response:
        told = ReplyRequest(data=request.data)
        told.is_valid(raise_exception=True)
        replies.note(member_of(request), told.validated_data["in_reply_to"], told.validated_data["sender"])
        return Response(status=204)


class FindView(APIView):
    @extend_schema(
        operation_id="find_tracked_messages",
        summary="Your tracked messages among these Message-IDs",
        description="By POST: a Message-ID is nothing for an access log.",
        request=FindRequest,
        responses={200: FoundShape, **problems(400, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = FindRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        ids = shown.found(member_of(request), asked.validated_data["message_ids"])
        return Response({"ids": [str(each) for each in ids]})


class NewsView(APIView):
    @extend_schema(
        operation_id="tracking_news",
        summary="What people did with your messages lately",
        description="Ask once a minute. Only what a person did, likely; nothing where the member wants no news.",
        parameters=[NewsQuery, _IF_NEW],
        responses={200: NewsShape, 304: None, **problems(400, 503)},
    )
    def get(self, request: Request) -> Response:
        asked = NewsQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        found = news.since(member_of(request), asked.validated_data.get("after"))
        headers = {"ETag": found.etag}
        if _has(request, found.etag):
            return Response(status=304, headers=headers)
        return Response(NewsShape({"items": found.items(), "until": found.until}).data, headers=headers)
