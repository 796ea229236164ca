"""Ends a grant where that ends all of its person's grants to an app together (Google), and lets who connects the same
account at that moment know that his may have been ended with it. Stores no token, and names nobody."""

from datetime import datetime, timedelta

from django.db.models.functions import Now

from providers.base import Secret
from vault import dialects, grants
from vault.grants import Grant
from vault.models import Withdrawal

#: A provider's answer takes twelve seconds at most (providers/http.py); one that never came may have been obeyed later.
_AT_MOST = timedelta(minutes=1)
#: Longer than anybody is on his way through `mailboxes.complete`.
_KEPT = timedelta(hours=1)


def end(grant: Grant, provider: str, subject: str) -> bool:
    """Revoke a grant; False, and nobody is asked, where that is not offered or would end one that is in use
    (`dialects.may_revoke`). Raises Transient. Call outside transactions.

    First we say that we are about to, then we look who is connected; who connects first stores his grant, then looks
    who was about to (`may_have_met`). So one of the two sees the other."""
    if not dialects.may_revoke(provider, subject, grant.client_id):
        return False
    if not dialects.of(provider).revokes_all:
        dialects.revoke(grant, provider)
        return True
    row = Withdrawal.objects.create(account=_name(provider, subject, grant.client_id), until=Now() + _AT_MOST)
    mine = Withdrawal.objects.filter(pk=row.pk)
    if not dialects.may_revoke(provider, subject, grant.client_id):
        mine.delete()
        return False
    dialects.revoke(grant, provider)
    mine.update(until=Now())
    return True


def may_have_met(provider: str, subject: str, client_id: str, since: datetime) -> bool:
    """Whether a grant that was made after `since` (the database's time), and is stored by now, may have been ended by
    `end` of another one of the same account and app."""
    names = {_name(provider, subject, app) for app in (client_id, "")}
    return Withdrawal.objects.filter(account__in=names, until__gte=since).exists()


def _name(provider: str, subject: str, client_id: str) -> str:
    """A keyed fingerprint: of an app that is not known (""), it may be any."""
    app = dialects.of(provider).app_of(client_id) if client_id else ""
    return grants.fingerprint(Secret(f"{provider} {app} {subject}"))


def sweep() -> None:
    Withdrawal.objects.filter(until__lt=Now() - _KEPT).delete()
