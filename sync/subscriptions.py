"""Being told of changes: asked for where a provider can reach us, renewed at half of its life, ended with the sync.

What a notice says is never believed: it brings about a poll (pull.want), or a look at its subscription."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from organizations.registries import Withdrawn, unsubscribers
from providers.errors import NotFound, ProviderError
from providers.mail import Mailbox
from providers.mail import Subscription as Promise
from sync import access, pull
from sync.models import Stream, Subscription, SyncedMailbox
from vault import clock
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.subscribe"
_GRAPH_PATH = "/hooks/microsoft/graph/"
#: After a refusal.
_AGAIN = timedelta(hours=1)
#: A lifecycle notice has us look at its subscription this often at most, however many come.
_CHECK_EVERY = timedelta(minutes=10)
_ADVICE = "They end by themselves within seven days, and what they would tell us is refused."


def address_for(provider: str) -> str:
    """Where changes are to be told; "" where the provider has no way to us."""
    if provider == "google":
        return str(settings.GOOGLE_PUBSUB_TOPIC) if settings.GOOGLE_PUBSUB_ACCOUNT else ""
    return f"{settings.PUBLIC_URL}{_GRAPH_PATH}" if settings.PUBLIC_URL.startswith("https://") else ""


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def look_after(mailbox_id: UUID) -> None:
    """Subscribe, renew or end, whatever this mailbox needs now."""
    row = SyncedMailbox.objects.select_related("member", "connection").filter(pk=mailbox_id).first()
    address = address_for(row.connection.provider) if row else ""
    if row is None or not address:
        return
    try:
        next_at = _look_after(row, access.mailbox_of(row, PURPOSE), address)
    except (ProviderError, VaultError) as error:
        log.info("mailbox %s is not told of changes: %s", row.pk, type(error).__name__)
        next_at = clock.now() + _AGAIN
    SyncedMailbox.objects.filter(pk=row.pk).update(subscribe_at=next_at)


def _look_after(row: SyncedMailbox, client: Mailbox, address: str) -> datetime:
    there = list(Subscription.objects.filter(mailbox=row))
    if not row.is_on:
        for each in there:
            client.unsubscribe(each.provider_id)
            each.delete()
        return clock.now() + timedelta(days=365)
    kept = [each for each in there if _renewed(each, client)]
    if not kept:
        kept = _subscribe(row, client, address)
        pull.want(row.pk)  # for what nobody told us of meanwhile
    return min(each.renew_at for each in kept)


def _renewed(row: Subscription, client: Mailbox) -> bool:
    """False where it is gone."""
    if row.renew_at > clock.now():
        return True
    try:
        _store(row, client.renew(row.provider_id))
    except NotFound:
        row.delete()
        return False
    return True


def _subscribe(row: SyncedMailbox, client: Mailbox, address: str) -> list[Subscription]:
    secret = secrets.token_urlsafe(32)
    streams = list(Stream.objects.filter(mailbox=row).values_list("name", flat=True))
    made = [
        Subscription(mailbox=row, provider_id=promise.id, secret_digest=digest_of(secret), **_times(promise))
        for promise in client.subscribe(streams, address, secret)
    ]
    Subscription.objects.bulk_create(
        made,
        update_conflicts=True,
        unique_fields=["mailbox", "provider_id"],
        update_fields=["secret_digest", "expires_at", "renew_at"],
    )
    return made


def _store(row: Subscription, promise: Promise) -> None:
    for name, value in _times(promise).items():
        setattr(row, name, value)
    row.save(update_fields=["expires_at", "renew_at"])


def _times(promise: Promise) -> dict[str, datetime]:
    now = clock.now()
    return {"expires_at": promise.expires_at, "renew_at": now + (promise.expires_at - now) / 2}


def told_by(provider_id: str, secret: str) -> UUID | None:
    """The mailbox that a notice with this secret speaks of; None where it is none of ours. Compared in constant
    time."""
    rows = Subscription.objects.filter(provider_id=provider_id, mailbox__is_on=True)
    digest = digest_of(secret)
    found = [row for row in rows if hmac.compare_digest(bytes(row.secret_digest), digest)]
    return found[0].mailbox_id if found else None


def is_to_be_checked(provider_id: str) -> bool:
    """A lifecycle notice: whether somebody is to look at the subscription now. Marks it as due for renewal."""
    rows = Subscription.objects.filter(provider_id=provider_id).exclude(checked_at__gt=Now() - _CHECK_EVERY)
    return bool(rows.update(checked_at=Now(), renew_at=Now()))


@unsubscribers.register("sync")
def withdraw(organization_id: UUID, patience: float) -> Iterable[Withdrawn]:  # noqa: ARG001  one try each
    """Those whose grant still works are ended; the others end with it."""
    found: dict[str, list[bool]] = {}
    rows = Subscription.objects.filter(mailbox__organization_id=organization_id)
    for row in rows.select_related("mailbox__member", "mailbox__connection"):
        found.setdefault(row.mailbox.connection.provider, []).append(_ended(row))
    for provider, ends in sorted(found.items()):
        left = len(ends) - sum(ends)
        yield Withdrawn(provider, "subscriptions", sum(ends), left, advice=_ADVICE if left else "")


def _ended(row: Subscription) -> bool:
    try:
        access.mailbox_of(row.mailbox, PURPOSE).unsubscribe(row.provider_id)
    except (ProviderError, VaultError):
        return False
    row.delete()
    return True
