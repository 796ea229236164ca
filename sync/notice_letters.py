"""What a mail about mailboxes in trouble says: which, why, and what to do. Nothing of anybody's mail. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from organizations.models import Member
from sync.models import SyncedMailbox
from sync.standing import Trouble
from vault import clients, dialects

#: Names of one line, for administrators.
_MOST_NAMES = 20
_PAGE = "/dashboard/email-sync/"
_OTHERS: Mapping[Trouble, str] = {
    Trouble.NEEDS_RECONNECT: "Wait until their people connect again, who have been told how",
    Trouble.SCOPE_MISSING: "Wait for a right that was not given: connect again and allow it, or ask who administers it",
    Trouble.WAITS: "Have waited for hours for a provider that does not answer, refuses to, or asks for a pause",
    Trouble.STANDS_STILL: "Have not been looked at for longer than they should (do a worker and the timetable run?)",
    Trouble.BEHIND: "Have emails that waited for over an hour (are there enough workers?)",
    Trouble.SILENCE: "Had emails that their provider did not tell of; counting has found them",
    Trouble.DEAD_LETTERS: "Have emails that could not be saved; their people may try again or ignore them",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One mailbox and what is wrong with it; `sentence` is addressed to its person."""

    mailbox: SyncedMailbox
    trouble: Trouble
    sentence: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str


def letter(recipient: Member, lines: Sequence[Line]) -> Letter:
    own = [line for line in lines if line.is_own]
    others = [line for line in lines if not line.is_own]
    parts = [f"Hello {_plain(recipient.name)},".replace(" ,", ",")]
    parts += [_own(line) for line in own]
    if others:
        parts.append("\n".join(["Mailboxes of others:", *_grouped(others)]))
    parts.append(f"Everything about it: {settings.PUBLIC_URL}{_PAGE}")
    parts.append("You are told once a day as long as it is so. This mail was sent by a program; nobody reads answers.")
    return Letter(_subject(own, others), "\n\n".join(parts) + "\n")


def _subject(own: Sequence[Line], others: Sequence[Line]) -> str:
    if any(line.trouble in (Trouble.NEEDS_RECONNECT, Trouble.SCOPE_MISSING) for line in own):
        return "Your email sync stands still: connect again"
    if own:
        return "Your email sync needs a look"
    count = len({line.mailbox.pk for line in others})
    return f"Email sync: {count} mailbox{'' if count == 1 else 'es'} of your organization in trouble"


def _own(line: Line) -> str:
    found = f"Your mailbox at {dialects.label(line.mailbox.connection.provider)}: {line.sentence}"
    if line.trouble not in (Trouble.NEEDS_RECONNECT, Trouble.SCOPE_MISSING):
        return found
    provider = line.mailbox.parked_at_provider or line.mailbox.connection.provider
    return f"{found}\nConnect: {clients.reconnect_url(provider, _PAGE)}"


def _grouped(lines: Sequence[Line]) -> list[str]:
    found = []
    for trouble in Trouble:
        names = sorted(_name(line) for line in lines if line.trouble is trouble)
        if names:
            shown = ", ".join(names[:_MOST_NAMES])
            rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            found.append(f"- {_OTHERS[trouble]}: {shown}{rest}")
    return found


def _name(line: Line) -> str:
    person = line.mailbox.member
    return f"{_plain(person.name or person.username)} ({dialects.label(line.mailbox.connection.provider)})"


def _plain(text: str) -> str:
    """A name is what somebody wrote in Salesforce: one line, and no link."""
    return " ".join(text.split()).replace("://", " ")[:100]
