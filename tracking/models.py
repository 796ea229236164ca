"""What is kept of a tracked message: who sent it, when, and what came back. No subject, no text; addresses and link
targets only inside the vault's seal; of those who asked, only what the verdict left (C50, C52)."""

import uuid
from typing import ClassVar
from uuid import UUID

import orjson
from django.db import models
from django.db.models.functions import Now

from organizations.models import Member, Organization
from vault.entrusted import Entrusted


class TrackedMessage(models.Model):
    """One message that was prepared. Counts for nothing before it is `sent_at`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    opens = models.BooleanField()  # whether it carries a pixel
    clicks = models.BooleanField()  # whether its links lead through us
    #: A keyed digest of its Message-ID (shown.py), so that the mail client finds it again; empty until it was sent.
    mark = models.BinaryField(default=b"", db_index=True)
    #: Until then what comes in is the sender's own look: the sidebar says so.
    viewing_until = models.DateTimeField(null=True)
    sealed = models.BinaryField()  # Content

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["organization", "created_at"]),  # retention
            models.Index(fields=["organization", "sent_at"]),  # analytics
            models.Index(fields=["member", "sent_at"]),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Copy(models.Model):
    """What one recipient gets, or all of them together. `id` is in its tokens. Counts what people did, likely."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(TrackedMessage, on_delete=models.CASCADE, related_name="copies")
    #: Place in Content.recipients; None: one of them all, nobody knows which.
    number = models.PositiveSmallIntegerField(null=True)
    opens = models.PositiveIntegerField(default=0)
    clicks = models.PositiveIntegerField(default=0)
    #: Of all hits, whatever their verdict: with it an answer's ETag changes.
    hits = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(null=True)  # of the last that a person did, likely
    news_at = models.DateTimeField(null=True)  # when the last of these was counted
    replied_at = models.DateTimeField(null=True)  # when we heard of a reply, which proves an open (replies.py)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["news_at"], condition=models.Q(news_at__isnull=False), name="tracking_copy_news"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Event(models.Model):
    """One hit, judged. A partition for each month (partitions.py); `id` was given where it came in, so a second
    delivery is no second row."""

    pk = models.CompositePrimaryKey("at", "id")
    id = models.UUIDField()
    at = models.DateTimeField()
    organization_id = models.UUIDField()
    message_id = models.UUIDField()
    copy_id = models.UUIDField()
    kind = models.PositiveSmallIntegerField()  # hot.tokens.Kind
    link = models.PositiveSmallIntegerField()  # place in Content.links, from 1; 0 for an open
    verdict = models.CharField(max_length=16)  # classify.Verdict
    reason = models.CharField(max_length=160)
    device = models.CharField(max_length=10)  # "phone", "tablet", "computer" or ""
    place = models.CharField(max_length=80)  # country and, where a file knows it, city

    class Meta:
        managed = False  # migrations/0002_events.py: Django has no words for partitions
        db_table = "tracking_event"

    def __str__(self) -> str:
        return str(self.id)


class WithdrawnTarget(models.Model):
    """Where links of an organization shall lead no more. Its id is a mark (hot.standing.mark_of), which is no address
    and names nobody; it outlives the organization, whose links are still out there."""

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    sealed = models.BinaryField(null=True)  # the address, for those who may want it back; goes with the organization

    def __str__(self) -> str:
        return str(self.id)


def _owner(message: TrackedMessage) -> UUID:
    return message.organization_id


_CONTENT = Entrusted(TrackedMessage, "sealed", _owner)


class Content:
    """What is sealed of a message: its recipients, and where its links lead."""

    def __init__(self, recipients: list[str], links: list[str]) -> None:
        self.recipients, self.links = recipients, links

    def put(self, message: TrackedMessage) -> None:
        """Raises as Entrusted.put."""
        _CONTENT.put(message, orjson.dumps([self.recipients, self.links]))

    @classmethod
    def of(cls, message: TrackedMessage) -> "Content":
        """Raises as Entrusted.get."""
        return cls(*orjson.loads(_CONTENT.get(message)))
