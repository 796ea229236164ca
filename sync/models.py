"""What is kept of a mailbox that is synced: cursors, jobs, and for each message what became of it. Ids, times, keyed
digests and codes; there is no column for a subject, a text, a name or an address (C61)."""

import uuid
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from organizations.models import Member, Organization
from vault.entrusted import Entrusted
from vault.models import Connection

#: Ids of Gmail have 16 characters, those of Graph some 150 (immutable ones more).
_PROVIDER_ID = 512
_CODE = 60


class Row(models.Model):
    """Names itself by its id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.id)


class SyncedMailbox(Row):
    """One person's mailbox whose mail goes to Salesforce. Stays when the grant ends, and goes on with the next one of
    the same account, whose connection is the same row."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="+")
    is_on = models.BooleanField(default=True)
    #: Nothing that arrived earlier is synced, unless a backfill is asked for (email.start).
    starts_at = models.DateTimeField(db_default=Now())
    folders_at = models.DateTimeField(null=True)  # when its folders were looked through last
    #: Changes have been read up to here without a fault: what "last proven to work" says.
    polled_at = models.DateTimeField(null=True)
    poll_at = models.DateTimeField(db_default=Now())  # when to look again, whatever is heard until then
    #: A poll was asked for and none has begun since; however often they ask, one message waits in the queue.
    poll_wanted_at = models.DateTimeField(null=True)
    #: One process at a time reads changes (polling), lists (listing), carries jobs out (working), each until then.
    polling_until = models.DateTimeField(null=True)
    polling_by = models.UUIDField(null=True)
    listing_until = models.DateTimeField(null=True)
    listing_by = models.UUIDField(null=True)
    working_until = models.DateTimeField(null=True)
    working_by = models.UUIDField(null=True)
    hinted_at = models.DateTimeField(null=True)  # when a worker was last woken up for it
    #: Nothing is asked of its providers before then. `parked_for`: why (parking.Cause).
    parked_until = models.DateTimeField(null=True)
    parked_for = models.CharField(max_length=_CODE, blank=True)
    parked_at_provider = models.CharField(max_length=20, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)  # passing faults in a row, whatever was being done
    subscribe_at = models.DateTimeField(db_default=Now())  # when to see to it that its provider tells us of changes
    resynced_at = models.DateTimeField(null=True)  # when the last listing for an expired cursor began
    #: When to compare with the provider's own list again, and up to where that was done (silence.py).
    count_at = models.DateTimeField(db_default=Now())
    counted_until = models.DateTimeField(null=True)
    #: When to ask Salesforce again who has appeared there, and up to where that was done (appearing.py).
    ask_at = models.DateTimeField(db_default=Now())
    asked_until = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["poll_at"], condition=Q(is_on=True), name="sync_poll_due"),
            models.Index(fields=["member"]),
        ]


class Stream(Row):
    """Where reading of changes has come to. `seq` fences the cursor: who read the page that follows another cursor
    than the stored one stores nothing."""

    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="streams")
    name = models.CharField(max_length=_PROVIDER_ID, blank=True)  # as Mailbox.streams has it; "": the whole mailbox
    cursor = models.TextField()
    seq = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(db_default=Now())  # when the page that the cursor came with was asked for
    missed_since = models.DateTimeField(null=True)  # an expired cursor's last page: from there on to be listed again

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "name"], name="stream_once")]


class Tally(models.Model):
    """What a provider told of a mailbox in one day (UTC), and what it had when it was asked for a list."""

    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="tallies")
    day = models.DateField()
    told = models.PositiveIntegerField(default=0)  # changes, each time it told of them
    listed = models.PositiveIntegerField(default=0)  # messages that it has of what was compared
    missed = models.PositiveIntegerField(default=0)  # of these in chosen folders, and it had told of none

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "day"], name="tally_once")]

    def __str__(self) -> str:
        return str(self.pk)


