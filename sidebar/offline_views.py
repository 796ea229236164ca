"""The API's face of what was done offline: parse, call, answer."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from organizations.schema import problems
from organizations.views.access import member_of
from sidebar import offline, render
from sidebar.offline_shapes import ReplayAnswer, ReplayRequest, fast_by, shown
from sidebar.views import SidebarView


class ReplayView(SidebarView):
    @extend_schema(
        operation_id="replay_actions",
        summary="Carry out what was done offline",
        description="In order, each action once for its key, so that a batch may be sent again whole; a key is good "
        "for 24 hours. One action that fails ends no other, but those that name it and those that change the same "
        "record while it waits. 401 or another problem means that nothing was looked at: keep the queue.",
        request=ReplayRequest,
        responses={200: ReplayAnswer, **problems(400, 413, 415)},
    )
    def post(self, request: Request) -> HttpResponse:
        asked = ReplayRequest(data=self.body(request))
        asked.is_valid(raise_exception=True)
        fast = fast_by(asked.validated_data.get("sent_at"))
        actions = [replace(each, at=_mended(each.at, fast)) for each in asked.validated_data["actions"]]
        return self.answer(render.to_json(shown(offline.replay(member_of(request), actions))))


def _mended(at: datetime, fast: timedelta) -> datetime:
    """By our clock. Of the first and last years there is no other zone's moment."""
    try:
        return at - fast
    except OverflowError:
        return at
