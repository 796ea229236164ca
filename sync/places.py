"""Which folders of a member's mailbox are followed. Folders' names stay in RAM, and briefly."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from organizations.models import Member
from organizations.ramcache import RamCache
from providers.mail import Change, Folder, Mailbox
from sync import folders as choice
from sync import policies

_known: RamCache[UUID, Mapping[str, Folder]] = RamCache(maxsize=2_000, ttl=300)
#: Told as messages' folders and listed as none (a star's colour at Gmail).
_strange: RamCache[tuple[UUID, str], bool] = RamCache(maxsize=20_000, ttl=300)


def of(mailbox_id: UUID, client: Mailbox, *, naming: Iterable[str] = (), fresh: bool = False) -> Mapping[str, Folder]:
    """All folders of a mailbox, by id. Asks the provider where nobody of this process has in the last five minutes, or
    where one of `naming` is of nobody's knowing: it may be new, and mail in it is told of only once."""
    if fresh:
        return _known.load(mailbox_id, lambda: _asked(client))
    known = _known.get_or_load(mailbox_id, lambda: _asked(client))
    new = {each for each in naming if each not in known and not _strange.get((mailbox_id, each))}
    if new:
        known = _known.load(mailbox_id, lambda: _asked(client))
        for each in new - known.keys():
            _strange.load((mailbox_id, each), lambda: True)
    return known


def _asked(client: Mailbox) -> Mapping[str, Folder]:
    return {folder.id: folder for folder in client.folders()}


def to_follow(member: Member, known: Mapping[str, Folder]) -> Sequence[str]:
    """Ids of those that are chosen."""
    chosen = _chosen(member)
    return [folder.id for folder in known.values() if choice.is_chosen(folder, chosen, known.values())]


def in_chosen(member: Member, changes: Collection[Change], known: Mapping[str, Folder]) -> list[str]:
    """Ids of messages that lie in a chosen folder. The settings are read once, and each set of folders judged once."""
    chosen = _chosen(member)
    verdicts = {each: choice.lies_in_chosen(each, known, chosen) for each in {change.folders for change in changes}}
    return [change.message_id for change in changes if verdicts[change.folders]]


def _chosen(member: Member) -> Collection[str]:
    """For what comes in and for what goes out."""
    return policies.rules_for(member, ()).folders


def forget() -> None:
    _known.clear()
    _strange.clear()
