"""Whether a message may go to Salesforce, before anybody there is asked: from its headers and from its text. Pure.

The first rule that speaks decides, in the order of `_BEFORE` and `_AMONG`. Who it is saved with is `matching`'s."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from providers.mail import Folder, FolderKind, Heading
from sync import folders as choice
from sync import private
from sync.envelope import Envelope, Party, envelope_of
from sync.letters import Letter
from sync.reasons import Outcome, Rule, Verdict, verdict

__all__ = [
    "Candidate",
    "Outcome",
    "Rule",
    "Rulebook",
    "Rules",
    "Thread",
    "Verdict",
    "decide_asked",
    "decide_by_heading",
    "decide_by_letter",
    "verdict",
]


@dataclass(frozen=True, slots=True, repr=False)
class Rules:
    """What is in force for one member, from `policies.rules_for`. Domains are lower-case A-labels, addresses folded.

    `folders`: as `folders.is_chosen` takes them."""

    is_on: bool
    own_addresses: frozenset[str]
    own_domains: frozenset[str]
    blocked_domains: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ("inbox", "sent")
    private_phrases: tuple[str, ...] = ()
    may_be_sensitive: bool = False
    with_contacts: bool = True
    with_leads: bool = True
    with_person_accounts: bool = True
    replies_only: bool = False
    owned_only: bool = False
    with_text: bool = True  # False: only the headers go to Salesforce


@dataclass(frozen=True, slots=True, repr=False)
class Rulebook:
    """Outgoing mail may have rules of its own (automatic logging), and so has what a person asks to be saved."""

    incoming: Rules
    outgoing: Rules
    asked: Rules

    @property
    def is_on(self) -> bool:
        """Whether anything at all of the mailbox is to be looked at."""
        return self.incoming.is_on or self.outgoing.is_on

    @property
    def folders(self) -> frozenset[str]:
        """Those whose messages are worth a look."""
        return frozenset(name for rules in (self.incoming, self.outgoing) if rules.is_on for name in rules.folders)


@dataclass(frozen=True, slots=True)
class Thread:
    """What is known of a message's conversation. `is_logged`: something of it was saved before. `chosen`: ids of people
    who somebody has said are meant in it."""

    is_private: bool = False
    is_logged: bool = False
    chosen: Collection[str] = ()


UNKNOWN_THREAD = Thread()


@dataclass(frozen=True, slots=True, repr=False)
class Candidate:
    """A message that nothing speaks against so far. `strangers`: those who are no colleagues, who Salesforce is asked
    about; `colleagues`: the others, without the member's own addresses."""

    envelope: Envelope
    rules: Rules
    is_outgoing: bool
    strangers: tuple[Party, ...]
    colleagues: tuple[Party, ...]


@dataclass(frozen=True, slots=True, repr=False)
class _Seen:
    """All that the rules before a message's people look at."""

    heading: Heading
    folders: Mapping[str, Folder]
    rules: Rules
    thread: Thread
    since: datetime | None
    was_chosen: bool

    @property
    def kinds(self) -> frozenset[FolderKind]:
        return _kinds(self.heading, self.folders)


def decide_by_heading(
    heading: Heading | None,
    folders: Mapping[str, Folder],
    rulebook: Rulebook,
    *,
    thread: Thread = UNKNOWN_THREAD,
    since: datetime | None = None,
    was_chosen: bool = False,
) -> Verdict | Candidate:
    """What becomes of a message, as far as its headers say; None for `heading` is what is gone.

    `folders`: by id, all of the mailbox. `since`: aware; what arrived earlier is not synced. `was_chosen`: it lay in a
    chosen folder when we were told of it, so that whoever has put it into the archive since takes nothing back."""
    if heading is None:
        return verdict(Rule.GONE)
    envelope = envelope_of(heading.headers)
    is_outgoing = _is_outgoing(envelope, _kinds(heading, folders), rulebook.incoming)
    rules = rulebook.outgoing if is_outgoing else rulebook.incoming
    seen = _Seen(heading, folders, rules, thread, since, was_chosen)
    for rule, speaks in _BEFORE.items():
        if speaks(seen):
            return verdict(rule)
    return _among(envelope, rules, is_outgoing)


