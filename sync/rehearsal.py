"""A dry run in a member's own mailbox: what the last days' mail would have come to. Reads headings and asks Salesforce
who people are; writes nothing but the audit log's word that it did."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from organizations.models import Member
from providers.activities import Activities
from providers.base import Priority
from providers.mail import Heading, Mailbox
from sync import conversations, owners, policies, threads
from sync.dry_run import Forecast, as_if_on, forecast, foresee
from sync.elsewhere import elsewhere
from sync.models import SyncedMailbox
from sync.rules import UNKNOWN_THREAD, Rulebook, Thread
from vault import clients, clock, purposes

PURPOSE = "sync.rehearsal"
LONGEST = timedelta(days=7)
#: Seconds after which it stops and says how far it has come: somebody waits for it, and so does a thread of ours.
MOST_SECONDS = 20.0
_AT_ONCE = 2
_HEADINGS = 20  # providers.mail.Mailbox.headings

purposes.declare({PURPOSE: "Trying out what email sync would do"})
_free = threading.BoundedSemaphore(_AT_ONCE)


class Busy(RuntimeError):
    """This process has as many dry runs under way as it takes."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`reached`: the oldest message that was looked at; all since `since` where `is_complete`."""

    forecast: Forecast
    since: datetime
    reached: datetime
    is_complete: bool


def rehearse(member: Member, provider: str, *, days: int) -> Rehearsal:
    """As if email sync were on, with the settings in force. Raises Busy, and what `vault.clients` and providers do;
    PermissionMissing where the mailbox may not be read yet."""
    with _a_place():
        connection = clients.connection_of(member, provider, "email")
        mailbox = clients.mailbox_for(connection, PURPOSE)
        salesforce = clients.salesforce_connection_of(member)
        activities = clients.activities_for(salesforce, PURPOSE, priority=Priority.INTERACTIVE)
        return _Run(member, connection.id, mailbox, activities).over(timedelta(days=days))


@contextmanager
def _a_place() -> Iterator[None]:
    if not _free.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        _free.release()


class _Run:
    def __init__(self, member: Member, connection_id: UUID, mailbox: Mailbox, activities: Activities) -> None:
        self._member, self._connection_id = member, connection_id
        self._mailbox, self._activities = mailbox, activities
        self._rulebook = self._rules()
        self._threads: dict[str, Thread] = {}
        self._is_complete = False
        self._reached = clock.now()

    def _rules(self) -> Rulebook:
        return as_if_on(policies.rules_for(self._member, owners.asked(self._member, self._mailbox)))

    def over(self, span: timedelta) -> Rehearsal:
        until = self._reached
        since = until - min(span, LONGEST)
        foreseen = foresee(
            self._headings(since, until),
            {folder.id: folder for folder in self._mailbox.folders()},
            self._rulebook,
            self._activities.people,
            partial(elsewhere, self._member.organization_id),
            member_id=self._member.salesforce_user_id,
            thread_of=lambda heading: self._threads.get(heading.id, UNKNOWN_THREAD),
        )
        counted = forecast(foreseen)
        return Rehearsal(counted, since, since if self._is_complete else self._reached, self._is_complete)

    def _headings(self, since: datetime, until: datetime) -> Iterator[Heading]:
        """The newest first. A page that is told twice counts once."""
        seen, page, ends = set[str](), "", time.monotonic() + MOST_SECONDS
        while True:
            listed = self._mailbox.listed(since, until, page=page)
            fresh = [each for each in dict.fromkeys(listed.message_ids) if each not in seen]
            seen.update(fresh)
            for first in range(0, len(fresh), _HEADINGS):
                if time.monotonic() >= ends:
                    return
                yield from self._fetched(fresh[first : first + _HEADINGS])
            page = listed.next_page
            if not page:
                self._is_complete = True
                return

    def _fetched(self, ids: Sequence[str]) -> Sequence[Heading]:
        found = [heading for heading in self._mailbox.headings(ids).values() if heading is not None]
        self._threads = dict(self._threads_of(found))
        self._reached = min([self._reached, *(heading.received_at for heading in found)])
        return found

    def _threads_of(self, headings: Sequence[Heading]) -> Mapping[str, Thread]:
        row = SyncedMailbox.objects.filter(connection_id=self._connection_id).first()
        said = conversations.said_of(row.pk, [heading.thread_id for heading in headings]) if row else {}
        return threads.known(self._member.organization_id, headings, said, self._rulebook)
