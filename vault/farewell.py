"""What a person reads after disconnecting: what has happened, and nothing that has not (C17). Ends his connections."""

from dataclasses import dataclass

from organizations.models import Member
from vault import dialects, revocation
from vault.models import Connection, DiscardedGrant
from vault.revocation import Ending

#: What is told where several connections came to different ends: what leaves most to be done.
_GRAVEST = (Ending.UNREADABLE, Ending.KEPT, Ending.NOT_OFFERED, Ending.CONFIRMED, Ending.OVER)


@dataclass(frozen=True, slots=True)
class Told:
    """`heading`, `sentence` and `advice` for a page; `tone`: "good" where nothing is left to be done, else "warn"."""

    heading: str
    sentence: str
    tone: str
    advice: str = ""


def disconnect(member: Member, provider: str) -> Told:
    """End all that the member has connected at one provider, and say what became of it."""
    mine = Connection.objects.filter(member=member, provider=provider).values_list("pk", flat=True)
    found = [revocation.disconnect(pk, member) for pk in mine]
    return told(_gravest(member, provider, found), provider)


def _gravest(member: Member, provider: str, found: list[Ending]) -> Ending:
    """A grant of an earlier disconnect may still wait for its end as well."""
    waiting = DiscardedGrant.objects.filter(connection__member=member, connection__provider=provider)
    if Ending.WAITING in found or waiting.exists():
        return Ending.WAITING
    return next((each for each in _GRAVEST if each in found), Ending.NOTHING)


def told(ending: Ending, provider: str) -> Told:
    spoken = dialects.of(provider)
    sentence, tone, advice = _WORDS[ending]
    heading = "Disconnected" if ending else "Nothing was connected"
    advice = advice or (spoken.ending_advice if ending is Ending.NOT_OFFERED else "")
    return Told(heading, sentence.format(label=spoken.label), tone, advice.format(label=spoken.label))


_HERE = "The connection to {label} has been ended here, and its tokens have been deleted."
_AWAITED = (
    "The connection to {label} has been ended here: nothing uses it any more. {label} has not confirmed the end yet; "
    "we go on asking until it does, and delete the tokens then."
)
_SHARED = (
    f"{_HERE} At {{label}} the consent stays: another connection of the same account uses it, and {{label}} ends them "
    "only together."
)
_UNTOLD = f"{_HERE} {{label}} could not be told, because what was stored did not open any more."
_OVER = "The connection to {label} was over already; what was left of it here has been deleted."
_LIST = "this app in your {label} account's list of connected apps."
_BOTH = "Disconnect the other one as well, or remove this app in your {label} account: that ends both."
#: Sentence, tone, advice.
_WORDS = {
    Ending.CONFIRMED: ("The connection to {label} has been ended, here and at {label}.", "good", ""),
    Ending.WAITING: (_AWAITED, "warn", f"You may also remove {_LIST}"),
    Ending.KEPT: (_SHARED, "warn", _BOTH),
    Ending.NOT_OFFERED: (_HERE, "good", ""),
    Ending.UNREADABLE: (_UNTOLD, "warn", f"Remove {_LIST}"),
    Ending.OVER: (_OVER, "good", ""),
    Ending.NOTHING: ("There was no connection to {label}, so nothing was changed.", "", ""),
}