def decide_by_letter(letter: Letter, candidate: Candidate) -> Verdict | None:
    """What the text adds: why the message stays out after all, or None."""
    return None if candidate.rules.may_be_sensitive else private.by_its_text(letter.text)


def decide_asked(letter: Letter, rulebook: Rulebook, *, thread: Thread = UNKNOWN_THREAD) -> Verdict | Candidate:
    """A message that a person wants saved: no rule of his own holds him back, all of his organization's do."""
    if thread.is_private:
        return verdict(Rule.KEPT_PRIVATE)
    envelope = envelope_of(letter.headers)
    among = _among(envelope, rulebook.asked, bool(envelope.senders & rulebook.asked.own_addresses))
    if isinstance(among, Verdict):
        return among
    return decide_by_letter(letter, among) or among


def _kinds(heading: Heading, folders: Mapping[str, Folder]) -> frozenset[FolderKind]:
    return frozenset(folders[each].kind for each in heading.folders if each in folders)


def _is_outgoing(envelope: Envelope, kinds: Collection[FolderKind], rules: Rules) -> bool:
    """Sent mail lies in the folder for it, or was moved on from there. In the inbox, one's own address as the sender is
    a note to oneself or a forgery."""
    return FolderKind.SENT in kinds or (bool(envelope.senders & rules.own_addresses) and FolderKind.INBOX not in kinds)


def _is_elsewhere(seen: _Seen) -> bool:
    lies_in = seen.heading.folders
    if seen.was_chosen and choice.is_put_away(lies_in, seen.folders):
        return False
    return not choice.lies_in_chosen(lies_in, seen.folders, seen.rules.folders)


def _is_too_old(seen: _Seen) -> bool:
    return seen.since is not None and seen.heading.received_at < seen.since


def _answers_nothing(seen: _Seen) -> bool:
    return seen.rules.replies_only and not seen.thread.is_logged


#: In the order in which they are asked.
_BEFORE: Mapping[Rule, Callable[[_Seen], bool]] = {
    Rule.DRAFT: lambda seen: seen.heading.is_draft or FolderKind.DRAFTS in seen.kinds,
    Rule.SYNC_OFF: lambda seen: not seen.rules.is_on,
    Rule.KEPT_PRIVATE: lambda seen: seen.thread.is_private,
    Rule.IN_TRASH: lambda seen: FolderKind.TRASH in seen.kinds,
    Rule.IN_JUNK: lambda seen: FolderKind.JUNK in seen.kinds,
    Rule.OTHER_FOLDER: _is_elsewhere,
    Rule.BEFORE_START: _is_too_old,
    Rule.NOT_A_REPLY: _answers_nothing,
}


def _among(envelope: Envelope, rules: Rules, is_outgoing: bool) -> Verdict | Candidate:
    """The rules on who and what a message is about."""
    others = [party for party in envelope.parties if party.address not in rules.own_addresses]
    strangers = tuple(party for party in others if party.domain not in rules.own_domains)
    domains = (*(party.domain for party in others), *sorted(envelope.beyond))
    blocked = next((name for domain in domains if (name := _blocked(domain, rules.blocked_domains))), "")
    if blocked:
        return verdict(Rule.BLOCKED_DOMAIN, domain=blocked)
    stays = private.by_its_headers(envelope, rules.private_phrases, may_be_sensitive=rules.may_be_sensitive)
    if stays:
        return stays
    if not strangers:
        is_clear = envelope.parties and not envelope.unreadable
        return verdict(Rule.ONLY_COLLEAGUES if is_clear else Rule.NO_ADDRESS)
    colleagues = tuple(party for party in others if party.domain in rules.own_domains)
    return Candidate(envelope, rules, is_outgoing, strangers, colleagues)


def _blocked(domain: str, blocked: Collection[str]) -> str:
    """The blocked domain that this one is or lies below; "" where none is."""
    while domain:
        if domain in blocked:
            return domain
        domain = domain.partition(".")[2]
    return ""