class Notice(Row):
    """Somebody is to be told by mail that a mailbox is in trouble, or was: once a day as long as it is."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="+")
    recipient = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    trouble = models.CharField(max_length=_CODE)  # standing.Trouble
    seen_at = models.DateTimeField(db_default=Now())  # when it was last found to be so
    is_due = models.BooleanField(default=True)
    sent_at = models.DateTimeField(null=True)
    times = models.PositiveIntegerField(default=0)  # it was told; makes each mail's Message-ID its own
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["mailbox", "recipient", "trouble"], name="notice_once")
        ]
        indexes: ClassVar = [models.Index(fields=["recipient"], condition=Q(is_due=True), name="sync_notice_due")]


class Listing(Row):
    """A span of time whose messages are listed: a backfill that somebody asked for, or what an expired cursor may have
    left out. From `until` backwards, a window at a time; what is newer than `reached` is done."""

    class Kind(models.TextChoices):
        BACKFILL = "backfill", "Backfill"
        RESYNC = "resync", "Listed again"
        NEW_FOLDER = "new_folder", "A new folder"

    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="listings")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    since = models.DateTimeField()
    until = models.DateTimeField()
    reached = models.DateTimeField()
    found = models.PositiveIntegerField(default=0)  # messages, those that were known already among them
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    is_cancelled = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(since__lte=models.F("until")), name="listing_forward"),
            models.UniqueConstraint(
                fields=["mailbox"], condition=Q(kind="backfill", ended_at=None), name="one_backfill_at_a_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["mailbox"], condition=Q(ended_at__isnull=True), name="sync_listing_open")
        ]


class Job(Row):
    """One message to be looked at. Written with the cursor that told of it; never deleted before its decision is."""

    class State(models.TextChoices):
        DUE = "due", "Due"
        RUNNING = "running", "Running"
        SET_ASIDE = "set_aside", "Set aside"  # killed its worker twice: tried alone, much later
        DEAD = "dead", "Given up"  # until somebody asks for another try
        DONE = "done", "Done"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="+")
    message_id = models.CharField(max_length=_PROVIDER_ID)  # the provider's own, stable between folders
    state = models.CharField(max_length=20, choices=State.choices, default=State.DUE)
    was_chosen = models.BooleanField(default=False)  # lay in a chosen folder when we were told of it
    #: Told of once more while it was looked at: where its place decides, it may have another by now.
    is_told_again = models.BooleanField(default=False)
    is_live = models.BooleanField(default=True)  # told of as it happened; a listing's wait until these are done
    created_at = models.DateTimeField(db_default=Now())
    next_at = models.DateTimeField(db_default=Now())
    lease_by = models.UUIDField(null=True)  # of one try; who holds another stores nothing
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    #: Tries that ended with its mail in Salesforce and not all of its files; a separate count, and a longer one.
    file_tries = models.PositiveSmallIntegerField(default=0)
    #: Tries that were begun and never ended, which a process' death leaves behind. Counted before the try (sync.md 7).
    crashes = models.PositiveSmallIntegerField(default=0)

    #: Of one that has failed before; and all counts of one that begins anew, or has ended well.
    TRIED: ClassVar = Q(tries__gt=0) | Q(file_tries__gt=0)
    UNCOUNTED: ClassVar = {"tries": 0, "file_tries": 0, "crashes": 0}

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "message_id"], name="job_once")]
        indexes: ClassVar = [
            models.Index(
                fields=["mailbox", "-is_live", "next_at"], condition=~Q(state__in=["done", "dead"]), name="sync_job_due"
            ),
            models.Index(fields=["organization", "created_at"], condition=Q(state="done"), name="sync_job_done"),
        ]


class Decision(Row):
    """What became of a message, and why. One for each message of a mailbox; a later look replaces an earlier one."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="decisions")
    message_id = models.CharField(max_length=_PROVIDER_ID)
    thread_id = models.CharField(max_length=_PROVIDER_ID, blank=True)
    arrived_at = models.DateTimeField(null=True)  # at the provider; unknown where the message was gone
    outcome = models.CharField(max_length=20)  # rules.Outcome
    rule = models.CharField(max_length=_CODE)  # reasons.py has a sentence for each
    values: Any = models.JSONField(default=dict)  # of that sentence: numbers, codes and domains
    domain = models.CharField(max_length=253, blank=True)  # the counterpart's, for whoever looks through dead letters
    error_code = models.CharField(max_length=80, blank=True)  # Salesforce's or the mail provider's own
    activity_id = models.CharField(max_length=18, blank=True)  # of the record in Salesforce
    record_ids = ArrayField(models.CharField(max_length=18), default=list)  # it is related to
    asked_ids = ArrayField(models.CharField(max_length=18), default=list)  # who could be meant; somebody has to say
    asked_why: Any = models.JSONField(default=dict)  # one of asked_ids -> reasons.Ranked; whoever has none is not in it
    notes = models.JSONField(default=dict)  # reasons.Note -> how many
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "message_id"], name="decision_once")]
        indexes: ClassVar = [
            models.Index(fields=["mailbox", "-decided_at"]),
            models.Index(fields=["organization", "outcome", "-decided_at"]),
            models.Index(fields=["mailbox", "thread_id"]),
            models.Index(fields=["organization", "activity_id"], condition=~Q(activity_id=""), name="sync_decision_of"),
        ]


