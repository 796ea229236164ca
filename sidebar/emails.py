"""Log this email now: a person asks for a message to be saved in Salesforce, and waits for it. Either his mailbox gives
it, or he hands it over whole."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from organizations.schema import BodyRequired, problems
from organizations.views.access import member_of
from sidebar import idempotency, payloads
from sidebar.bulkhead import Room, bulkhead, crowded
from sidebar.saving import Body, save_fetched, save_handed
from sidebar.schema import IDEMPOTENCY_KEY, WRITE_REFUSALS
from sidebar.uploads import Held, Upload
from sidebar.views import SidebarView
from sync.asked import opened_letter
from sync.policies import enclosures_for
from sync.shapes import AskedRequest, AskedShape, HandedQuery


class EmailsView(SidebarView):
    schema = BodyRequired()

    @extend_schema(
        operation_id="log_email",
        summary="Save this email in Salesforce now",
        description="As JSON: fetched from the person's own mailbox. As `message/rfc822`: the message itself, at most "
        "150 MB, with a Content-Length or, in chunks, a Content-Digest of sha-256; the query's parameters go with it, "
        "its attachments where it has at most 8 MiB. Either way it is matched and written within the request, and "
        "nothing of it is kept. What the organization forbids stays out, and `sentence` says why.",
        parameters=[IDEMPOTENCY_KEY, HandedQuery],
        request={"application/json": AskedRequest, payloads.MAIL: OpenApiTypes.BINARY},
        responses={200: AskedShape, **problems(400, 404, 408, 411, 413, 415), **WRITE_REFUSALS},
    )
    def post(self, request: Request) -> Response:
        query = HandedQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        is_handed = (request.content_type or "").partition(";")[0].strip().lower() == payloads.MAIL
        saved = _handed_over(request, query.validated_data) if is_handed else self._fetched(request)
        return Response(AskedShape(saved).data)

    def _fetched(self, request: Request) -> dict[str, Any]:
        asked = AskedRequest(data=self.body(request))
        asked.is_valid(raise_exception=True)
        return save_fetched(member_of(request), asked.validated_data, request.headers.get("Idempotency-Key"))


def _handed_over(request: Request, query: dict[str, str]) -> dict[str, Any]:
    """Read to its end before anything is written: half a message is none. Whoever sends slowly takes a thread, and so
    no more of them are let in than prefetches are."""
    member, key = member_of(request), idempotency.checked(request.headers.get("Idempotency-Key"))
    upload = Upload(request.META, payloads.LARGEST_MAIL)
    with bulkhead.place(str(member.organization_id), prefetch=True) as room:
        if room is not Room.PLACE:
            raise crowded()
        with Held(upload, is_wanted=enclosures_for(member).with_files) as held:
            letter = opened_letter(held)
            held.finish()
            return save_handed(member, letter, Body(upload.finish(), held.whole), query, key)
