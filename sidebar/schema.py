"""How the sidebar's calls appear in the OpenAPI description. Shapes only: `payloads.py` checks, `render.py` writes."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema_field
from rest_framework import serializers

from organizations.schema import Problem
from organizations.serializers import Strict
from sidebar import payloads

#: NUL is refused in every text.
_NO_NUL = r"^[^\u0000]*$"
TEXT = {"type": "string", "pattern": _NO_NUL}
SCALAR = {"anyOf": [TEXT, {"type": ["number", "boolean", "null"]}]}


@extend_schema_field({"type": "array", "items": TEXT, "minItems": 1, "maxItems": payloads.MOST_STRINGS})
class Addresses(serializers.ListField):
    """RFC 5322 strings: bare addresses, `"Doe, Jane" <j@x.example>`, lists, groups."""


@extend_schema_field(
    {
        "type": "object",
        "minProperties": 1,
        "maxProperties": payloads.MOST_FIELDS,
        "additionalProperties": SCALAR,
        "propertyNames": {"pattern": f"^{payloads.OBJECT}$"},
    }
)
class Values(serializers.DictField):
    """API name of a field -> its new value."""


@extend_schema_field({})
class Anything(serializers.JSONField):
    """A field's value as Salesforce gives it: a text, a number, true, false or null."""


class People(Strict):
    addresses = Addresses()
    refresh = serializers.BooleanField(default=False, help_text="Ask Salesforce again, whatever is in memory.")


class Prefetch(Strict):
    addresses = Addresses()


class Changes(Strict):
    values = Values()

    @property
    def partial(self) -> bool:
        """Never: drf-spectacular takes every PATCH for one whose members may all be missing."""
        return False

    @partial.setter
    def partial(self, value: bool) -> None:
        pass


@extend_schema_field(TEXT)
class Text(serializers.CharField):
    """Any text, an empty one too."""


@extend_schema_field({**TEXT, "maxLength": payloads.LONGEST_SENDER})
class FromHeader(serializers.CharField):
    """A From header's value."""


class MailOfSomebody(Strict):
    """`text` is read, or where it is blank `html`."""

    text = Text(required=False, allow_blank=True)
    html = Text(required=False, allow_blank=True)
    sender = FromHeader(required=False, allow_blank=True, help_text="The From header's value, at most 1000 characters.")


class PersonsName(serializers.Serializer[Any]):
    full = serializers.CharField()
    first = serializers.CharField()
    last = serializers.CharField()


class PhoneNumber(serializers.Serializer[Any]):
    number = serializers.CharField(help_text="International where its country is known, else as written.")
    kind = serializers.ChoiceField(["phone", "mobile", "fax"])


class SignatureAnswer(serializers.Serializer[Any]):
    """Empty where the mail does not say."""

    name = PersonsName()
    title = serializers.CharField()
    company = serializers.CharField()
    phones = PhoneNumber(many=True)
    emails = serializers.ListField(child=serializers.CharField())
    address = serializers.CharField()
    links = serializers.ListField(child=serializers.CharField())
    lines = serializers.ListField(child=serializers.CharField(), help_text="The signature's lines, as sent.")
    confidence = serializers.FloatField(min_value=0, max_value=1)
    values = serializers.DictField(
        child=serializers.CharField(), help_text="API name of a field of Lead or Contact -> what to fill in."
    )


class CardField(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    value = Anything()
    type = serializers.CharField(help_text="The provider's own: string, email, phone, picklist, ...")
    editable = serializers.BooleanField()


class RelatedRecord(serializers.Serializer[Any]):
    object = serializers.CharField()
    id = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    fields = CardField(many=True)  # type: ignore[assignment]


class CardGroup(serializers.Serializer[Any]):
    object = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    more = serializers.BooleanField(help_text="There are others that are left out.")
    records = RelatedRecord(many=True)


class PersonRecord(RelatedRecord):
    kind = serializers.CharField(help_text="Contact, Lead or PersonAccount.")
    editable = serializers.BooleanField()
    groups = CardGroup(many=True)


class Card(serializers.Serializer[Any]):
    address = serializers.CharField(help_text="Lower case, the domain as A-labels.")
    as_of = serializers.DateTimeField(help_text="When Salesforce was asked.")
    records = PersonRecord(many=True)
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Plain sentences on what this person may not see."
    )
    creatable = serializers.ListField(child=serializers.CharField(), help_text="Objects this person may create.")


class Skipped(serializers.Serializer[Any]):
    address = serializers.CharField()
    reason = serializers.ChoiceField(["own_domain"])


class Invalid(serializers.Serializer[Any]):
    input_index = serializers.IntegerField(min_value=0)


