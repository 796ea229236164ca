"""Being told of changes: asked for where a provider can reach us, renewed at half of its life, ended with the sync.

What a notice says is never believed: it brings about a poll (pull.want), or a look at its subscription."""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from organizations.loopback import is_loopback
from organizations.registries import Withdrawn, unsubscribers
from providers.errors import NotFound, ProviderError
from providers.mail import Mailbox
from providers.mail import Subscription as Promise
from sync import access, holds, mailboxes, pull
from sync.models import Stream, Subscription, SyncedMailbox
from vault import clock
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.subscribe"
_GRAPH_PATH = "/hooks/microsoft/graph/"
#: After a refusal.
_AGAIN = timedelta(hours=1)
#: A mailbox that began so long ago, and of which nobody tells us, was refused at least once.
_UNTOLD = timedelta(hours=1)
#: A lifecycle notice has us look at its subscription this often at most, however many come.
_CHECK_EVERY = timedelta(minutes=10)
_ADVICE = "They end by themselves within seven days, and what they would tell us is refused."


def address_for(provider: str) -> str:
    """Where changes are to be told; "" where the provider has no way to us."""
    if provider == "google":
        return str(settings.GOOGLE_PUBSUB_TOPIC) if settings.GOOGLE_PUBSUB_ACCOUNT else ""
    return f"{settings.PUBLIC_URL}{_GRAPH_PATH}" if _graph_reaches_us() else ""


def _graph_reaches_us() -> bool:
    """Graph takes https addresses; one that runs on this machine reaches us on this machine, too."""
    both = (settings.PUBLIC_URL, settings.MICROSOFT_GRAPH_URL)
    return settings.PUBLIC_URL.startswith("https://") or all(is_loopback(urlsplit(url).hostname) for url in both)


def reaching() -> list[str]:
    """Providers that have a way to us."""
    return [each for each in mailboxes.PROVIDERS if address_for(each)]


def untold() -> QuerySet[SyncedMailbox]:
    """Those whose provider has a way to us and promises nothing: their mail comes by regular looks only."""
    there = Exists(Subscription.objects.filter(mailbox=OuterRef("pk"), expires_at__gt=Now()))
    rows = holds.free().filter(connection__provider__in=reaching(), starts_at__lt=Now() - _UNTOLD)
    return rows.exclude(polled_at=None).exclude(there)


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def look_after(mailbox_id: UUID) -> bool:
    """Subscribe, renew or end, whatever this mailbox needs now. Whether a poll is to be enqueued (pull.want): what
    nobody told us of meanwhile is asked for."""
    row = SyncedMailbox.objects.select_related("member", "connection").filter(pk=mailbox_id).first()
    address = address_for(row.connection.provider) if row else ""
    if row is None or not address:
        return False
    Subscription.objects.filter(mailbox=row, expires_at__lte=Now()).delete()  # ended by itself
    is_new = False
    try:
        next_at, is_new = _look_after(row, access.mailbox_of(row, PURPOSE), address)
    except (ProviderError, VaultError) as error:
        log.info("mailbox %s is not told of changes: %s", row.pk, type(error).__name__)
        next_at = clock.now() + _AGAIN
    SyncedMailbox.objects.filter(pk=row.pk, is_on=row.is_on).update(subscribe_at=next_at)  # else it is wanted at once
    return is_new and pull.want(row.pk)


def _look_after(row: SyncedMailbox, client: Mailbox, address: str) -> tuple[datetime, bool]:
    """When to look again, and whether it was made anew."""
    there = list(Subscription.objects.filter(mailbox=row))
    if not row.is_on:
        for each in there:
            client.unsubscribe(each.provider_id)
            each.delete()
        return clock.now() + timedelta(days=365), False
    kept = [each for each in there if _renewed(each, client)]
    made = kept or _subscribe(row, client, address)
    return min(each.renew_at for each in made), not kept


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


def told_by(told: Collection[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """By (subscription, secret), the mailboxes that Graph's notices with these speak of; missing where it is none of
    ours. One query for all of them, as anybody may send a thousand. Compared in constant time."""
    graphs = Subscription.objects.filter(mailbox__is_on=True, mailbox__connection__provider="microsoft")
    rows = {row.provider_id: row for row in graphs.filter(provider_id__in={id_ for id_, _ in told})} if told else {}
    return {
        (id_, secret): rows[id_].mailbox_id
        for id_, secret in told
        if id_ in rows and hmac.compare_digest(bytes(rows[id_].secret_digest), digest_of(secret))
    }


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
