"""The toggles that email sync reads, and what they come to for one member. Those that switch it on, and so decide what
a member is asked to allow, are the vault's.

What restricts is never loosened by a member: lists are united, and what may be done is capped by the organization."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from organizations import domains, policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type
from providers.addresses import fold
from sync.enclosures import Enclosures
from sync.folders import ANY, SENT
from sync.rules import Rulebook, Rules
from vault.policies import is_logging_forced, logs_outgoing

CONTACTS = policy.declare(
    Toggle(
        key="email.sync.contact",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=True,
        label="Sync emails with contacts",
        help="Emails with at least one Salesforce contact.",
    )
)
LEADS = policy.declare(
    Toggle(
        key="email.sync.lead",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=True,
        label="Sync emails with leads",
        help="Emails with at least one Salesforce lead not yet converted. A contact with the same address goes first.",
    )
)
PERSON_ACCOUNTS = policy.declare(
    Toggle(
        key="email.sync.person_accounts",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=True,  # "off unless the organization uses them" (product.md B): where it does not, there are none
        label="Sync emails with person accounts",
        help="Changes nothing where your Salesforce has no person accounts.",
    )
)
REPLIES_ONLY = policy.declare(
    Toggle(
        key="email.sync.replies_only",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=False,
        label="Sync only replies",
        help="Only what follows an email that was saved before, say from the sidebar. Most people leave this off.",
    )
)
TEXT = policy.declare(
    Toggle(
        key="email.sync.text",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=True,
        label="Save the text of emails",
        help="Off: only subject, date and correspondents go to Salesforce, and no attachments.",
    )
)
SENSITIVE = policy.declare(
    Toggle(
        key="email.sync.sensitive",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Sync what is marked as private, or looks it",
        help="Off: codes for signing in, personnel matters, lawyers' letters and what its sender marked stay out.",
    )
)
OWNED_ONLY = policy.declare(
    Toggle(
        key="email.filter.owned_only",
        kind=Merge.OVERRIDE,
        type=Type.BOOL,
        default=False,
        label="Only my own records",
        help="Only people whose Salesforce record belongs to the owner of the mailbox. Most people leave this off.",
    )
)
BLOCKED_DOMAINS = policy.declare(
    Toggle(
        key="email.filter.blocked_domains",
        kind=Merge.UNION,
        type=Type.DOMAINS,
        default=[],
        label="Blocked domains",
        help="An email with anybody there, or at a domain below, is not saved. Everybody may add their own.",
    )
)
FOLDERS = policy.declare(
    Toggle(
        key="email.filter.folders",
        kind=Merge.OVERRIDE,
        type=Type.FOLDERS,
        default=["inbox", "sent"],
        scope=Scope.MEMBER,
        label="Folders to sync",
        help="inbox, sent, archive, or a folder's path such as Clients/Big. Clients/* is all that lies within, too.",
    )
)
KEEP_PRIVATE = policy.declare(
    Toggle(
        key="email.filter.keep_private",
        kind=Merge.UNION,
        type=Type.PHRASES,
        default=[],
        label="Keep private",
        help="Words in a subject, an address, or @ and a domain: these are not saved. Everybody may add their own.",
    )
)
RECORD_TYPE = policy.declare(
    Toggle(
        key="email.record_type",
        kind=Merge.OVERRIDE,
        type=Type.CHOICE,
        default="automatic",
        choices=("automatic", "task"),
        choice_labels=("As an email where Salesforce keeps emails, else as a task", "Always as a task"),
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="What an email becomes in Salesforce",
        help="Emails need Enhanced Email or Email-to-Case in Salesforce. What was saved before stays what it is.",
    )
)
ATTACHMENTS = policy.declare(
    Toggle(
        key="attach.enabled",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Save attachments",
        help="Attachments go along into Salesforce as files. They pass through and are kept nowhere else.",
    )
)
LARGEST = policy.declare(
    Toggle(
        key="attach.most_megabytes",
        kind=Merge.CAP,
        type=Type.INT,
        default=150,
        minimum=1,
        maximum=2_000,  # what Salesforce takes for one file: 2 GB ("Insert or Update Blob Data", REST API guide)
        label="Largest attachment (MB)",
        help="Larger ones stay out; the email says so.",
    )
)
DRIVE_TARGET = policy.declare(
    Toggle(
        key="attach.drive_target",
        kind=Merge.OVERRIDE,
        type=Type.CHOICE,
        default="activity",
        choices=("activity", "chatter"),
        choice_labels=("In the activity", "As a Chatter post"),
        label="Links to Google Drive and OneDrive",
        help="Where a link to a file in the cloud goes. The file itself is never fetched.",
    )
)
NOTES_SEEN = policy.declare(
    Toggle(
        key="track.in_salesforce",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        label="Note opens and clicks in Salesforce",
        help="On the activity of a saved email: how often people likely opened it or followed its links.",
    )
)

#: (key) -> the value in force: the member's, or the organization's as a whole.
_ValueOf = Callable[[str], Any]


def rules_for(member: Member, own_addresses: Iterable[str]) -> Rulebook:
    """What is in force for this member; from RAM when warm. `own_addresses`: of his mailbox, with all its aliases."""
    own = frozenset(fold(address) for address in own_addresses)
    mine = _rules(member, own, lambda key: policy.value_of(key, member))
    ours = _rules(member, own, lambda key: policy.organization_value_of(key, member.organization_id))
    return Rulebook(incoming=mine, outgoing=_outgoing(member, mine, ours), asked=_asked(mine, ours))


def prefers_task(member: Member) -> bool:
    """Whether his organization wants tasks even where its Salesforce keeps emails."""
    return bool(policy.organization_value_of(RECORD_TYPE.key, member.organization_id) == "task")


def notes_seen(member: Member) -> bool:
    """Whether what recipients do with his tracked mail is noted on its activity."""
    return bool(policy.value_of(NOTES_SEEN.key, member))


def enclosures_for(member: Member) -> Enclosures:
    """What goes along with an email of this member's, beside its text."""
    with_text = bool(policy.value_of(TEXT.key, member))
    return Enclosures(
        with_files=with_text and bool(policy.value_of(ATTACHMENTS.key, member)),
        with_links=with_text,
        most_bytes=int(policy.value_of(LARGEST.key, member)) * 1_000_000,
        posts_links=policy.value_of(DRIVE_TARGET.key, member) == "chatter",
    )


