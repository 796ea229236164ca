"""Shapes of this room's requests and answers. Ids, codes and sentences; nothing of what a mail says."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from organizations.serializers import Strict
from sync.decisions import MOST
from sync.mailboxes import PROVIDERS
from sync.reasons import Outcome, Rule


class Id(serializers.UUIDField):
    """A text that is a UUID; JSON's numbers, true and false are none."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value="?")
        found: UUID = super().to_internal_value(data)
        return found


class DecisionsQuery(Strict):
    """`before`: what the last answer called `next_before`. `whose`: for administrators, everybody's."""

    outcome = serializers.ChoiceField(choices=[each.value for each in Outcome], required=False)
    message_id = serializers.RegexField(r"^[!-~]{1,512}$", required=False, help_text="The mail provider's own id.")
    whose = serializers.ChoiceField(choices=("mine", "everybody"), default="mine")
    before = Id(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=50)


class DecisionShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    mailbox_id = serializers.UUIDField()
    provider = serializers.ChoiceField(choices=PROVIDERS)
    message_id = serializers.CharField(help_text="The mail provider's own id.")
    thread_id = serializers.CharField()
    arrived_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=[each.value for each in Outcome])
    rule = serializers.ChoiceField(choices=[each.value for each in Rule])
    sentence = serializers.CharField(help_text="Why, in words, for the person.")
    domain = serializers.CharField(help_text="The counterpart's, without an address.")
    error_code = serializers.CharField(help_text="The provider's own.")
    activity_id = serializers.CharField(help_text="Of the activity in Salesforce, where it is there.")
    record_ids = serializers.ListField(child=serializers.CharField(), help_text="Who it is saved with.")
    asked_ids = serializers.ListField(
        child=serializers.CharField(),
        help_text="Who could be meant by an address that several people have, the likeliest first.",
    )
    asked_why = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="What makes one of them likelier, in sentences by his id; empty for anybody but whoever is asked.",
    )
    is_dead = serializers.BooleanField(help_text="Nothing happens any more until somebody retries or ignores it.")
    is_waiting = serializers.BooleanField(
        help_text="It is looked at again by itself when its person appears in Salesforce."
    )
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What else there was, and what stayed out, in sentences."
    )


class DecisionsShape(serializers.Serializer[Any]):
    decisions = DecisionShape(many=True)
    next_before = serializers.UUIDField(allow_null=True)


class ChosenRequest(Strict):
    ids = serializers.ListField(child=Id(), min_length=1, max_length=MOST)


class DoneShape(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="How many of them were one's own, and waited for it.")


class AskedRequest(Strict):
    """`record_ids`: of the people who are meant, where the last answer named several."""

    provider = serializers.ChoiceField(choices=PROVIDERS)
    message_id = serializers.RegexField(r"^[!-~]{1,512}$", help_text="The mail provider's own id.")
    record_ids = serializers.ListField(
        child=serializers.RegexField(r"^[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?$"), max_length=50, default=list
    )


class HandedQuery(Strict):
    """Where a message that is handed over lies, as far as the mail client knows, and who is meant."""

    provider = serializers.ChoiceField(choices=PROVIDERS, required=False)
    thread_id = serializers.RegexField(
        r"^[!-~]{1,512}$", required=False, help_text="The mail provider's own id of the conversation."
    )
    record_ids = serializers.RegexField(
        r"^[a-zA-Z0-9]{15,18}(?:,[a-zA-Z0-9]{15,18}){0,49}$", required=False, help_text="With commas between them."
    )


class AskedShape(serializers.Serializer[Any]):
    saved = serializers.BooleanField()
    outcome = serializers.ChoiceField(choices=[each.value for each in Outcome])
    rule = serializers.ChoiceField(choices=[each.value for each in Rule])
    sentence = serializers.CharField(help_text="What became of it and why, in words, for the person.")
    activity_id = serializers.CharField(help_text="Of our activity in Salesforce; empty where there is none.")
    record_ids = serializers.ListField(
        child=serializers.CharField(), help_text="Who it is saved with; or, where nothing was, who could be meant."
    )
    asked_why = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Where nothing was saved: what makes one who could be meant likelier, in sentences by his id.",
    )
    notes = serializers.ListField(child=serializers.CharField(), help_text="What of it stayed out, in sentences.")
