"""How a batch of offline actions comes in and how its results go out. Checks; carries nothing out."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from organizations.serializers import Strict
from sidebar import payloads, schema
from sidebar.offline import Action, Result, State
from sync.mailboxes import PROVIDERS
from sync.shapes import AskedShape

MOST_ACTIONS = 50
_KEY = r"[\x21-\x7e]{1,255}"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


@extend_schema_field({"type": "string", "format": "date-time"})
class Moment(serializers.Field[datetime, Any, str, Any]):
    """RFC 3339, so with the zone that the person was in. A leap second is the one before it."""

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not _MOMENT.fullmatch(data):
            raise serializers.ValidationError("Give a moment as in RFC 3339, with its zone.")
        text = _FRACTION.sub(lambda found: f".{found[1]:0<6}", data.upper().replace(":60", ":59", 1))
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise serializers.ValidationError("There is no such moment.") from None


class Written(schema.Values):
    """As the calls that write take them."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return payloads.values({"values": data})
        except serializers.ValidationError as error:
            raise serializers.ValidationError(next(iter(error.detail.values()))) from None  # type: ignore[union-attr]


class Seen(Written):
    pass


_NAMED = {"type": "string", "pattern": f"^{_KEY}$"}


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": _NAMED,
        "propertyNames": {"pattern": f"^{payloads.OBJECT}$"},
        "maxProperties": 20,
    }
)
class Links(serializers.Field[dict[str, str], Any, Any, Any]):
    """API name of a field -> key of an earlier action of this batch, whose record's id goes there."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict) or len(data) > 20:
            raise serializers.ValidationError("Give an object with at most 20 fields.")
        for name, key in data.items():
            if not re.fullmatch(payloads.OBJECT, name) or not isinstance(key, str) or not re.fullmatch(_KEY, key):
                raise serializers.ValidationError("Give names of fields, and keys of earlier actions.")
        return dict(data)


class _Text(serializers.Field[str, Any, str, Any]):
    """A text of one form; JSON's numbers are none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not re.fullmatch(self.form, data):
            raise serializers.ValidationError("Give a text of the form that the description names.")
        return data

    form: ClassVar[str]


def _form(pattern: str) -> type[_Text]:
    made = type("Text", (_Text,), {"form": pattern})
    return extend_schema_field({"type": "string", "pattern": f"^{pattern}$"})(made)


_Key, _Object, _Id, _MessageId = map(_form, (_KEY, payloads.OBJECT, payloads.RECORD_ID, "[!-~]{1,512}"))


class _Any(Strict):
    key = _Key(help_text="A new one for each action; the same where the batch is sent again.")
    at = Moment(help_text="When the person did it, by the device's clock, with his zone.")
    after = serializers.ListField(
        child=_Key(), required=False, max_length=20, help_text="Keys of earlier actions of this batch that it needs."
    )


class QueuedCreate(_Any):
    """`links`: field -> key of an earlier create of this batch, whose record's id goes there."""

    action = serializers.ChoiceField(choices=["create"])
    object = _Object()
    values = Written()
    links = Links(required=False)


class QueuedUpdate(_Any):
    """Either `id` or `id_of`. `links`: as for a create."""

    action = serializers.ChoiceField(choices=["update"])
    object = _Object()
    id = _Id(required=False)
    id_of = _Key(required=False, help_text="The key of an earlier create of this batch, whose record is meant.")
    values = Written()
    was = Seen(required=False, help_text="What the person saw in these fields: conflicts are found by it exactly.")
    links = Links(required=False)
    rules: ClassVar[Mapping[str, Any]] = {"oneOf": [{"required": ["id"]}, {"required": ["id_of"]}]}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("id" in attrs) == ("id_of" in attrs):
            raise serializers.ValidationError("Give either id or id_of.")
        return attrs


class QueuedEmail(_Any):
    """One that lies in the person's own mailbox. `record_ids`: of the people who are meant."""

    action = serializers.ChoiceField(choices=["log_email"])
    provider = serializers.ChoiceField(choices=PROVIDERS)
    message_id = _MessageId(help_text="The mail provider's own id.")
    record_ids = serializers.ListField(child=_Id(), max_length=50, required=False)


