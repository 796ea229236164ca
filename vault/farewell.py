"""What is told of connections that end: what has happened, and nothing that has not (C17). Ends a member's own."""

from dataclasses import dataclass

from organizations.models import Member
from vault import dialects, revocation
from vault.models import Connection, DiscardedGrant
from vault.revocation import Ending
from vault.standing import PROVIDERS

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


def told(ending: Ending, provider: str, *, is_own: bool = True) -> Told:
    """`is_own`: told to the person himself, else to the administrator who has ended it."""
    spoken = dialects.of(provider)
    sentence, tone, advice = _WORDS[ending]
    heading = "Disconnected" if ending else "Nothing was connected"
    if ending is Ending.NOT_OFFERED and spoken.ending_advice:
        advice = spoken.ending_advice if is_own else f"For the person to do: {spoken.ending_advice}"
    names = {"label": spoken.label, "you": "You" if is_own else "The person"}
    return Told(heading, sentence.format(**names), tone, advice.format(**names))


def of_who_is_sent_away() -> str:
    """What becomes of the connections of a member whose access ends (V23), for who is about to end it."""
    found = {True: list[str](), False: list[str]()}
    for provider in PROVIDERS:
        found[dialects.of(provider).revokes].append(dialects.label(provider))
    asked, others = (" and ".join(found[revokes]) for revokes in (True, False))
    return _SENT_AWAY.format(asked=asked, others=others)


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
_SENT_AWAY = (
    "Ending access also ends all that the person has connected: nothing uses it from that moment on. {asked} are asked "
    "to end it there too, until they confirm; an account that somebody else has connected here as well stays connected "
    "for that one. {others} cannot be asked: our tokens are deleted, and the person withdraws the consent there."
)
_OVER = "The connection to {label} was over already; what was left of it here has been deleted."
_REMOVE = "remove this app in the {label} account's list of connected apps."
_BOTH = "Disconnect the other one as well, or remove this app in the {label} account: that ends both."
#: Sentence, tone, advice.
_WORDS = {
    Ending.CONFIRMED: ("The connection to {label} has been ended, here and at {label}.", "good", ""),
    Ending.WAITING: (_AWAITED, "warn", f"{{you}} may also {_REMOVE}"),
    Ending.KEPT: (_SHARED, "warn", _BOTH),
    Ending.NOT_OFFERED: (_HERE, "good", ""),
    Ending.UNREADABLE: (_UNTOLD, "warn", f"{{you}} can {_REMOVE}"),
    Ending.OVER: (_OVER, "good", ""),
    Ending.NOTHING: ("There was no connection to {label}, so nothing was changed.", "", ""),
}
