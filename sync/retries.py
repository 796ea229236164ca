"""What is to be done after a failure (sync.md 6): which wait it calls for, of whom, and whether it counts. Pure."""

import random
import re
from dataclasses import dataclass
from enum import StrEnum

from providers.errors import (
    CursorExpired,
    HostNotAllowed,
    NeedsReconnect,
    NotFound,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from sync.ledger import InOtherHands
from vault.errors import ConnectRequired, KeyGone, OwnTrouble, VaultError

SALESFORCE = "salesforce"
#: Of providers.salesforce and providers.google: all of a backlog would be refused, and none of it is wrong.
API_DISABLED = "api_disabled"
IN_OTHER_HANDS = "in_other_hands"
#: A right that the person did not give; and what the mail provider refuses all the same, for reasons of its own.
SCOPE_MISSING, NOT_ALLOWED = "scope_missing", "not_allowed"
BASE, CAP, TRIES = 2.0, 900.0, 8
#: Of a mail that is in Salesforce and waits for its files: these need many requests, each of which may fail, and nobody
#: brings them later. Shorter waits, as it stands there unknown meanwhile: a quarter of an hour, as a rule.
FILE_CAP, FILE_TRIES = 120.0, 16
#: Looked at again after so long where only a person can mend it; mended earlier, it is heard of (parking.py).
UNTIL_MENDED = 900.0
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")


class Answer(StrEnum):
    RETRY = "retry"  # this job, later
    PARK = "park"  # everything of this mailbox
    PAUSE = "pause"  # everything of this organization
    GIVE_UP = "give_up"  # this job, until a person asks for another try


@dataclass(frozen=True, slots=True)
class Ruling:
    """`cause`: why, as a code. `counts`: as one of a job's TRIES or FILE_TRIES. `wait`: seconds at least; 0: back off.
    `error_code`: the provider's own, never its text."""

    answer: Answer
    cause: str
    wait: float = 0.0
    counts: bool = False
    provider: str = ""
    error_code: str = ""


def rule(error: Exception, mail_provider: str) -> Ruling:
    """`mail_provider`: of the mailbox, for errors that name nobody."""
    provider = getattr(error, "provider", "") or mail_provider
    code = code_of(error)
    if isinstance(error, RateLimited):
        answer = Answer.PAUSE if provider == SALESFORCE else Answer.PARK
        return Ruling(answer, "throttled", wait=max(error.retry_after, 1.0), provider=provider, error_code=code)
    if isinstance(error, NeedsReconnect | ConnectRequired):
        return Ruling(Answer.PARK, "needs_reconnect", wait=UNTIL_MENDED, provider=provider, error_code=code)
    if isinstance(error, PermissionMissing) and error.code == API_DISABLED:
        return Ruling(Answer.PARK, API_DISABLED, wait=UNTIL_MENDED, provider=provider, error_code=code)
    if isinstance(error, PermissionMissing) and provider != SALESFORCE:
        cause = SCOPE_MISSING if error.code == SCOPE_MISSING else NOT_ALLOWED
        return Ruling(Answer.PARK, cause, wait=UNTIL_MENDED, provider=provider, error_code=code)
    if isinstance(error, PermissionMissing | Rejected | NotFound | HostNotAllowed):
        return Ruling(Answer.GIVE_UP, "refused", provider=provider, error_code=code)
    return _passing(error, provider, code)


def _passing(error: Exception, provider: str, code: str) -> Ruling:
    if isinstance(error, OwnTrouble | VaultError):
        wait = getattr(error, "retry_after", 60.0)
        cause = "ending" if isinstance(error, KeyGone) else "own_trouble"
        return Ruling(Answer.PARK, cause, wait=wait, provider=provider, error_code=code)
    if isinstance(error, InOtherHands):  # nobody is away, and nothing has failed: a colleague's copy is being written
        return Ruling(Answer.RETRY, IN_OTHER_HANDS, wait=error.retry_after, provider=provider)
    if isinstance(error, Transient):
        return Ruling(Answer.RETRY, "unreachable", wait=error.retry_after, counts=True, provider=provider)
    if isinstance(error, CursorExpired | ProviderError):
        return Ruling(Answer.RETRY, "refused", counts=True, provider=provider, error_code=code)
    return Ruling(Answer.RETRY, "our_fault", counts=True, provider="", error_code=type(error).__name__)


def code_of(error: Exception) -> str:
    """The provider's own code where it looks like one: a text might quote what it was sent."""
    details = getattr(error, "details", ())
    code = details[0].code if details else getattr(error, "code", "")
    return code if _CODE.fullmatch(code or "") else ""


def back_off(times: int, at_least: float = 0.0, cap: float = CAP) -> float:
    """Seconds before the next try after `times` failures: full jitter, but never before the provider's own word."""
    return at_least + random.uniform(0.0, min(cap, BASE * 2.0 ** min(times, 20)))  # noqa: S311  spreads, hides nothing
