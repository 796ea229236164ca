"""Tenants, their people, and what was decided for them. Nothing here knows a provider or a token of one."""

import secrets
import uuid
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from organizations.oauth.models import Application as Application
from organizations.oauth.models import Device as Device
from organizations.oauth.models import UsedCode as UsedCode

_ZONES = available_timezones()


class Organization(models.Model):
    """Our tenant: exactly one Salesforce org. A sandbox is an organization of its own (C5)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    salesforce_org_id = models.CharField(max_length=18, unique=True)
    name = models.CharField(max_length=255)
    is_sandbox = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    #: Being destroyed since then (C37): nobody signs in, nothing works for it any more. There is no way back.
    ending_since = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return str(self.id)


class Domain(models.Model):
    """An e-mail domain of the organization's own people; left out of look-ups. A-label, lower case."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="domains")
    name = models.CharField(max_length=253)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organization", "name"], name="domain_once")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """The four roles, most powerful first."""

    PRIMARY_ADMIN = "primary_admin", "Primary admin"
    ADMIN = "admin", "Admin"
    MANAGER = "manager", "Manager"
    USER = "user", "User"


class MemberManager(models.Manager["Member"]):
    """Django's session login asks only for these."""

    def get_by_natural_key(self, key: str) -> "Member":
        return self.get(pk=key)


def new_routing_prefix() -> str:
    return secrets.token_hex(4)


class Member(models.Model):  # type: ignore[django-manager-missing]  # the toolkit's base class has no types
    """A person: (Salesforce org id, Salesforce user id), never an e-mail address. Holds no password (C2).

    This is AUTH_USER_MODEL; signing in happens at Salesforce."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="members")
    salesforce_user_id = models.CharField(max_length=18)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.USER)
    is_active = models.BooleanField(default=True)
    #: Whether Salesforce still vouches for this person: False from the end of the grant to the next sign-in. Meanwhile
    #: a role above user gives no powers, since nobody would tell us of an administrator who was sent away there.
    is_confirmed = models.BooleanField(default=True, editable=False)
    #: Random, not secret; our access tokens carry it so that a load balancer can keep a member on a warm cache.
    routing_prefix = models.CharField(max_length=8, default=new_routing_prefix, editable=False)
    #: Part of the session hash: a new value ends every browser session (role change, disconnect).
    session_key_seed = models.CharField(max_length=64, default=secrets.token_hex, editable=False)

    # C23, C24: profile and configuration, refreshed at sign-in and daily.
    username = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=254, blank=True)
    user_type = models.CharField(max_length=40, blank=True)
    profile = models.CharField(max_length=255, blank=True)
    permission_sets = ArrayField(models.CharField(max_length=255), default=list, blank=True)
    language = models.CharField(max_length=20, blank=True)
    locale = models.CharField(max_length=20, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    profile_refreshed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = MemberManager()

    USERNAME_FIELD = "id"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "salesforce_user_id"], name="member_once"),
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(role="primary_admin"),
                name="one_primary_admin",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_authenticated(self) -> Literal[True]:
        return True

    @property
    def is_anonymous(self) -> Literal[False]:
        return False

    @property
    def is_administrator(self) -> bool:
        """Whether he may act as one now."""
        return self.is_confirmed and self.role in (Role.PRIMARY_ADMIN, Role.ADMIN)

    @property
    def is_manager(self) -> bool:
        """Whether he may act as one now, or as more."""
        return self.is_confirmed and self.role != Role.USER

    @property
    def zone(self) -> ZoneInfo:
        """His own, as Salesforce has it (C24); UTC where it is none that is known here."""
        return ZoneInfo(self.time_zone if self.time_zone in _ZONES else "UTC")

    def get_username(self) -> str:
        return str(self.id)

    def natural_key(self) -> tuple[str]:
        return (str(self.id),)

    def get_session_auth_hash(self) -> str:
        """What Django compares on each request; see `session_key_seed`."""
        from django.utils.crypto import salted_hmac

        return salted_hmac("organizations.Member.session", self.session_key_seed, algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self) -> list[str]:
        """Django asks for hashes under older SECRET_KEYs. There are none: a new key ends every session."""
        return []


class Invitation(models.Model):
    """Leave to join, for one Salesforce username. Needed only where SIGN_UP is `invited`.

    `organization` is empty for an invitation that may found a new organization (made by the operator)."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True)
    salesforce_username = models.CharField(max_length=255)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.USER)
    invited_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "salesforce_username"],
                nulls_distinct=False,
                name="invited_once",
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class PolicyValue(models.Model):
    """One toggle's value as an organization (member empty) or a member set it. Declarations live in `policy.py`."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    member = models.ForeignKey(Member, on_delete=models.CASCADE, null=True, blank=True)
    key = models.CharField(max_length=80)
    value = models.JSONField(null=True)
    is_set = models.BooleanField(default=True)  # false: only `users_can_modify` is stored; null is a value of its own
    users_can_modify = models.BooleanField(null=True, blank=True)  # organization rows only; null = as declared
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["organization", "member", "key"], nulls_distinct=False, name="policy_value_once"
            )
        ]

    def __str__(self) -> str:
        return self.key


class AuditEntry(models.Model):
    """One link of an organization's hash chain: h_n = HMAC(AUDIT_KEY, h_(n-1) | row). Never holds a secret or content.

    `organization_id` is no foreign key: the chain of the installation has no organization, and that of a destroyed one
    goes by itself, under its lock (erasing_rows.py)."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(db_index=True)
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)  # "member:<uuid>", "task:<name>", "operator"
    action = models.CharField(max_length=80)  # dotted verb: "connection.disconnected"
    target = models.CharField(max_length=120, blank=True)
    result = models.CharField(max_length=40, default="ok")
    facts = models.JSONField(default=dict)
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization_id", "sequence"], name="audit_sequence_once")
        ]
        #: For `audit.newest_fence`: only the rows that have one, a small part.
        indexes: ClassVar = [
            models.Index(
                fields=["target", "-sequence"], condition=models.Q(facts__has_key="fence"), name="audit_newest_fence"
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id}#{self.sequence}"


class AuditHead(models.Model):
    """The end of an organization's chain, under its own MAC: without it the last rows could be cut off unseen."""

    organization_id = models.UUIDField(primary_key=True)
    sequence = models.BigIntegerField()
    mac = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.organization_id}#{self.sequence}"


class Epoch(models.Model):
    """A counter that rooms bump and every process polls, to drop what it keeps in RAM. See `epochs.py`."""

    kind = models.CharField(max_length=20)  # "connection", "cards", "member", "organization", "keys", "token"
    key = models.CharField(max_length=64)
    version = models.BigIntegerField(default=1)
    changed_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "key"], name="epoch_once")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


class Destruction(models.Model):
    """How far the destruction of an organization has come, so that a killed one can go on. Deleted at the end, when
    the certificate is on disk. Names ids, since by then the rows that held them are gone."""

    organization_id = models.UUIDField(primary_key=True)
    salesforce_org_id = models.CharField(max_length=18)
    begun_at = models.DateTimeField()
    found = models.JSONField(null=True)  # room -> kind -> count, as it was when everything had stopped
    names = models.JSONField(default=list)  # ids by which queues and epochs know what belongs to it
    withdrawn = models.JSONField(null=True)  # what providers confirmed: list of registries.Withdrawn
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.organization_id)
