"""Mail into Salesforce, as one person: the Activities protocol over Wire. Holds no token, no record and no mail."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from providers.activities import (
    Attached,
    Capabilities,
    Correspondent,
    EmailRecord,
    FileToAttach,
    FoundPeople,
    Keyed,
    Link,
    Logged,
    Newcomers,
    Note,
    Removed,
)
from providers.base import Priority, TokenSource
from providers.errors import PermissionMissing, ProviderError, Rejected
from providers.http import Session
from providers.salesforce import access as rights_of
from providers.salesforce import (
    correspondents,
    enclosing,
    failures,
    filed,
    filing,
    newcomers,
    noting,
    own_tasks,
    relations,
    taking_back,
)
from providers.salesforce.access import AccessStore, ObjectAccess
from providers.salesforce.budget import ApiBudget
from providers.salesforce.filing import Ways
from providers.salesforce.transport import Wire

T = TypeVar("T")
W = TypeVar("W")


class SalesforceActivities:
    """`prefers_task`: file mails as tasks although the organization has EmailMessage. `priority`: whether somebody
    waits for it."""

    def __init__(
        self,
        tokens: TokenSource,
        access_store: AccessStore,
        budget: ApiBudget,
        http: Session,
        api_version: str,
        *,
        priority: Priority = Priority.BACKGROUND,
        prefers_task: bool = False,
    ) -> None:
        self._store, self._http, self._prefers_task = access_store, http, prefers_task
        self._wire = Wire(tokens, http, budget, api_version, priority)

    def capabilities(self) -> Capabilities:
        return self._ways().capabilities()

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        return self._or_anew(lambda: correspondents.find(self._wire, self._access(), addresses, message_ids))

    def newcomers(self, since: datetime) -> Newcomers:
        return self._or_anew(lambda: newcomers.find(self._wire, self._access(), since))

    def log_email(self, record: EmailRecord, key: str, *, is_repeat: bool = False) -> Logged:
        return filed.only(self.log_emails([Keyed(record, key, is_repeat)]))

    def log_emails(self, mails: Sequence[Keyed]) -> Sequence[Logged | ProviderError]:
        return self._each(mails, lambda part: self._filing().carry_out(part))

    def add_relations(self, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
        return relations.add(self._wire, self._ways(), logged, people)

    def make_own_tasks(self, logged: Logged, mail: Keyed, people: Sequence[str]) -> tuple[str, ...]:
        if logged.object != filing.TASK or not any(person.startswith("00Q") for person in people):
            return tuple(people)
        return own_tasks.make(self._wire, filing.ways(self._access(), prefers_task=True), mail, people)

    def note_seen(self, notes: Sequence[Note]) -> Sequence[str | ProviderError]:
        return self._each(notes, lambda part: noting.carry_out(self._wire, self._ways(), part))

    def unlink(self, logged: Logged, person_id: str) -> None:
        relations.unlink(self._wire, self._ways(), logged, person_id)

    def delete(self, logged: Logged, key: str) -> None:
        relations.delete(self._wire, self._ways(), logged, key)

    def take_back(self, logged: Logged, key: str, known: Sequence[datetime] = ()) -> Removed:
        return taking_back.take_back(self._wire, self._ways(), logged, key, known)

    def move(self, logged: Logged, key: str, off: Sequence[str], onto: Sequence[str]) -> tuple[str, ...]:
        return taking_back.move(self._wire, self._ways(), logged, key, off, onto)

    def attach(self, parents: Sequence[str], file: FileToAttach, key: str, *, is_repeat: bool = False) -> Attached:
        ways = self._ways()
        if not ways.rights["ContentVersion"].createable:
            raise _not_allowed("You may not add files in Salesforce.")
        return enclosing.attach(self._wire, self._http, ways, parents, file, key, is_repeat=is_repeat)

    def post_link(self, parent_id: str, link: Link, key: str) -> str:
        ways = self._ways()
        if not ways.may_post:
            raise _not_allowed("You may not post to feeds in Salesforce.")
        return enclosing.post_link(self._wire, ways, parent_id, link, key)

    # -- what this person may do ------------------------------------------------------------------------------------

    def _filing(self) -> filed.Filing:
        ways = self._ways()
        if not ways.may_file:
            raise _not_allowed("You may not add mails or tasks in Salesforce.")
        return filed.Filing(self._wire, ways)

    def _ways(self) -> Ways:
        return filing.ways(self._access(), prefers_task=self._prefers_task)

    def _access(self) -> ObjectAccess:
        """What is kept; the objects of filing are described when they are first needed, in one call."""
        kept = self._store.load() or self._described()
        wanted = filing.missing(kept)
        return self._with(kept, wanted) if wanted else kept

    def _describe(self) -> None:
        """All of it anew."""
        kept = self._described()
        self._with(kept, filing.missing(kept))

    def _described(self) -> ObjectAccess:
        found = rights_of.fetch(self._wire)
        self._store.save(found)
        return found

    def _with(self, kept: ObjectAccess, names: Sequence[str]) -> ObjectAccess:
        for rights in rights_of.fetch_several(self._wire, names):
            self._store.add(rights)
            kept = kept.with_object(rights)
        return kept

    def _each(self, wanted: Sequence[W], carry_out: Callable[[Sequence[W]], list[T]]) -> list[T]:
        """Those once more that named a field or object which was hidden since it was described."""
        results = carry_out(wanted) if wanted else []
        stale = [n for n, result in enumerate(results) if filed.is_stale(result)]
        if stale:
            self._describe()
            again = carry_out([wanted[n] for n in stale])
            for n, result in zip(stale, again, strict=True):
                results[n] = result
        return results

    def _or_anew(self, ask: Callable[[], T]) -> T:
        """Once more where a query named what is hidden by now."""
        try:
            return ask()
        except Rejected as error:
            if not any(detail.code in failures.STALE_ACCESS_CODES for detail in error.details):
                raise
        self._describe()
        return ask()


def _not_allowed(text: str) -> PermissionMissing:
    return PermissionMissing(text, provider="salesforce")
