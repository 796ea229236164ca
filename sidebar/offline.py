"""Carries out what a person did offline, in order, each action once for its key; one that fails ends no other but those
that need it (C46). Writes only through `records` and `saving`; keeps nothing."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import DatabaseError
from rest_framework.exceptions import APIException

from organizations.models import Member
from providers.base import Crm
from providers.errors import Detail, NeedsReconnect, ProviderError, RateLimited, Transient
from sidebar import payloads, records, saving
from sidebar.comparing import is_same
from sidebar.refusals import ChangedSince, KeyInUse, OutcomeUnknown
from sync.mailboxes import PROVIDERS
from vault.errors import OwnTrouble, VaultError

log = logging.getLogger("sidebar.offline")

#: Of one call. What has had no turn by then is left for the next.
SECONDS = 20.0
#: Of a record id's 18 characters the last three are a checksum.
_UNIQUE = 15


class State(StrEnum):
    DONE = "done"  # carried out, now or earlier with this key
    CONFLICT = "conflict"  # the record has changed since; nothing written
    REFUSED = "refused"  # it will not do as it is; nothing written
    UNKNOWN = "unknown"  # Salesforce did not say; this key writes nothing more
    LATER = "later"  # nothing written; stays in the queue
    SKIPPED = "skipped"  # what it needs did not come about


@dataclass(frozen=True, slots=True, repr=False)
class Action:
    """`at`: when the person did it. `id_of`: the key of an earlier action whose record is meant, instead of `id`;
    `links`: field -> such a key, for the field's value. `was`: field -> what he saw there. `after`: keys of earlier
    actions without which this one makes no sense. `email`: as AskedRequest makes it."""

    key: str
    kind: str  # "create", "update", "log_email"
    at: datetime
    object: str = ""
    id: str = ""
    id_of: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    was: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    email: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        return (*self.after, *self.links.values(), *filter(None, [self.id_of]))


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """`conflicts`: (field, the person's value, the present one). `code`, `detail`: a problem's type and sentence;
    `errors`: Salesforce's own words. `email`: as AskedShape has it."""

    key: str
    state: State
    object: str = ""
    id: str = ""
    url: str = ""
    email: Mapping[str, Any] | None = None
    conflicts: tuple[tuple[str, Any, Any], ...] = ()
    code: str = ""
    detail: str = ""
    errors: tuple[Detail, ...] = ()


def replay(member: Member, actions: Sequence[Action]) -> list[Result]:
    """In the order given, a result for each. Raises nothing of a single action's."""
    return list(_Replay(member).results(actions))


class _Replay:
    def __init__(self, member: Member) -> None:
        self._member = member
        self._until = time.monotonic() + SECONDS
        self._results: dict[str, Result] = {}
        self._stopped: Result | None = None  # the failure that all others would meet too
        self._held: set[str] = set()  # records whose earlier change still waits
        self._written: dict[str, dict[str, Any]] = {}  # record -> what this call has written there

    def results(self, actions: Sequence[Action]) -> Iterator[Result]:
        for action in actions:
            result = self._not_now(action) or self._tried(action)
            if result.state in (State.LATER, State.UNKNOWN):
                self._held.add(self._record(action))
            self._results[action.key] = result
            yield result

    def _not_now(self, action: Action) -> Result | None:
        missing = [found for key in action.needs if (found := self._missing(key))]
        if State.SKIPPED in missing:
            return Result(action.key, State.SKIPPED, code="failed-dependency", detail="What it needs was not done.")
        if self._stopped is not None:
            return Result(action.key, State.LATER, code=self._stopped.code, detail=self._stopped.detail)
        if time.monotonic() > self._until:
            return Result(action.key, State.LATER, code="out-of-time", detail="Its turn comes with the next call.")
        record = self._record(action)
        if State.LATER in missing or (record and record in self._held):
            return Result(action.key, State.LATER, code="waits", detail="An earlier action has to come first.")
        return None

    def _missing(self, key: str) -> State | None:
        found = self._results.get(key)
        if found is None or found.state in (State.REFUSED, State.CONFLICT, State.SKIPPED):
            return State.SKIPPED
        return None if found.state is State.DONE else State.LATER

    def _tried(self, action: Action) -> Result:
        try:
            return self._done(action)
        except Exception as error:  # noqa: BLE001  whatever one action brings about is no end of the others
            result = _failed(action, error)
            if _is_everybodys(error) and not _is_a_mailboxs(error):
                self._stopped = result
            return result

    def _done(self, action: Action) -> Result:
        if action.kind == "log_email":
            told = saving.save_fetched(self._member, action.email, action.key)
            return Result(action.key, State.DONE, email=told)
        values = {**action.values, **{name: self._results[key].id for name, key in action.links.items()}}
        saved = self._created(action, values) if action.kind == "create" else self._updated(action, values)
        return Result(action.key, State.DONE, saved.object, saved.id, saved.url)

    def _created(self, action: Action, values: Mapping[str, Any]) -> records.Saved:
        saved = records.create_record(self._member, action.object, values, key=action.key)
        self._written.setdefault(saved.id[:_UNIQUE], {}).update(values)
        return saved

    def _updated(self, action: Action, values: Mapping[str, Any]) -> records.Saved:
        id_ = payloads.record_id(action.object, self._id(action))
        mine = self._written.get(id_[:_UNIQUE])

        def before(crm: Crm) -> None:
            changed = _changed(crm, action, id_, values, mine, self._member.salesforce_user_id)
            if changed:
                raise ChangedSince(changed)

        saved = records.update_record(self._member, action.object, id_, values, key=action.key, before=before)
        self._written.setdefault(id_[:_UNIQUE], {}).update(values)
        return saved

    def _id(self, action: Action) -> str:
        found = self._results.get(action.id_of)
        return found.id if found else action.id

    def _record(self, action: Action) -> str:
        return self._id(action)[:_UNIQUE]


def _changed(
    crm: Crm, action: Action, id_: str, values: Mapping[str, Any], mine: Mapping[str, Any] | None, me: str
) -> dict[str, tuple[Any, Any]]:
    """Fields that are neither what the person wants nor what he saw. Where he does not say what he saw, the record's
    own time of change tells, unless that change was this call's."""
    there = crm.snapshot(action.object, id_, list(values))
    by_me = mine is not None and there.changed_by[:_UNIQUE] == me[:_UNIQUE]
    is_newer = there.changed_at is not None and there.changed_at > action.at and not by_me
    mine = mine or {}

    def is_changed(name: str, now: Any) -> bool:
        if is_same(now, values[name]) or (name in mine and is_same(now, mine[name])):
            return False
        return not is_same(now, action.was[name]) if name in action.was else is_newer

    return {name: (values[name], now) for name, now in there.values.items() if is_changed(name, now)}


def _is_everybodys(error: Exception) -> bool:
    """Whether every other action would fail in the same way just now."""
    return isinstance(error, RateLimited | NeedsReconnect | OwnTrouble | VaultError | DatabaseError)


def _is_a_mailboxs(error: Exception) -> bool:
    """A mail provider's own trouble, which keeps no record from being written."""
    return getattr(error, "provider", "") in PROVIDERS


def _failed(action: Action, error: Exception) -> Result:
    if isinstance(error, ChangedSince):
        conflicts = tuple((name, *both) for name, both in error.fields.items())
        record = (action.object, action.id)
        return Result(action.key, State.CONFLICT, *record, "", None, conflicts, error.slug, str(error.detail))
    if isinstance(error, APIException):
        state = {OutcomeUnknown: State.UNKNOWN, KeyInUse: State.LATER}.get(type(error), State.REFUSED)
        return Result(action.key, state, code=getattr(error, "slug", "invalid"), detail=_sentence(error))
    if isinstance(error, ProviderError):
        passes = isinstance(error, Transient | RateLimited | NeedsReconnect)
        state, code = (State.LATER, "provider-unavailable") if passes else (State.REFUSED, "rejected")
        return Result(action.key, state, code=code, detail=str(error), errors=error.details)
    if isinstance(error, VaultError | DatabaseError):
        return Result(action.key, State.LATER, code="unavailable", detail="It is kept for a better moment.")
    log.error("an action that was done offline failed: %s", type(error).__name__)
    return Result(action.key, State.UNKNOWN, code="outcome-unknown", detail=str(OutcomeUnknown.default_detail))


def _sentence(error: APIException) -> str:
    """A validation's words stand in lists by field."""
    detail: Any = error.detail
    while isinstance(detail, Mapping | list | tuple):
        detail = next(iter(detail.values() if isinstance(detail, Mapping) else detail), "")
    return str(detail)
