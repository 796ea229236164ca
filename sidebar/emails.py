"""Log this email now: a person asks for a message of his mailbox to be saved in Salesforce, and waits for it."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from organizations.schema import problems
from organizations.views.access import member_of
from sidebar import idempotency, schema
from sidebar.views import SidebarView
from sync.asked import Saved, log_email_now
from sync.reasons import Outcome, Rule, Verdict
from sync.shapes import AskedRequest, AskedShape


class EmailsView(SidebarView):
    @extend_schema(
        operation_id="log_email",
        summary="Save this email in Salesforce now",
        description="Fetched from the person's own mailbox, matched and written within the request; nothing of it is "
        "kept. What the organization forbids stays out, and `sentence` says why.",
        parameters=[schema.IDEMPOTENCY_KEY],
        request=AskedRequest,
        responses={200: AskedShape, **problems(400, 404, 413, 415), **schema.WRITE_REFUSALS},
    )
    def post(self, request: Request) -> Response:
        asked = AskedRequest(data=self.body(request))
        asked.is_valid(raise_exception=True)
        member, wanted = member_of(request), asked.validated_data

        def write() -> idempotency.Ids:
            chosen = wanted["record_ids"]
            return _kept(log_email_now(member, wanted["provider"], wanted["message_id"], chosen=chosen))

        key = request.headers.get("Idempotency-Key")
        return Response(AskedShape(_told(idempotency.once(member, "emails.log", key, wanted, write))).data)


def _kept(saved: Saved) -> idempotency.Ids:
    """Codes and ids: what a repeat is answered with."""
    return {
        "rule": saved.verdict.rule.value,
        "values": json.dumps(dict(saved.verdict.values)),
        "activity_id": saved.activity_id,
        "record_ids": " ".join(saved.person_ids),
    }


def _told(kept: idempotency.Ids) -> dict[str, Any]:
    decided = Verdict(Rule(kept["rule"]), json.loads(kept["values"]))
    return {
        "saved": decided.outcome is Outcome.SYNCED,
        "outcome": decided.outcome.value,
        "rule": decided.rule.value,
        "sentence": decided.sentence,
        "activity_id": kept["activity_id"],
        "record_ids": kept["record_ids"].split(),
    }
