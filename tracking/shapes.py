"""Shapes of this room's requests and answers."""

from typing import Any

from rest_framework import serializers

from organizations.serializers import Strict
from providers.addresses import parse_addresses
from tracking.classify import Verdict

MOST_RECIPIENTS, MOST_HREFS, LONGEST_HTML = 500, 2_000, 900_000
#: Characters of HTML that one answer may hold, all copies together.
MOST_HTML = 20_000_000


class MessageRequest(Strict):
    """Either `html`, or only `links`: then the text need not leave the mail client."""

    recipients = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False, max_length=1_000), max_length=MOST_RECIPIENTS, min_length=1
    )
    html = serializers.CharField(required=False, trim_whitespace=False, allow_blank=True, max_length=LONGEST_HTML)
    links = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=20_000),
        required=False,
        max_length=MOST_HREFS,
    )
    singly = serializers.BooleanField(default=False, help_text="Whether each recipient gets a copy of his own.")
    opens = serializers.BooleanField(default=True)
    clicks = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("html" in attrs) == ("links" in attrs):
            raise serializers.ValidationError({"html": "Give either the HTML or its links."})
        people = len(parse_addresses(attrs["recipients"])[0])
        if people > MOST_RECIPIENTS:
            raise serializers.ValidationError({"recipients": f"Give at most {MOST_RECIPIENTS} people."})
        if (people if attrs["singly"] else 1) * len(attrs.get("html", "")) > MOST_HTML:
            raise serializers.ValidationError({"html": "Too much for so many copies. Give its links instead."})
        return attrs


class PreparedCopyShape(serializers.Serializer[Any]):
    recipient = serializers.CharField(allow_null=True)
    html = serializers.CharField(allow_null=True)
    pixel = serializers.CharField(allow_null=True)
    links = serializers.ListField(child=serializers.CharField(allow_null=True))


class PreparedShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True)
    tracked = serializers.BooleanField()
    reason = serializers.ChoiceField(choices=("", "not-set-up", "switched-off", "internal", "no-recipients"))
    copies = PreparedCopyShape(many=True)


class SentRequest(Strict):
    message_id = serializers.CharField(required=False, allow_blank=True, max_length=998, help_text="Of its header.")


class FindRequest(Strict):
    """The Message-IDs of an open conversation."""

    message_ids = serializers.ListField(child=serializers.CharField(max_length=998), max_length=100)


class FoundShape(serializers.Serializer[Any]):
    ids = serializers.ListField(child=serializers.UUIDField(), help_text="The newest first.")


class NewsQuery(Strict):
    """`after`: what the last answer called `until`."""

    after = serializers.DateTimeField(required=False)


class NewsItem(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the message.")
    who = serializers.CharField()
    signal = serializers.ChoiceField(choices=("clicked", "opened"))
    at = serializers.DateTimeField()


class NewsShape(serializers.Serializer[Any]):
    items = NewsItem(many=True)
    until = serializers.DateTimeField()


class RecipientShape(serializers.Serializer[Any]):
    who = serializers.CharField()
    signal = serializers.ChoiceField(choices=("clicked", "opened", "maybe_opened", "no_signal"))
    how_sure = serializers.ChoiceField(choices=("sure", "likely", "unclear"))
    opens = serializers.IntegerField()
    clicks = serializers.IntegerField()
    last_at = serializers.DateTimeField(allow_null=True)


class EventShape(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    what = serializers.ChoiceField(choices=("open", "click"))
    who = serializers.CharField()
    link = serializers.CharField()
    verdict = serializers.ChoiceField(choices=[each.value for each in Verdict])
    reason = serializers.CharField()
    device = serializers.CharField()
    place = serializers.CharField()


class TrackedShape(serializers.Serializer[Any]):
    opens = serializers.BooleanField()
    clicks = serializers.BooleanField()


class ShownShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    sent_at = serializers.DateTimeField(allow_null=True)
    tracked = TrackedShape()
    recipients = RecipientShape(many=True)
    events = EventShape(many=True)