def _rules(member: Member, own_addresses: frozenset[str], value_of: _ValueOf) -> Rules:
    return Rules(
        is_on=bool(value_of("email.sync.enabled")),
        own_addresses=own_addresses,
        own_domains=domains.own_domains(member.organization_id),
        blocked_domains=frozenset(value_of(BLOCKED_DOMAINS.key)),
        folders=tuple(value_of(FOLDERS.key)),
        private_phrases=tuple(fold(phrase) if "@" in phrase else phrase for phrase in value_of(KEEP_PRIVATE.key)),
        may_be_sensitive=bool(value_of(SENSITIVE.key)),
        with_contacts=bool(value_of(CONTACTS.key)),
        with_leads=bool(value_of(LEADS.key)),
        with_person_accounts=bool(value_of(PERSON_ACCOUNTS.key)),
        replies_only=bool(value_of(REPLIES_ONLY.key)),
        owned_only=bool(value_of(OWNED_ONLY.key)),
        with_text=bool(value_of(TEXT.key)),
    )


def _outgoing(member: Member, mine: Rules, ours: Rules) -> Rules:
    """Logging of what is sent looks where that lies; where it is forced, nothing that a member set himself counts."""
    if not logs_outgoing(member):
        return mine
    folders = (*mine.folders, SENT) if mine.is_on else (SENT,)
    return replace(ours if is_logging_forced(member) else mine, is_on=True, folders=folders, replies_only=False)


def _asked(mine: Rules, ours: Rules) -> Rules:
    """A person who asks for an email to be saved has seen it; only what the organization forbids holds him back."""
    return replace(
        ours,
        is_on=True,
        folders=(ANY,),
        may_be_sensitive=True,
        with_contacts=True,
        with_leads=True,
        with_person_accounts=True,
        replies_only=False,
        owned_only=False,
        with_text=mine.with_text,
    )
