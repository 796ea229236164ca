"""Why a mail was saved or was not: every rule's code, what it decides, and the sentence that people read.

The one place for such sentences. They name no address, subject, folder or person: they are kept and shown to others."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a message. UNMATCHED waits for the person to appear in Salesforce, PARKED for somebody to act."""

    SYNCED = "synced"
    BLOCKED = "blocked"
    UNMATCHED = "unmatched"
    PARKED = "parked"
    PRIVATE = "private"
    IGNORED = "ignored"
    FAILED = "failed"


class Rule(StrEnum):
    """What decided. The values are stored and stay; `_TABLE` says what each one decides, and how it is put."""

    MATCHED = "matched"
    ASKED_FOR = "asked_for"
    COLLEAGUE_WAS_FIRST = "colleague_was_first"
    SAVED_BEFORE = "saved_before"
    SAVED_ELSEWHERE = "saved_elsewhere"
    RELINKED = "relinked"

    BLOCKED_DOMAIN = "blocked_domain"

    KEPT_PRIVATE = "kept_private"
    MARKED_PRIVATE = "marked_private"
    PRIVATE_PHRASE = "private_phrase"
    SIGN_IN_CODE = "sign_in_code"
    PERSONNEL = "personnel"
    LEGAL = "legal"

    SYNC_OFF = "sync_off"
    DRAFT = "draft"
    IN_JUNK = "in_junk"
    IN_TRASH = "in_trash"
    OTHER_FOLDER = "other_folder"
    BEFORE_START = "before_start"
    GONE = "gone"
    LEFT_ALONE = "left_alone"
    NOT_A_REPLY = "not_a_reply"
    TAKEN_BACK = "taken_back"
    ONLY_COLLEAGUES = "only_colleagues"

    NO_ADDRESS = "no_address"
    NOBODY_FOUND = "nobody_found"
    CONTACTS_OFF = "contacts_off"
    LEADS_OFF = "leads_off"
    PERSON_ACCOUNTS_OFF = "person_accounts_off"
    OWNED_BY_OTHERS = "owned_by_others"

    SEVERAL_PEOPLE = "several_people"

    UNDECIPHERABLE = "undecipherable"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    SET_ASIDE = "set_aside"
    GAVE_UP = "gave_up"


