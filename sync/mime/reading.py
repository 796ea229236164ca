"""From a message's bytes to its Letter, and to one attachment of it. Puts the others of this room together."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sync.letters import Address, AttachmentPart, Letter, Problem, Undecipherable
from sync.mime import heading
from sync.mime.attachments import Attachments, is_text
from sync.mime.bodies import Bodies
from sync.mime.charsets import is_known
from sync.mime.fields import heading_of
from sync.mime.showing import Shown, shown
from sync.mime.transfer import Undone
from sync.mime.walk import Part, Walk

_ENCRYPTED = frozenset({"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_SIGNED_ONLY = frozenset({"signed-data", "certs-only"})
_PGP = "-----BEGIN PGP MESSAGE-----"


def read(pieces: Iterable[bytes], received_at: datetime | None) -> Letter:
    """The message whose bytes come in `pieces`, of any size. `received_at`: aware; stands for a Date that cannot be.

    Takes at most 2 s of processor and 64 MiB whatever comes. Raises Undecipherable (too_deep) and what `pieces` raises,
    nothing else."""
    walk = Walk(pieces)
    bodies, attachments = Bodies(), Attachments()
    for part in walk:
        if is_text(part):
            _add_text(part, bodies, walk.problems)
        else:
            attachments.add(part)
    return _letter(walk, shown(bodies, walk.problems), attachments, received_at)


def attachment(pieces: Iterable[bytes], path: str) -> Iterator[bytes]:
    """The decoded bytes of the part that `AttachmentPart.path` names, in a pass of its own that ends with it.

    Raises Undecipherable (no_such_part) where the message has none there."""
    for part in Walk(pieces):
        if part.path == path:
            yield from Undone(part.fields.first("content-transfer-encoding"), part.body)
            return
    raise Undecipherable("no_such_part", "The attachment is not in this message any more.")


def _add_text(part: Part, bodies: Bodies, problems: set[Problem]) -> None:
    undone = Undone(part.fields.first("content-transfer-encoding"), bodies.within(part.body))
    bodies.add(part, undone)
    if undone.is_bad:
        problems.add(Problem.BAD_ENCODING)
    if not is_known(part.content.parameters.get("charset", "")):
        problems.add(Problem.BAD_CHARSET)


def _letter(walk: Walk, body: Shown, attachments: Attachments, received_at: datetime | None) -> Letter:
    fields, problems = walk.heading, walk.problems
    found: dict[str, tuple[Address, ...]] = {
        name: heading.addresses(fields, name, problems) for name in ("reply-to", "to", "cc", "bcc")
    }
    sender = heading.sender(fields, problems)
    sent_at = heading.sent_at(fields, received_at, problems)
    if heading.repeated(fields):
        problems.add(Problem.REPEATED_HEADER)
    if not fields.kept and not body.text and not attachments.found:
        problems.add(Problem.EMPTY)
    return Letter(
        message_id=heading.message_id(fields),
        in_reply_to=next(iter(heading.ids(fields, "in-reply-to")), ""),
        references=heading.ids(fields, "references"),
        sender=sender,
        reply_to=found["reply-to"],
        to=found["to"],
        cc=found["cc"],
        bcc=found["bcc"],
        subject=heading.subject(fields),
        sent_at=sent_at,
        text=body.text,
        html=body.html,
        attachments=_with_inline(attachments.found, body.shown_parts),
        links=body.links,
        is_automatic=heading.is_automatic(fields, walk.root.name),
        is_list=heading.is_list(fields),
        is_encrypted=_is_encrypted(walk, body.text),
        problems=tuple(sorted(problems)),
        headers=heading.raw_heading(tuple(heading_of(fields))),
    )


def _with_inline(found: list[AttachmentPart], shown_parts: frozenset[str]) -> tuple[AttachmentPart, ...]:
    """Some programs call an image that the HTML shows an attachment: the HTML knows better."""
    return tuple(
        AttachmentPart(each.path, each.name, each.media_type, each.size, True, each.content_id)
        if each.content_id in shown_parts
        else each
        for each in found
    )


def _is_encrypted(walk: Walk, text: str) -> bool:
    """What is only signed can be read by anybody, if not by us (opaque S/MIME)."""
    root = walk.root
    is_signed = root.parameters.get("smime-type", "").lower() in _SIGNED_ONLY
    return (root.name in _ENCRYPTED and not is_signed) or text.lstrip().startswith(_PGP)
