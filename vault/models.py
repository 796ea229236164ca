"""Grants at providers and their sealed secrets. Other rooms see `Connection`; only the vault reads the rest."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from organizations.models import Member, Organization

#: Its login hosts are the customers' own, so a host names the organization. Google and Microsoft (mailboxes.PROVIDERS)
#: have one host for everybody.
SALESFORCE = "salesforce"


class State(models.TextChoices):
    """States of docs/vault.md 6. Only a definite verdict of the provider leads to NEEDS_RECONNECT (I6)."""

    CONNECTING = "connecting", "Connecting"
    HEALTHY = "healthy", "Healthy"
    REFRESHING = "refreshing", "Refreshing"
    DEGRADED = "degraded", "Degraded"
    NEEDS_RECONNECT = "needs_reconnect", "Needs reconnect"
    REVOKING = "revoking", "Revoking"
    SHREDDED = "shredded", "Shredded"
    SUSPECT = "suspect", "Restored from a backup"


#: A connection in one of these states is used for nothing any more; its account is free for whoever connects it next.
ENDED = (State.REVOKING, State.SHREDDED)


class Connection(models.Model):
    """One member's grant at one provider. One row per (organization, provider, subject), many consumers (V15)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=20)  # "salesforce", "google", "microsoft"
    subject = models.CharField(max_length=255)  # the provider's own id of the person
    #: Google, Microsoft: the mailbox's address, for its person's own eyes; a notice of new mail names it.
    #: Gone with the grant.
    account = models.CharField(max_length=320, blank=True)
    login_url = models.URLField(max_length=500)  # where the person signed in; refreshes go to the same host (C5)
    state = models.CharField(max_length=20, choices=State.choices, default=State.CONNECTING)
    reason = models.CharField(max_length=200, blank=True)  # why it is not healthy, in plain words
    cause = models.CharField(max_length=40, blank=True)  # the same as a code, where it is known (causes.py)
    scopes = ArrayField(models.CharField(max_length=120), default=list)  # as granted (C10)
    #: Fencing token of docs/vault.md 5: every stored change of the secret bumps it.
    generation = models.BigIntegerField(default=0)
    lease_by = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    #: Back-off while DEGRADED: no refresh at the provider before this time.
    retry_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    connected_at = models.DateTimeField(db_default=Now())
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_for = models.CharField(max_length=80, blank=True)
    #: When to renew ahead of need; empty where the provider announces no lifetime (Salesforce).
    renew_at = models.DateTimeField(null=True, blank=True)
    #: When the grant ends by itself, where the provider has announced it (Google, for a time).
    ends_at = models.DateTimeField(null=True, blank=True)
    #: When to ask the provider whether it still works; empty: a day after the last proof.
    probe_at = models.DateTimeField(null=True, blank=True)
    #: The app that it was given to, in clear; what is sent anywhere is decided by the sealed one (dialects.may_revoke).
    client_id = models.CharField(max_length=512, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "provider", "subject"], name="grant_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["renew_at"], condition=models.Q(renew_at__isnull=False), name="renewal_due")
        ]

    def __str__(self) -> str:
        return str(self.id)


