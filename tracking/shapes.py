"""Shapes of this room's requests and answers."""

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from rest_framework import serializers

from organizations.serializers import Strict
from providers.addresses import parse_addresses
from tracking.classify import Verdict
from tracking.compose import MOST_HREFS

MOST_RECIPIENTS, LONGEST_HTML = 500, 900_000
#: Characters of HTML that one answer may hold, all copies together.
MOST_HTML = 20_000_000


class Text(serializers.CharField):
    """A text of JSON's as it was sent; a number is none, and NUL is refused at the door."""

    default_validators = (RegexValidator(r"^[^\u0000]*$"),)

    def __init__(self, **how: Any) -> None:
        super().__init__(trim_whitespace=False, **how)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class YesOrNo(serializers.BooleanField):
    """JSON's true or false; "yes" and 1 are neither."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class MessageRequest(Strict):
    """Either `html`, or only `links`: then the text need not leave the mail client."""

    rules: ClassVar = {"oneOf": [{"required": ["html"]}, {"required": ["links"]}]}

    recipients = serializers.ListField(child=Text(max_length=1_000), max_length=MOST_RECIPIENTS, min_length=1)
    html = Text(required=False, allow_blank=True, max_length=LONGEST_HTML)
    links = serializers.ListField(child=Text(allow_blank=True), required=False, max_length=MOST_HREFS)
    singly = YesOrNo(default=False, help_text="Whether each recipient gets a copy of his own.")
    opens = YesOrNo(default=True)
    clicks = YesOrNo(default=True)

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
    invalid = serializers.ListField(
        child=serializers.IntegerField(), help_text="Places in `recipients` of what is no address: mend these."
    )
    copies = PreparedCopyShape(many=True)


class SentRequest(Strict):
    message_id = Text(required=False, allow_blank=True, max_length=998, help_text="Of its header.")


class FindRequest(Strict):
    """The Message-IDs of an open conversation."""

    message_ids = serializers.ListField(child=Text(max_length=998), max_length=100)


class ReplyRequest(Strict):
    """Of a message that somebody else wrote: its headers. Not of an automatic reply (Auto-Submitted, RFC 3834)."""

    in_reply_to = Text(max_length=998, help_text="A Message-ID, as the header In-Reply-To has it.")
    sender = Text(max_length=1_000, help_text="As the header From has it.")


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
    of_all = serializers.BooleanField(help_text="All got the same copy: nobody can tell which of them it was.")
    signal = serializers.ChoiceField(
        choices=("clicked", "replied", "opened", "maybe_opened", "no_signal"),
        help_text="`replied`: opened, since there is a reply. `no_signal` does not say that nobody read it.",
    )
    how_sure = serializers.ChoiceField(choices=("sure", "likely", "unclear"))
    opens = serializers.IntegerField()
    clicks = serializers.IntegerField()
    last_at = serializers.DateTimeField(allow_null=True)
    replied_at = serializers.DateTimeField(allow_null=True, help_text="When we heard of a reply.")


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
