"""Refusals that only the sidebar knows. `slug` ends the problem's type URI."""

from collections.abc import Mapping
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError


class TooManyAddressesError(ValidationError):
    """More correspondents than one call may carry."""

    def __init__(self, most: int) -> None:
        super().__init__({"addresses": [f"Name at most {most} different addresses."]})


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    slug = "too-large"
    default_detail = "The body is larger than 256 KiB."


class MailTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    slug = "too-large"
    default_detail = "The message is larger than 150 MB. Nothing was saved."


class LengthRequired(APIException):
    status_code = status.HTTP_411_LENGTH_REQUIRED
    slug = "length-required"
    default_detail = (
        "Send a Content-Length or, with a body in chunks, a Content-Digest of sha-256: without them a message that "
        "broke off could not be told from a whole one."
    )


class BodyCut(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    slug = "body-cut"
    default_detail = "The body ended too early, or is not what Content-Digest says. Nothing was saved; send it again."


class TooSlow(APIException):
    status_code = status.HTTP_408_REQUEST_TIMEOUT
    slug = "too-slow"
    default_detail = "The body did not arrive in time. Nothing was saved; send it again."


class SignaturesOff(APIException):
    status_code = status.HTTP_403_FORBIDDEN
    slug = "signatures-off"
    default_detail = "Reading signatures is switched off, by your organization or by you. Nothing was read."


class KeyRequired(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    slug = "idempotency-key-required"
    default_detail = "Send an Idempotency-Key header of 1 to 255 visible ASCII characters, a new one for each action."


class KeyInUse(APIException):
    status_code = status.HTTP_409_CONFLICT
    slug = "idempotency-key-in-use"
    default_detail = "This very action is being carried out right now. Wait for its answer."
    wait = 2


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"
    default_detail = "This Idempotency-Key belongs to another action. Use a new one."


class OutcomeUnknown(APIException):
    status_code = status.HTTP_409_CONFLICT
    slug = "outcome-unknown"
    default_detail = (
        "Salesforce did not say whether this was saved. Look in Salesforce before you try again with a new "
        "Idempotency-Key; this one writes nothing more."
    )


class ChangedSince(APIException):
    """The record is not what it was when this person changed it offline. `fields`: API name -> (his value, the present
    one); for that person's answer alone."""

    status_code = status.HTTP_409_CONFLICT
    slug = "changed-since"
    default_detail = (
        "Somebody has changed this record since. Nothing was written: look at both values, and if yours shall stand, "
        "send it again with the present values in `was`."
    )

    def __init__(self, fields: Mapping[str, tuple[Any, Any]]) -> None:
        super().__init__()
        self.fields = fields
