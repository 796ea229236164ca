"""What goes to Salesforce along with an email's text: which attachments and links, and how many stay out. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.letters import AttachmentPart, CloudLink, Letter
from sync.reasons import Note

#: Bytes. Logos and icons of a signature are smaller, a picture of a screen is larger.
SMALL_IMAGE = 40_000
#: Of one mail. Each is a reading of the whole message and some calls of Salesforce; people attach a few dozen at most.
MOST_FILES = 100
_LACKING = {Note.FILES_OFF, Note.FILE_TOO_LARGE, Note.TOO_MANY_FILES, Note.LINKS_OFF, Note.HANDED_OVER}


@dataclass(frozen=True, slots=True)
class Enclosures:
    """What is in force for one member, from `policies.enclosures_for`."""

    with_files: bool
    with_links: bool
    most_bytes: int
    posts_links: bool


@dataclass(frozen=True, slots=True, repr=False)
class Enclosed:
    """`files` are streamed; `links` stand in the activity, `posts` become posts beside it. `notes`: what stays out.
    `names`: by a part's path, what it is called in each copy of the mail, whoever has put that together anew."""

    files: tuple[AttachmentPart, ...]
    links: tuple[CloudLink, ...]
    posts: tuple[CloudLink, ...]
    notes: Mapping[Note, int]
    names: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Nothing stays out that would go along with other settings."""
        return is_whole(self.notes)


def is_whole(notes: Mapping[Note, int]) -> bool:
    return not _LACKING & notes.keys()


def enclosed(letter: Letter, wanted: Enclosures) -> Enclosed:
    """Sort what a letter encloses. A part's size is reckoned, so whoever streams it counts again."""
    notes: Counter[Note] = Counter()
    going = tuple(part for part in letter.attachments if _goes(part, wanted, notes))
    files = going[:MOST_FILES]
    notes[Note.TOO_MANY_FILES] += len(going) - len(files)
    told = letter.links if wanted.with_links else ()
    notes[Note.LINKS_OFF] += len(letter.links) - len(told)
    links, posts = ((), told) if wanted.posts_links else (told, ())
    told_of = {note: count for note, count in notes.items() if count}
    return Enclosed(files, links, posts, told_of, _names(letter.attachments))


def _names(parts: Sequence[AttachmentPart]) -> Mapping[str, str]:
    """Its file's name, and which it is of those of that name."""
    so_far: Counter[str] = Counter()
    names = {}
    for part in parts:
        names[part.path] = f"{so_far[part.name]} {part.name}"
        so_far[part.name] += 1
    return names


def _goes(part: AttachmentPart, wanted: Enclosures, notes: Counter[Note]) -> bool:
    why = _why_not(part, wanted)
    if why:
        notes[why] += 1
    return why is None


def _why_not(part: AttachmentPart, wanted: Enclosures) -> Note | None:
    if part.is_inline and part.media_type.startswith("image/") and part.size <= SMALL_IMAGE:
        return Note.SMALL_IMAGE
    if not wanted.with_files:
        return Note.FILES_OFF
    return Note.FILE_TOO_LARGE if part.size > wanted.most_bytes else None