_TABLE: Mapping[Rule, tuple[Outcome, str]] = {
    Rule.MATCHED: (Outcome.SYNCED, "Saved with the people of this email that are in Salesforce."),
    Rule.ASKED_FOR: (Outcome.SYNCED, "Saved because somebody asked for it in the sidebar."),
    Rule.COLLEAGUE_WAS_FIRST: (
        Outcome.SYNCED,
        "A colleague has this email too, and it was in Salesforce already: one activity stands for both.",
    ),
    Rule.SAVED_BEFORE: (Outcome.SYNCED, "It was in Salesforce already, and is not saved a second time."),
    Rule.SAVED_ELSEWHERE: (
        Outcome.SYNCED,
        "Another program has saved it in Salesforce already, and it is not saved a second time.",
    ),
    Rule.RELINKED: (Outcome.SYNCED, "Saved with the people whom somebody has chosen for it since."),
    Rule.BLOCKED_DOMAIN: (Outcome.BLOCKED, "One of its addresses is at {domain}, which is blocked."),
    Rule.KEPT_PRIVATE: (Outcome.PRIVATE, "This conversation is kept private."),
    Rule.MARKED_PRIVATE: (Outcome.PRIVATE, "Whoever sent it marked it as personal, private or confidential."),
    Rule.PRIVATE_PHRASE: (Outcome.PRIVATE, "Its subject or an address is on the list of what is kept private."),
    Rule.SIGN_IN_CODE: (Outcome.PRIVATE, "It looks like a code or link for signing in."),
    Rule.PERSONNEL: (Outcome.PRIVATE, "Its subject looks like a personnel matter."),
    Rule.LEGAL: (Outcome.PRIVATE, "Its subject looks like a lawyer's privileged letter."),
    Rule.SYNC_OFF: (Outcome.IGNORED, "Email sync is switched off."),
    Rule.DRAFT: (Outcome.IGNORED, "It is a draft, and was not sent yet."),
    Rule.IN_JUNK: (Outcome.IGNORED, "It is in the junk folder."),
    Rule.IN_TRASH: (Outcome.IGNORED, "It was deleted."),
    Rule.OTHER_FOLDER: (Outcome.IGNORED, "It is in no folder that is chosen for sync."),
    Rule.BEFORE_START: (Outcome.IGNORED, "It is older than the day from which email is synced."),
    Rule.GONE: (Outcome.IGNORED, "It was no longer in the mailbox when its turn came."),
    Rule.LEFT_ALONE: (Outcome.IGNORED, "It could not be saved, and somebody has left it at that."),
    Rule.NOT_A_REPLY: (
        Outcome.IGNORED,
        "Only replies are synced, and nothing of this conversation was saved before.",
    ),
    Rule.TAKEN_BACK: (Outcome.IGNORED, "Somebody has taken it out of Salesforce again, and so it stays out."),
    Rule.ONLY_COLLEAGUES: (Outcome.IGNORED, "Everybody in it is a colleague."),
    Rule.NO_ADDRESS: (Outcome.IGNORED, "It names nobody outside whose address can be read without doubt."),
    Rule.NOBODY_FOUND: (Outcome.UNMATCHED, "Nobody in Salesforce has one of its addresses."),
    Rule.CONTACTS_OFF: (Outcome.UNMATCHED, "It concerns contacts, and those are switched off."),
    Rule.LEADS_OFF: (Outcome.UNMATCHED, "It concerns leads, and those are switched off."),
    Rule.PERSON_ACCOUNTS_OFF: (Outcome.UNMATCHED, "It concerns person accounts, and those are switched off."),
    Rule.OWNED_BY_OTHERS: (Outcome.UNMATCHED, "Only one's own records are synced, and these belong to somebody else."),
    Rule.SEVERAL_PEOPLE: (
        Outcome.PARKED,
        "Several people in Salesforce have the same address. Somebody has to say which one is meant.",
    ),
    Rule.UNDECIPHERABLE: (Outcome.FAILED, "The email cannot be read ({code})."),
    Rule.TOO_LARGE: (Outcome.FAILED, "The email is larger than what is read."),
    Rule.REFUSED: (Outcome.FAILED, "{provider} refused it ({code})."),
    Rule.SET_ASIDE: (Outcome.FAILED, "Working on it failed badly twice. It was set aside so that others go on."),
    Rule.GAVE_UP: (Outcome.FAILED, "It was tried {tries} times without success."),
}


#: What to say of mail that has waited in vain; "": by any other rule.
_WAITED: Mapping[str, str] = {
    Rule.NOBODY_FOUND: "Nobody appeared within {days} days, so it is not looked at by itself any more.",
    "": "It has waited for {days} days, and is not looked at by itself any more.",
}


#: As others than its own person read it: what somebody has blocked for himself is nobody else's to know (F9).
_TO_OTHERS: Mapping[str, str] = {Rule.BLOCKED_DOMAIN: "One of its addresses is at a domain that is blocked."}


#: Of what stands in Salesforce no more, or is not ours to say with whom.
WITH_NOBODY = (Rule.TAKEN_BACK, Rule.SAVED_ELSEWHERE)


#: A message that moves is decided anew where its place was what decided.
BY_PLACE = (Rule.DRAFT, Rule.IN_JUNK, Rule.IN_TRASH, Rule.OTHER_FOLDER, Rule.GONE)


class Note(StrEnum):
    """What else to know of a match and of what goes along; counted, since whom it concerns is nobody's to read."""

    COLLEAGUES = "colleagues"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    CHOSEN = "chosen"
    CONTACTS_OFF = "contacts_off"
    LEADS_OFF = "leads_off"
    PERSON_ACCOUNTS_OFF = "person_accounts_off"
    OWNED_BY_OTHERS = "owned_by_others"
    LEAD_BEHIND_CONTACT = "lead_behind_contact"
    CUT = "cut"
    NOT_VISIBLE = "not_visible"
    NO_PLACE = "no_place"
    FILES_OFF = "files_off"
    FILE_TOO_LARGE = "file_too_large"
    TOO_MANY_FILES = "too_many_files"
    FILES_MISSING = "files_missing"
    SMALL_IMAGE = "small_image"
    LINKS_OFF = "links_off"
    HANDED_OVER = "handed_over"


