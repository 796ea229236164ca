"""Some messages of one mailbox on their way: looked at together, read one by one, written together, then their files.

Every step commits by itself; wherever it is cut off, the next worker goes on from there, and keys make a repeated
write no second record. A message counts as begun from its reading to its end, so whatever was under way when a worker
died comes alone the next time."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from providers.errors import ProviderError
from sync import conclusions, holds, jobs, parking, retries
from sync.carriers import Carrier
from sync.conclusions import NOTHING_KNOWN, About, Conclusion, Task
from sync.models import SyncedMailbox
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")
T = TypeVar("T")

#: Texts held in RAM at once, and what Salesforce takes in one call (providers.activities).
MOST_TOGETHER = 25
#: Seconds that reading has at least, however long the look took: else slow providers would never get beyond it.
READING = 1.0
#: Seconds after which no further mail's files are begun: far from holds.LONGEST, and a colleague's copy waits for them.
ATTACHING = 60.0


def carry_out(row: SyncedMailbox, tasks: Sequence[Task], make: Callable[[], Carrier], until: float) -> bool:
    """Whether the mailbox may go on. `until`: by time.monotonic(); what is not read by then, or within READING, is put
    back, as is what another stage's throttling has overtaken."""
    batch = _Batch(row, tasks, until)
    with holds.beating(lambda: jobs.prolong(tuple(batch.held))):
        return batch.carried_out(make)


def _nothing_known(_: Task) -> About:
    return NOTHING_KNOWN


def _of(found: Mapping[UUID, T], tasks: Sequence[Task]) -> list[tuple[Task, T]]:
    return [(task, found[task.id]) for task in tasks if task.id in found]


class _Batch:
    def __init__(self, row: SyncedMailbox, tasks: Sequence[Task], until: float) -> None:
        self._row, self._until = row, until
        self.held = list(tasks)
        self._is_single = len(tasks) == 1
        self._carrier: Carrier | None = None

    def carried_out(self, make: Callable[[], Carrier]) -> bool:
        try:
            carrier = self._carrier = make()
            decided = carrier.look(self.held)
        except Exception as error:  # noqa: BLE001  whatever one mail brings about is no end of the others
            return not self._failed(self.held, error)
        self._until = max(self._until, time.monotonic() + READING)
        self._end(_of(decided, self.held))
        parking.note_success(self._row, self._row.connection.provider)
        return self._read_and_write(carrier)

    def _read_and_write(self, carrier: Carrier) -> bool:
        """A single mail is still counted as begun; of several none was read so far."""
        if self.held and not self._is_single:
            jobs.looked_at(self.held)
        to_read, to_write = list(self.held), list[Task]()
        may_go_on = True
        while to_read and may_go_on and len(to_write) < MOST_TOGETHER and self._is_in_time():
            may_go_on = holds.is_free(self._row.pk) and self._read(to_read.pop(0), carrier, to_write)
        may_go_on = self._write(to_write, carrier) and may_go_on
        if to_read:
            self._let_go(to_read)
            jobs.put_back(to_read, were_begun=self._is_single)
        return may_go_on

    def _is_in_time(self) -> bool:
        return self._is_single or time.monotonic() < self._until

    def _read(self, task: Task, carrier: Carrier, to_write: list[Task]) -> bool:
        if not (self._is_single or jobs.begin(task)):
            self._let_go([task])
            return True
        try:
            conclusion = carrier.read(task)
        except Exception as error:  # noqa: BLE001  see carried_out
            return not self._failed([task], error)
        if conclusion is None:
            to_write.append(task)
        else:
            self._end([(task, conclusion)])
        return True

    def _write(self, tasks: Sequence[Task], carrier: Carrier) -> bool:
        if not tasks:
            return True
        try:
            found = carrier.write(tasks)
        except Exception as error:  # noqa: BLE001  see carried_out
            return not self._failed(tasks, error)
        may_go_on = self._settle(found, tasks)
        return self._attach_all([task for task in tasks if task.id not in found], carrier, may_go_on)

    def _attach_all(self, tasks: list[Task], carrier: Carrier, may_go_on: bool) -> bool:
        """As many as there is time for, one at least; the others are looked for in Salesforce at their next try."""
        until = time.monotonic() + ATTACHING
        is_first = True
        while tasks and may_go_on and (is_first or time.monotonic() < until):
            may_go_on = holds.is_free(self._row.pk) and self._attach(tasks.pop(0), carrier)
            is_first = False
        self._let_go(tasks)
        jobs.put_back(tasks)
        return may_go_on

    def _settle(self, found: Mapping[UUID, Conclusion | Exception], tasks: Sequence[Task]) -> bool:
        """What failed for one reason fails together: it is one failure of the provider's."""
        ended = [(task, each) for task, each in _of(found, tasks) if isinstance(each, Conclusion)]
        self._end(ended)
        if len(found) < len(tasks):  # some are there, and want their files: what fails now is one mail's own trouble
            parking.note_success(self._row, retries.SALESFORCE)
        failures: dict[int, tuple[Exception, list[Task]]] = {}
        for task, each in _of(found, tasks):
            if isinstance(each, Exception):
                failures.setdefault(id(each), (each, []))[1].append(task)
        return not [None for error, several in failures.values() if self._failed(several, error)]

    def _attach(self, task: Task, carrier: Carrier) -> bool:
        try:
            conclusion = carrier.attach(task)
        except Exception as error:  # noqa: BLE001  see carried_out
            return not self._failed([task], error, at_last=carrier.without_files(task))
        self._end([(task, conclusion)])
        return True

    def _end(self, ended: Sequence[tuple[Task, Conclusion]]) -> None:
        if not ended:
            return
        stored = conclusions.conclude(ended)
        self._let_go([task for task, _ in ended])
        if stored and any(conclusion.written for _, conclusion in ended):
            parking.note_success(self._row, self._row.connection.provider, retries.SALESFORCE)

    def _failed(self, tasks: Sequence[Task], error: Exception, at_last: Conclusion | None = None) -> bool:
        """Whether the mailbox has to wait now. The name of an error and no more: its text may quote what it met."""
        is_known = isinstance(error, ProviderError | VaultError)
        log.log(
            logging.INFO if is_known else logging.ERROR, "a mail could not be carried out: %s", type(error).__name__
        )
        ruling = retries.rule(error, self._row.connection.provider)
        about = self._carrier.about if self._carrier else _nothing_known
        has_to_wait = jobs.fail(self._row, tuple(tasks), ruling, at_last, about=about)
        self._let_go(tuple(tasks))
        return has_to_wait

    def _let_go(self, tasks: Sequence[Task]) -> None:
        self.held = [task for task in self.held if task not in tasks]