class Credential(models.Model):
    """The sealed token set of a connection (format: cipher.py). The blob opens only in this row (I5)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="+")
    #: Changes with every sign-in: tells a late refresh of the same grant from one of a grant since replaced (V6, V14).
    grant_id = models.UUIDField(default=uuid.uuid4)
    generation = models.BigIntegerField(default=0)
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One refresh at a provider, written before the call. `outcome` empty = nobody knows whether it arrived."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    grant_id = models.UUIDField()
    generation = models.BigIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=40, blank=True)
    #: The provider's raw answer, sealed and committed before it is parsed (docs/vault.md 6); emptied when settled.
    sealed_answer = models.BinaryField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["connection"], condition=models.Q(ended_at__isnull=True), name="attempt_open")
        ]

    def __str__(self) -> str:
        return str(self.id)


class DiscardedGrant(models.Model):
    """A grant that we no longer want and whose provider has not yet confirmed its end: revoked there, then wiped here.

    Written in the transaction that replaces or disconnects, so that no crash leaves a live grant nobody knows of."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()
    failures = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(db_default=Now(), db_index=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return str(self.id)


class Withdrawal(models.Model):
    """All grants of a person to an app are being ended at the provider, or were a moment ago (withdrawals.py). `until`:
    when the provider confirmed it; until that is known, the last moment at which it may do so."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.CharField(max_length=64, db_index=True)  # a keyed fingerprint of provider, app and person
    until = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class PendingSignIn(models.Model):
    """A sign-in under way: single use, ten minutes, bound to the browser session that began it (C1).

    Holds the state only as a hash; the code verifier is inside the sealed facts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state_hash = models.BinaryField(max_length=32, unique=True)
    session_hash = models.BinaryField(max_length=32)
    sealed_facts = models.BinaryField()
    started_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return str(self.id)


class ClientRegistration(models.Model):
    """An organization's own client id for a login host (an External Client App in the customer's org, or an app that
    it has registered itself at Google or Microsoft)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    provider = models.CharField(max_length=20)
    login_url = models.URLField(max_length=500)
    client_id = models.CharField(max_length=512)
    generation = models.BigIntegerField(default=0)
    sealed_secret = models.BinaryField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider", "login_url"],
                condition=models.Q(organization__isnull=True) | models.Q(provider=SALESFORCE),
                name="one_client_per_login_url",
            ),
            # Google and Microsoft have one login host for everybody, so there it is one for each organization.
            models.UniqueConstraint(
                fields=["provider", "login_url", "organization"], name="one_client_per_organization"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ClientGeneration(models.Model):
    """How often the client of a login host was set or removed: gives away an old ClientRegistration put back (I5)."""

    slot = models.CharField(primary_key=True, max_length=600)  # registrations.slot_of
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="+")
    generation = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.slot} {self.generation}"


class ObjectAccess(models.Model):
    """What this person may see and do, from describe: objects, fields, labels; never a record (C24).

    Fetched at connect, refreshed daily and when a query names a field that is no longer there."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="+")
    objects_json = models.BinaryField()  # zlib-compressed JSON of providers.salesforce.access.ObjectAccess
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)


class DataKey(models.Model):
    """A wrapped data key. Lives in the key store, a database of its own with shorter backups (docs/vault.md 2)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization_id = models.UUIDField(db_index=True)
    kek_id = models.CharField(max_length=64, db_index=True)
    wrapped = models.BinaryField()
    is_primary = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization_id"], condition=models.Q(is_primary=True), name="one_primary_data_key"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class DayKey(models.Model):
    """A key pair for one UTC day: strangers' addresses are closed under `public`, and opened where they are judged.

    `id` follows from the day, and is the "organization" of the data key that seals `sealed_private` (days.py)."""

    id = models.UUIDField(primary_key=True, editable=False)
    day = models.DateField(unique=True)
    public = models.BinaryField()
    sealed_private = models.BinaryField()

    def __str__(self) -> str:
        return str(self.day)


class KekCanary(models.Model):
    """A known text wrapped by each KEK: a wrong key is noticed at start, not at the first look-up (V17)."""

    kek_id = models.CharField(max_length=64, primary_key=True)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.kek_id


class LiveProcess(models.Model):
    """A web or worker process that runs now, and the keys that it can unwrap with (V16). Written by `heartbeat.py`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)  # "web host-a:4711", for the operator's eyes
    kek_ids = ArrayField(models.CharField(max_length=64), default=list)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)  # both by the database's clock

    def __str__(self) -> str:
        return self.name


class Incident(models.Model):
    """Something about a grant that an administrator should know of (V11, V13, V20). No secret, no address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=20)  # incidents.Kind
    generation = models.BigIntegerField(default=0)
    at = models.DateTimeField(db_default=Now(), db_index=True)
    #: When the organization's other grants of that provider were put down to be looked at.
    spread_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.id)


class Mark(models.Model):
    """How far a database has come: `counter` rises by one a minute, `epoch` names the installation (V20)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.UUIDField(default=uuid.uuid4)
    counter = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.epoch} {self.counter}"


class DatabaseMark(Mark):
    """The mark of the database that holds the grants: it is restored along with them. `moved_at` shows that beat and
    worker are alive, since it is their minutely task that moves it."""

    moved_at = models.DateTimeField(null=True)


class KeyStoreMark(Mark):
    """Its copy in the key store, which is backed up apart. Further on than the original: that was restored."""


class RefusedSignIn(models.Model):
    """How often a provider sent somebody back without a code, and why (causes.py). Nobody is named: the operator is to
    see that an app is not installed, say, before the first person has got in."""

    provider = models.CharField(max_length=20)
    cause = models.CharField(max_length=40)
    count = models.BigIntegerField(default=1)
    last_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "cause"], name="refused_sign_in_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.cause}"
