"""Attachments on their way from a message into Salesforce, piece by piece: none is ever held whole, or on a disk."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

from providers.activities import Activities, FileToAttach, Link
from providers.errors import NotFound, PermissionMissing, ProviderError, Rejected
from sync import retries
from sync.enclosures import Enclosed
from sync.ledger import Identity, Marks
from sync.letters import AttachmentPart, CloudLink, Undecipherable
from sync.mime import attachment
from sync.retries import Answer

log = logging.getLogger("sidebar.sync")

#: The whole message from its beginning, each time it is called.
Open = Callable[[], AbstractContextManager[Iterable[bytes]]]
#: Trying these again brings nothing: the mail stays saved, without the file.
_FINAL = (Rejected, PermissionMissing, NotFound)


@dataclass(frozen=True, slots=True, repr=False)
class Attaching:
    """What goes along with one activity. `most`: bytes of one file. `is_repeat`: this was tried before."""

    activities: Activities
    parents: tuple[str, ...]
    mail: Identity
    marks: Marks
    open: Open
    most: int
    is_repeat: bool

    def all_of(self, enclosed: Enclosed) -> str:
        """The code of what was refused last, "" where everything is there. Raises what may pass (Transient ...)."""
        refused = [_tried(partial(self._file, part, enclosed.names[part.path])) for part in enclosed.files]
        refused += [_tried(partial(self._post, number, link)) for number, link in enumerate(enclosed.posts)]
        return next((code for code in reversed(refused) if code), "")

    def _file(self, part: AttachmentPart, name: str) -> None:
        key = self.marks.key(self.mail, "ContentVersion", name)
        file = FileToAttach(part.name, part.media_type, partial(_opened, self.open, part, self.most))
        self.activities.attach(self.parents, file, key, is_repeat=self.is_repeat)

    def _post(self, number: int, link: CloudLink) -> None:
        key = self.marks.key(self.mail, "FeedItem", str(number))
        self.activities.post_link(self.parents[0], Link(link.url, link.name or link.url), key)


def _tried(call: Callable[[], object]) -> str:
    try:
        call()
    except _FINAL as error:
        if retries.rule(error, "").answer is not Answer.GIVE_UP:
            raise  # an API that is switched off, a right that is gone: it says nothing of this file
        return _code(error)
    except Undecipherable as error:
        return error.code
    return ""


def _code(error: ProviderError) -> str:
    log.info("an attachment stays out: %s", type(error).__name__)
    return retries.code_of(error) or "refused"


@contextmanager
def _opened(open_: Open, part: AttachmentPart, most: int) -> Iterator[Iterable[bytes]]:
    with open_() as pieces:
        yield _bounded(attachment(pieces, part.path), most)


def _bounded(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """A part's size was reckoned from its text; what counts is what comes."""
    taken = 0
    for piece in pieces:
        taken += len(piece)
        if taken > most:
            raise Rejected("An attachment is larger than what goes along.", code="too_large")
        yield piece
