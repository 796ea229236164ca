"""Refusals that only the sidebar knows. `slug` ends the problem's type URI."""

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
