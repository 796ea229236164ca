"""What is done with messages, apart from when and how often; and who does it in this process: named once, when it
starts. Until then jobs wait."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from providers.mail import Mailbox
from sync.conclusions import About, Conclusion, Task
from sync.models import SyncedMailbox


class Carrier(Protocol):
    """Made anew for each batch: what one step has learnt
    (headings, people, texts) may be kept for the next, in RAM, until the batch ends.

    May raise whatever a provider's or the vault's door raises; anything else counts as a fault of ours."""

    def look(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion]:
        """Task id -> conclusion, for those that their headings alone decide; the others are read."""
        ...

    def about(self, task: Task) -> About:
        """Of one that `look` has left to be read, for whoever is told that it failed."""
        ...

    def read(self, task: Task) -> Conclusion | None:
        """One message as a whole; None where it is to be written. Claims its ledger entry for `task.lease`."""
        ...

    def write(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion | Exception]:
        """Task id -> what became of it, for all of `tasks` but those that want their files; whatever was written comes
        back in `Conclusion.written`. Raises where nothing is known about any."""
        ...

    def attach(self, task: Task) -> Conclusion:
        """The files of one that was written."""
        ...

    def without_files(self, task: Task) -> Conclusion:
        """Of one that was written, where `attach` has failed for the last time: the mail is there all the same."""
        ...


CarrierFor = Callable[[SyncedMailbox, Mailbox], Carrier]

_current: CarrierFor | None = None


def use(carrier_for: CarrierFor | None) -> None:
    global _current
    _current = carrier_for


def current() -> CarrierFor | None:
    return _current