class Waiting(models.Model):
    """A person that a decision waits for: found nowhere yet (unmatched), a keyed digest of the address."""

    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="waiting")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    mark = models.BinaryField(max_length=32)
    until = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["decision", "mark"], name="waiting_once")]
        indexes: ClassVar = [models.Index(fields=["organization", "mark"]), models.Index(fields=["until"])]

    def __str__(self) -> str:
        return str(self.pk)


class Conversation(Row):
    """What its mailbox' owner has said of a conversation. A row is there only while something is said."""

    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="+")
    thread_id = models.CharField(max_length=_PROVIDER_ID)
    is_private = models.BooleanField(default=False)
    person_ids = ArrayField(models.CharField(max_length=18), default=list)  # who is meant where several might be

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "thread_id"], name="conversation_once")]


class LedgerEntry(Row):
    """One record in Salesforce that is ours, or is being made. Outlives jobs, decisions, grants and mailboxes: it is
    what keeps a mail from being written twice (F7)."""

    class Files(models.TextChoices):
        """How many of its attachments went along. A copy that comes later may bring what is missing."""

        ALL = "all", "All there are"
        SOME = "some", "Perhaps some"
        NONE = "none", "None"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.SET_NULL, null=True, related_name="+")  # first writer's
    key = models.CharField(max_length=64)  # ledger.key_for
    message_mark = models.BinaryField(max_length=32)  # keyed digest of the Message-ID; of no mailbox
    thread_mark = models.BinaryField(max_length=32, null=True)  # of the thread's first message
    rule = models.CharField(max_length=_CODE, blank=True)
    object_name = models.CharField(max_length=80)  # "EmailMessage", "Task"
    salesforce_id = models.CharField(max_length=18, blank=True)  # "" until it is written
    remote_version = models.CharField(max_length=40, blank=True)
    claimed_by = models.UUIDField(null=True)  # a job's lease
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    written_at = models.DateTimeField(null=True)  # or may have been, where salesforce_id says nothing (ledger.release)
    undone_at = models.DateTimeField(null=True)  # taken back by a person, or about to be; not written again
    #: Members who have this mail: the first writer, colleagues whose copies came later, whoever asked for it.
    stands_for = ArrayField(models.UUIDField(), db_default=[])
    files = models.CharField(max_length=10, choices=Files.choices, db_default="all")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "key"], name="ledger_once")]
        indexes: ClassVar = [
            models.Index(fields=["organization", "message_mark"]),
            models.Index(fields=["organization", "thread_mark"]),
            models.Index(fields=["organization", "salesforce_id"]),
            models.Index(fields=["claimed_by"], condition=Q(claimed_by__isnull=False), name="sync_ledger_claimed"),
        ]


