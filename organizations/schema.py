"""How our bearer tokens and errors appear in the OpenAPI description. Imported in `ready()`; no behaviour."""
# ruff: noqa: ARG002, SLF001  drf-spectacular's signatures

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from oauth2_provider.settings import oauth2_settings
from rest_framework import serializers

from organizations import policy


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "organizations.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        flow = {
            "authorizationUrl": f"{settings.PUBLIC_URL}/o/authorize/",
            "tokenUrl": f"{settings.PUBLIC_URL}/o/token/",
            "refreshUrl": f"{settings.PUBLIC_URL}/o/token/",
            "scopes": dict(oauth2_settings.SCOPES),
        }
        return {"type": "oauth2", "flows": {"authorizationCode": flow}}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        return {self.name: ["sidebar"]}


class BodyRequired(AutoSchema):
    """drf-spectacular takes a body that may be bytes for one that may be missing."""

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        return {**body, "required": True} if body else body


class StrictSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A request with a field we do not name is refused; the description says so."""

    target_class = "organizations.serializers.Strict"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False, **self.target.rules}


class PolicyValuesSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The settings that exist, each with the values it takes, so that a client can be generated from it."""

    target_class = "organizations.serializers.PolicyValues"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        known = {toggle.key: toggle.json_schema() for toggle in policy.declared()}
        return {"type": "object", "properties": known, "additionalProperties": False}


class PolicyKeysSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "organizations.serializers.PolicyKeys"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        keys = [toggle.key for toggle in policy.declared()]
        return {"type": "array", "maxItems": self.target.max_length, "items": {"type": "string", "enum": keys}}


class PolicySwitchesSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "organizations.serializers.PolicySwitches"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        known = {toggle.key: {"type": "boolean"} for toggle in policy.declared()}
        return {"type": "object", "properties": known, "additionalProperties": False}


class FieldError(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    request_id = serializers.CharField(required=False)
    errors = FieldError(many=True, required=False)  # type: ignore[assignment]  # shadows a property of no use here


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """`responses=` entries for the statuses a view may answer with, beside 401, which all may."""
    described = OpenApiResponse(Problem, description="What went wrong, for people and programs.")
    return {(status, "application/problem+json"): described for status in (401, *statuses)}
