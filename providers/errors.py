"""The closed set of provider failures. Each class says what to do next, not what went wrong inside."""

from dataclasses import dataclass, field


class ProviderError(Exception):
    """Base of all provider failures. `str(error)` is safe to log: never a token, address or record content.

    `details` holds the provider's own answer for the person who asked (a validation message, say) and
    must be shown to that person only, never logged. `code` is our own word for the cause, for `doctor`; "" where
    nothing more is known than the class says.
    """

    def __init__(self, message: str, *, provider: str = "", details: "tuple[Detail, ...]" = (), code: str = "") -> None:
        super().__init__(message)
        self.provider = provider
        self.details = details
        self.code = code


@dataclass(frozen=True, slots=True)
class Detail:
    """One entry of a provider's error body: `code` is the provider's own (Salesforce: errorCode)."""

    code: str
    message: str = field(repr=False)
    fields: tuple[str, ...] = ()


class NeedsReconnect(ProviderError):
    """The grant is gone for good; only the person can mend it, by connecting again."""


class PermissionMissing(ProviderError):
    """The person may not do this at the provider. Retrying will not help; say so plainly."""


class RateLimited(ProviderError):
    """Too many calls. Wait `retry_after` seconds; `daily` when a day's allowance is used up."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        details: tuple[Detail, ...] = (),
        code: str = "",
        retry_after: float = 60.0,
        daily: bool = False,
    ) -> None:
        super().__init__(message, provider=provider, details=details, code=code)
        self.retry_after = retry_after
        self.daily = daily


class CursorExpired(ProviderError):
    """The change cursor is too old; list again from a bounded point, wipe nothing."""


class NotFound(ProviderError):
    """No such thing, or the person may not see it; providers do not tell these apart."""


class Rejected(ProviderError):
    """The request was understood and refused (validation rule, bad value). Show `details` to the person."""


class Transient(ProviderError):
    """A passing fault (5xx, time-out, reset, nonsense body). Try again later, with back-off."""

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        details: tuple[Detail, ...] = (),
        code: str = "unreachable",
        retry_after: float = 5.0,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message, provider=provider, details=details, code=code)
        self.retry_after = retry_after
        #: True when a write may have happened although no answer arrived.
        self.outcome_unknown = outcome_unknown


class FreshTokenRefused(Transient):
    """A provider's API refuses even the access token that its token endpoint has just issued. That is trouble of the
    API's, and no verdict on the grant: only the token endpoint gives one (I6)."""

    def __init__(self, provider: str, label: str) -> None:
        text = f"{label} refuses even a fresh token of this connection just now; we try again later."
        super().__init__(text, provider=provider, code="token_refused")


class HostNotAllowed(ProviderError):
    """A host that is neither the provider's own nor one of the operator's; nothing was sent to it."""