class NotedMail(Row):
    """A tracked mail whose opens and clicks are noted on its activity. Counts, digests and ids."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")  # who has sent it
    mail_id = models.UUIDField(unique=True)  # tracking's
    message_mark = models.BinaryField(max_length=32)  # as LedgerEntry has it
    beside_id = models.CharField(max_length=18, blank=True)  # of the record that says it beside the activity
    opens = models.PositiveIntegerField(default=0)  # as they were noted
    clicks = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True)  # something came, and by then it is to be noted
    noted_at = models.DateTimeField(null=True)
    lease_by = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)  # in a row, counted before each

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="sync_note_due"),
            models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name="sync_note_held"),
            models.Index(fields=["organization", "message_mark"], name="sync_note_mark"),
            models.Index(fields=["organization", "message_mark"], condition=~Q(beside_id=""), name="sync_note_beside"),
            models.Index(fields=["created_at"], name="sync_note_age"),
        ]


class Correction(Row):
    """What somebody wants taken out of Salesforce again, or saved with other people. Its steps are written with it."""

    class Kind(models.TextChoices):
        UNDO = "undo", "Take out of Salesforce"
        RELINK = "relink", "Save with others"

    class Scope(models.TextChoices):
        MAIL = "mail", "An email"
        THREAD = "thread", "A conversation"
        RULE = "rule", "What a rule has saved"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    asked_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    scope = models.CharField(max_length=20, choices=Scope.choices)
    rule = models.CharField(max_length=_CODE, blank=True)
    is_for_all = models.BooleanField(default=False)  # an administrator's: in each writer's name, colleagues' copies too
    person_ids = ArrayField(models.CharField(max_length=18), default=list)  # with whom it is saved instead
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["created_at"], condition=Q(ended_at=None), name="sync_correction_open"),
        ]


class CorrectionStep(Row):
    """One record of a correction. `result` "": still to be done; else a corrections.Result."""

    class Action(models.TextChoices):
        DELETE = "delete", "Delete"
        LEAVE = "leave", "Take the person who asks off it"
        MOVE = "move", "Stand with others"

    correction = models.ForeignKey(Correction, on_delete=models.CASCADE, related_name="steps")
    entry = models.ForeignKey(LedgerEntry, on_delete=models.CASCADE, related_name="+")
    action = models.CharField(max_length=20, choices=Action.choices)
    former_ids = ArrayField(models.CharField(max_length=18), default=list)  # people it stood with
    result = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=80, blank=True)
    next_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveSmallIntegerField(default=0)  # counted before each one begins
    lease_by = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["correction", "entry"], name="step_once")]
        indexes: ClassVar = [
            models.Index(fields=["correction", "next_at"], condition=Q(result=""), name="sync_step_open"),
            models.Index(fields=["entry"]),
        ]


class Subscription(Row):
    """A provider's promise to tell us of changes. Of its secret only the digest that it is compared by."""

    mailbox = models.ForeignKey(SyncedMailbox, on_delete=models.CASCADE, related_name="subscriptions")
    provider_id = models.CharField(max_length=_PROVIDER_ID, db_index=True)
    secret_digest = models.BinaryField(max_length=32)
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    renew_at = models.DateTimeField(db_index=True)  # at half of its life
    checked_at = models.DateTimeField(null=True)  # when a lifecycle notice last had us look at it

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["mailbox", "provider_id"], name="subscription_once")]


class Pause(models.Model):
    """Nothing of an organization's mail is worked at before then: its Salesforce has told us to wait."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, primary_key=True, related_name="+")
    until = models.DateTimeField()
    cause = models.CharField(max_length=_CODE)

    def __str__(self) -> str:
        return str(self.pk)


class Pepper(Row):
    """The key of an organization's keyed digests (sync.md 2). Without it nobody tells which mail a ledger row is of."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()


def _owner(pepper: Pepper) -> UUID:
    return pepper.organization_id


PEPPER = Entrusted(Pepper, "sealed", _owner)
