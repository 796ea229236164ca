"""Shapes of the API's requests and answers in this room. A field nobody knows is an error, not ignored (BI-G5)."""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from organizations.models import Domain, Invitation, Member, Role
from organizations.toggles import BLANK, USERNAME

logger = logging.getLogger(__name__)
DOMAIN = rf"^@?[^@.{BLANK}]+(\.[^@.{BLANK}]+)+\.?$"


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not name, and logs that it did: somebody may be trying to give himself a role."""

    #: JSON Schema of what `validate` asks for beyond the single fields.
    rules: ClassVar[Mapping[str, Any]] = {}

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            logger.warning("a request named %d unknown fields: %s", len(unknown), type(self).__name__)
            raise serializers.ValidationError({str(name)[:80]: "There is no such field." for name in unknown[:10]})
        return super().to_internal_value(data)


class OrganizationShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    is_sandbox = serializers.BooleanField()
    salesforce_org_id = serializers.CharField()


class Me(serializers.ModelSerializer[Member]):
    """All we hold of the person who asks (C23, C24)."""

    organization = OrganizationShape()
    permission_sets = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Member
        fields = (
            "id",
            "name",
            "email",
            "username",
            "role",
            "is_confirmed",
            "salesforce_user_id",
            "user_type",
            "profile",
            "permission_sets",
            "language",
            "locale",
            "time_zone",
            "profile_refreshed_at",
            "created_at",
            "organization",
        )
        read_only_fields = fields


class DeviceShape(serializers.Serializer[Any]):
    """One sign-in of an add-in. `last_used_at` is true to the hour."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    signed_in_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField()
    is_current = serializers.BooleanField()


class Devices(serializers.Serializer[Any]):
    devices = DeviceShape(many=True)


class MemberShape(serializers.ModelSerializer[Member]):
    class Meta:
        model = Member
        fields = ("id", "name", "email", "username", "role", "is_active", "profile", "created_at")
        read_only_fields = fields


class MemberChange(Strict):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)


class InvitationShape(serializers.ModelSerializer[Invitation]):
    username = serializers.CharField(source="salesforce_username")

    class Meta:
        model = Invitation
        fields = ("id", "username", "role", "created_at", "expires_at", "accepted_at")
        read_only_fields = fields


class InvitationRequest(Strict):
    username = serializers.RegexField(USERNAME, max_length=255, trim_whitespace=False)
    role = serializers.ChoiceField(choices=Role.choices[1:], default=Role.USER)


class DomainShape(serializers.ModelSerializer[Domain]):
    class Meta:
        model = Domain
        fields = ("id", "name")
        read_only_fields = fields


class DomainRequest(Strict):
    name = serializers.RegexField(DOMAIN, max_length=253, trim_whitespace=False)


class AuditShape(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    result = serializers.CharField()
    facts = serializers.DictField()


class Page(Strict):
    """`?limit=&offset=`; out of range is an error, not silently the nearest."""

    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)
    offset = serializers.IntegerField(min_value=0, max_value=1_000_000, default=0)


class AuditPage(Strict):
    """`?limit=&before=`: newest first, those before a sequence number."""

    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)
    before = serializers.IntegerField(min_value=1, max_value=2**62, required=False)


class Level(Strict):
    level = serializers.ChoiceField(choices=("member", "organization"), default="member")


class Setting(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # shadows attributes of no use here
    help = serializers.CharField()
    type = serializers.CharField()
    merge = serializers.CharField()
    scope = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())
    minimum = serializers.IntegerField(allow_null=True)
    maximum = serializers.IntegerField(allow_null=True)
    value = serializers.JSONField()
    default = serializers.JSONField()
    organization_value = serializers.JSONField()
    member_value = serializers.JSONField()
    source = serializers.ChoiceField(choices=("default", "organization", "member"))  # type: ignore[assignment]
    users_can_modify = serializers.BooleanField()
    overridden = serializers.BooleanField()
    can_change = serializers.BooleanField()
    can_change_organization = serializers.BooleanField()


class Policy(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=("member", "organization"))
    settings = Setting(many=True)


class PolicyValues(serializers.DictField):
    """Key -> value. Which keys and values are good is the registry's business; the schema lists them."""


class PolicyKeys(serializers.ListField):
    """Keys of settings."""


class PolicySwitches(serializers.DictField):
    """Key -> true or false."""


class PolicyChange(Strict):
    """`expected`: the values the sender has seen; where one is no longer so, nothing is changed and 409 says it."""

    values = PolicyValues(child=serializers.JSONField(allow_null=True), required=False)
    reset = PolicyKeys(child=serializers.CharField(max_length=80), required=False, max_length=200)
    users_can_modify = PolicySwitches(child=serializers.BooleanField(), required=False)
    expected = PolicyValues(child=serializers.JSONField(allow_null=True), required=False)