_KINDS: dict[str, type[Strict]] = {"create": QueuedCreate, "update": QueuedUpdate, "log_email": QueuedEmail}


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="QueuedAction", serializers={**_KINDS}, resource_type_field_name="action", many=True
    )
)
class Actions(serializers.Field[list[Action], Any, Any, Any]):
    def to_internal_value(self, data: Any) -> list[Action]:
        if not isinstance(data, list) or not 1 <= len(data) <= MOST_ACTIONS:
            raise serializers.ValidationError(f"Give a list of 1 to {MOST_ACTIONS} actions.")
        checked = [_checked(each) for each in data]
        errors = {str(index): each.errors for index, each in enumerate(checked) if not each.is_valid()}
        if errors:
            raise serializers.ValidationError(errors)
        return [_action(each.validated_data) for each in checked]


def _checked(given: Any) -> Strict:
    kind = given.get("action") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise serializers.ValidationError(f"Each action is one of {', '.join(_KINDS)}.")
    return _KINDS[kind](data=given)


def _action(given: Mapping[str, Any]) -> Action:
    of_record = {name: given[name] for name in ("object", "id", "id_of", "values", "was", "links") if name in given}
    email = {name: given.get(name, []) for name in ("provider", "message_id", "record_ids")}
    after = tuple(given.get("after", ()))
    return Action(given["key"], given["action"], given["at"], after=after, email=email, **of_record)


class ReplayRequest(Strict):
    """A batch in the order in which the person did it."""

    sent_at = Moment(required=False, help_text="What the device's clock says as it sends: its error is reckoned out.")
    actions = Actions()
    rules: ClassVar[Mapping[str, Any]] = {
        "allOf": [{"properties": {"actions": {"minItems": 1, "maxItems": MOST_ACTIONS}}}]
    }


def fast_by(sent_at: datetime | None) -> timedelta:
    """How far the device's clock is ahead of ours."""
    return sent_at - datetime.now(UTC) if sent_at else timedelta()


class Conflict(serializers.Serializer[Any]):
    field = serializers.CharField()
    yours = schema.Anything()
    theirs = schema.Anything(help_text="What the record holds now.")


class ItsProblem(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="What it is, in one word for programs.")
    detail = serializers.CharField()
    errors = schema.ProviderDetail(many=True)  # type: ignore[assignment]


class ReplayedAction(serializers.Serializer[Any]):
    key = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[each.value for each in State],
        help_text="`done`, now or earlier with this key. `conflict`, `refused`, `skipped`: nothing was written, and as "
        "it is it never will be. `later`: keep it, and send it again. `unknown`: look in Salesforce.",
    )
    object = serializers.CharField()
    id = serializers.CharField()
    url = serializers.CharField()
    email = AskedShape(allow_null=True)
    conflicts = Conflict(many=True)
    problem = ItsProblem(allow_null=True)


class ReplayAnswer(serializers.Serializer[Any]):
    results = ReplayedAction(many=True, help_text="In the order of the actions.")
    left = serializers.IntegerField(help_text="How many of them stay in the queue.")


def shown(results: list[Result]) -> dict[str, Any]:
    """As ReplayAnswer has it."""
    left = sum(result.state is State.LATER for result in results)
    return {"results": [_shown(result) for result in results], "left": left}


def _shown(result: Result) -> dict[str, Any]:
    said = [{"code": each.code, "message": each.message, "fields": list(each.fields)} for each in result.errors]
    return {
        "key": result.key,
        "state": result.state.value,
        "object": result.object,
        "id": result.id,
        "url": result.url,
        "email": result.email,
        "conflicts": [{"field": name, "yours": yours, "theirs": theirs} for name, yours, theirs in result.conflicts],
        "problem": {"code": result.code, "detail": result.detail, "errors": said} if result.code else None,
    }