class PeopleAnswer(serializers.Serializer[Any]):
    people = Card(many=True)
    skipped = Skipped(many=True)
    invalid = Invalid(many=True)


class PrefetchAnswer(serializers.Serializer[Any]):
    prefetched = serializers.IntegerField(help_text="Cards fetched by this call.")
    already = serializers.IntegerField(help_text="Cards that were there, or on their way.")
    shed = serializers.BooleanField(help_text="Nothing was fetched: Salesforce's allowance or our room is short.")


class Hit(RelatedRecord):
    label = serializers.CharField()  # type: ignore[assignment]


class SearchAnswer(serializers.Serializer[Any]):
    records = Hit(many=True)
    as_of = serializers.DateTimeField()


class FormOption(serializers.Serializer[Any]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FormInput(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    type = serializers.CharField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    max_length = serializers.IntegerField(allow_null=True)
    options = FormOption(many=True)
    help = serializers.CharField()
    value = Anything()


class FormAnswer(serializers.Serializer[Any]):
    object = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    fields = FormInput(many=True)  # type: ignore[assignment]


class SavedAnswer(serializers.Serializer[Any]):
    object = serializers.CharField()
    id = serializers.CharField()
    url = serializers.CharField()


class LinkAnswer(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Opens the record once, without another sign-in. Do not keep it.")


class ProviderDetail(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()
    fields = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class RefusalProblem(Problem):
    """RFC 9457, with Salesforce's own words."""

    errors = ProviderDetail(many=True, required=False)  # type: ignore[assignment]


class ConflictProblem(RefusalProblem):
    """RFC 9457. `reconnect_url` where connecting (again) helps; `errors` where Salesforce's own rules refused."""

    provider = serializers.CharField(required=False)
    reconnect_url = serializers.CharField(required=False)


_PROBLEM = "application/problem+json"
CONFLICT = {
    (409, _PROBLEM): OpenApiResponse(ConflictProblem, description="Connect to Salesforce first; or it refused this.")
}
REFUSALS = {
    (403, _PROBLEM): OpenApiResponse(RefusalProblem, description="Salesforce does not let this person do this."),
    (503, _PROBLEM): OpenApiResponse(RefusalProblem, description="Salesforce does not answer; see Retry-After."),
}
WRITE_REFUSALS = {
    **REFUSALS,
    (409, _PROBLEM): OpenApiResponse(
        ConflictProblem,
        description="Not connected; or Salesforce refused the values; or the key is in use, or its outcome unknown.",
    ),
    (422, _PROBLEM): OpenApiResponse(Problem, description="The key belongs to another action."),
}


def _path(name: str, pattern: str, description: str) -> OpenApiParameter:
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return OpenApiParameter(name, schema, OpenApiParameter.PATH, required=True, description=description)


OBJECT = _path("object", payloads.OBJECT, "API name of an object, such as Contact.")


def of_object(name: str) -> list[OpenApiParameter]:
    """Path parameters of one record: of object `name`, or of any that has no path of its own ("")."""
    if name:
        rest = payloads.RECORD_ID.replace("15", "12", 1)
        return [_path("id", payloads.PREFIXES[name] + rest, f"The id of a record of {name}: 15 or 18 characters.")]
    others = f"(?!(?:{'|'.join(payloads.PREFIXES)})$){payloads.OBJECT}"
    return [
        _path("object", others, "API name of an object."),
        _path("id", payloads.RECORD_ID, "A Salesforce id of 15 or 18 characters."),
    ]


SEARCH_TEXT = OpenApiParameter(
    "q",
    {"type": "string", "minLength": 2, "maxLength": payloads.LONGEST_SEARCH, "pattern": _NO_NUL},
    required=True,
    description="What to search for.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="A new one for each action. A repeat within 24 hours gets the first answer and writes nothing.",
)
PEOPLE_EXAMPLE = OpenApiExample(
    "A conversation",
    {"addresses": ['"Doe, Jane" <jane.doe@customer.example>', "joe@customer.example"], "refresh": False},
    request_only=True,
)
#: In words, not as an OpenAPI example: a fuzzer that sends it succeeds, and then meets its own Idempotency-Key again.
CREATE_IN_WORDS = (
    'For instance `{"values": {"LastName": "Doe", "FirstName": "Jane", "Email": "jane.doe@customer.example"}}`. '
    "Salesforce's own rules decide; its refusal comes back unchanged in `errors`."
)
UPDATE_IN_WORDS = (
    'For instance `{"values": {"Title": "Head of Purchasing"}}`. '
    "Salesforce's own rules decide; its refusal comes back unchanged in `errors`."
)