_NOTES: Mapping[Note, str] = {
    Note.COLLEAGUES: "Colleagues, never matched: {count}.",
    Note.UNREADABLE: "Address lines that cannot be read without doubt: {count}.",
    Note.UNKNOWN: "Addresses that nobody in Salesforce has: {count}.",
    Note.AMBIGUOUS: "Addresses that several people in Salesforce have: {count}.",
    Note.CHOSEN: "Taken because somebody has said who is meant: {count}.",
    Note.CONTACTS_OFF: "Contacts left out because contacts are switched off: {count}.",
    Note.LEADS_OFF: "Leads left out because leads are switched off: {count}.",
    Note.PERSON_ACCOUNTS_OFF: "Person accounts left out because they are switched off: {count}.",
    Note.OWNED_BY_OTHERS: "Left out because they belong to somebody else: {count}.",
    Note.LEAD_BEHIND_CONTACT: "Leads left out because a contact has the same address: {count}.",
    Note.CUT: "Addresses that more people in Salesforce have than it tells at once: {count}.",
    Note.NOT_VISIBLE: "Kinds of people that this member may not see in Salesforce: {count}.",
    Note.NO_PLACE: "People for whom Salesforce has no place on the activity: {count}.",
    Note.FILES_OFF: "Attachments left out because they are switched off: {count}.",
    Note.FILE_TOO_LARGE: "Attachments left out because they are too large: {count}.",
    Note.TOO_MANY_FILES: "Attachments left out because there are too many in one email: {count}.",
    Note.FILES_MISSING: "Not all of its attachments could be saved with it.",
    Note.SMALL_IMAGE: "Small images of the text itself, such as logos, left out: {count}.",
    Note.HANDED_OVER: "Attachments left out because the email is too large to be saved with them from here: {count}.",
    Note.LINKS_OFF: "Links to files left out, with the text: {count}.",
}


class Ranked(StrEnum):
    """Why one of several people stands before another. It says who is likelier, and never decides."""

    YOURS = "yours"
    SAME_ACCOUNT = "same_account"


_RANKED: Mapping[Ranked, str] = {
    Ranked.YOURS: "You own this record.",
    Ranked.SAME_ACCOUNT: "Somebody else in this email belongs to the same account.",
}

_BLANK = re.compile(r"\{(\w+)\}")
#: A domain in A-labels, a provider's error code or name, a number. No address, and nothing that a person wrote.
_VALUE = re.compile(r"[A-Za-z0-9_.-]{1,253}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a message, and which rule said so. `values` fill the rule's sentence; the stored part of a
    decision, so anything that might be content is refused with ValueError."""

    rule: Rule
    values: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.values) != fields_of(self.rule):
            raise ValueError(f"{self.rule} takes {sorted(fields_of(self.rule))}")
        if not all(_VALUE.fullmatch(value) for value in self.values.values()):
            raise ValueError(f"a value of {self.rule} is neither a domain nor a code nor a number")

    @property
    def outcome(self) -> Outcome:
        return _TABLE[self.rule][0]

    @property
    def sentence(self) -> str:
        """For people; always a whole sentence."""
        return filled(_TABLE[self.rule][1], self.values)


def say_to_others(rule: str, sentence: str) -> str:
    """What others read instead of a rule's `sentence`."""
    return _TO_OTHERS.get(rule, sentence)


def say_waited(rule: str, days: int) -> str:
    """Beside the sentence of a rule whose outcome is UNMATCHED, when it waits no longer."""
    return filled(_WAITED.get(rule, _WAITED[""]), {"days": str(days)})


def verdict(rule: Rule, **values: str) -> Verdict:
    return Verdict(rule, values)


def filled(sentence: str, values: Mapping[str, str]) -> str:
    """`sentence` with its {blanks} filled in. What a value says is never looked into."""
    return _BLANK.sub(lambda blank: values[blank[1]], sentence)


def outcome_of(rule: Rule) -> Outcome:
    return _TABLE[rule][0]


def fields_of(rule: Rule) -> set[str]:
    """The names of the values that the rule's sentence needs."""
    return set(_BLANK.findall(_TABLE[rule][1]))


def say_note(note: Note, count: int) -> str:
    return filled(_NOTES[note], {"count": str(count)})


def say_ranked(codes: Iterable[str]) -> tuple[str, ...]:
    """Codes of an older release, which nobody can put in words any more, are passed over."""
    return tuple(_RANKED[Ranked(code)] for code in codes if code in set(Ranked))
