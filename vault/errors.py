"""Failures that the vault itself raises. Messages are plain sentences without a secret, an address or a key."""

from providers.errors import Transient


class VaultError(Exception):
    """Base of the vault's own failures; `str(error)` is safe to log."""


class ConnectRequired(VaultError):
    """The member has no live grant at this provider; only connecting helps (C9)."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"No live connection to {provider}.")
        self.provider = provider


class TokenTampered(VaultError):
    """A sealed value does not open in its own place (V19). There is no fallback; the row is not used.

    `provider`: whose grant it is, where it is one's that was to be used; else ""."""

    provider = ""


class KekUnusable(VaultError):
    """The key-encryption key is missing, malformed or not the one the rows were sealed under (V17)."""


class KeyGone(VaultError):
    """The data key that a sealed value names is no longer in the key store (shredded, or the store was lost).

    `provider`: as TokenTampered."""

    provider = ""


class AppUnusable(VaultError):
    """What is stored of our app at a provider, its client id and secret, does not open: changed, put back, or its key
    is gone. The operator stores it anew (doctor). No grant is at fault, and none changes its state."""

    def __init__(self, label: str) -> None:
        super().__init__(f"What is stored of our app at {label} does not open; the operator has to store it anew.")


class OwnTrouble(Transient):
    """Passing trouble of ours: a key service, the audit log, a renewal or this process' end is in the way. It says
    nothing about a provider or a grant, so no connection changes its state for it."""


class NotAllowedHere(VaultError):
    """Signing in cannot go on; `str(error)` is the sentence the person reads, `status` the HTTP status.

    `retry_after`: seconds, told with a 503. `cause`: a code of causes.py, counted for the operator."""

    def __init__(
        self,
        sentence: str,
        *,
        advice: tuple[str, ...] = (),
        status: int = 400,
        retry_after: int = 60,
        cause: str = "",
    ) -> None:
        super().__init__(sentence)
        self.cause = cause
        self.retry_after = retry_after
        self.advice = advice
        self.status = status
