"""What the mail client's calls leave behind: idempotency keys. No card, address or record value is stored (C57)."""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from organizations.models import Member


class IdempotencyKey(models.Model):
    """One unsafe call, so that a repeat writes nothing twice. `answer` holds Salesforce ids only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.ForeignKey(Member, on_delete=models.CASCADE)
    route = models.CharField(max_length=80)
    key_digest = models.BinaryField(max_length=32)
    payload_digest = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)  # None: in progress
    answer = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["member", "route", "key_digest"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return str(self.id)
