"""The error bodies of the REST API: a JSON array of `{message, errorCode, fields}`."""

from typing import Any


class ApiError(Exception):
    """An answer that is no success. `status` is the HTTP status that Salesforce gives with `code`."""

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.fields, self.extra = status, code, message, fields, extra

    def body(self) -> list[dict[str, Any]]:
        entry: dict[str, Any] = {**self.extra, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            entry["fields"] = self.fields
        return [entry]

    def save_error(self) -> dict[str, Any]:
        """The shape that collections use for one record."""
        return {**self.extra, "statusCode": self.code, "message": self.message, "fields": self.fields or []}


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    return ApiError(404, "NOT_FOUND", message)


def no_session() -> ApiError:
    return ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def malformed(message: str) -> ApiError:
    return ApiError(400, "MALFORMED_QUERY", message)


def unsupported_type(name: str) -> str:
    """What Salesforce says of an object that is not there, or that the profile may not read: it does not tell apart."""
    return (
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
    )


def no_such_column(name: str, entity: str) -> str:
    """The same words for a field that is missing and one that field-level security hides."""
    return (
        f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append "
        "the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate "
        "names."
    )
