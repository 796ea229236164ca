"""Mails that nobody here made: each is read within the limits, and as Python's own parser reads it where both can."""

import email
import email.policy
from email.message import Message
from pathlib import Path

import pytest

from sync.letters import Letter
from sync.mime import attachment, read
from tests.sync.mime.mails import CORPORA, RECEIVED, cheaply

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora is not here: no mails of others")
MAILS = [
    path
    for folder in ("mime", "talon-1.4.4")
    for path in sorted((CORPORA / folder).rglob("*"))
    if path.is_file() and path.suffix not in {".json", ".py"}
]
#: Mails, as opposed to pictures, sounds, licences and bare texts that lie beside them.
_WELL_MADE = [path for path in MAILS if path.name.startswith(("msg_", "mail_test")) or path.suffix == ".eml"]
#: Where we read otherwise on purpose: multiparts within multiparts under one boundary.
_OTHERWISE = {"msg_37.txt"}


def leaves(message: Message, path: str = "") -> dict[str, Message]:
    """What `sync.mime.walk` calls parts, by the standard library."""
    children = message.get_payload() if message.get_content_maintype() == "multipart" else None
    if not isinstance(children, list):
        return {path or "1": message}
    found: dict[str, Message] = {}
    for number, child in enumerate(children, 1):
        assert isinstance(child, Message)
        found |= leaves(child, f"{path}.{number}" if path else str(number))
    return found


def test_there_is_something_to_read() -> None:
    assert len(_WELL_MADE) > 75


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.name)
def test_every_mail_gets_its_letter_cheaply(path: Path) -> None:
    raw = path.read_bytes()
    with cheaply(1.0, 32):
        found = read([raw], RECEIVED)
        for each in found.attachments:
            assert sum(map(len, attachment([raw], each.path))) <= len(raw)
    assert isinstance(found, Letter)
    assert "\x00" not in found.text + found.html + found.subject
    assert "\n" not in found.subject
    assert all(each.name and "/" not in each.name for each in found.attachments)


@pytest.mark.parametrize(
    "path", [path for path in _WELL_MADE if path.name not in _OTHERWISE], ids=lambda path: path.name
)
def test_attachments_are_those_that_the_standard_library_finds(path: Path) -> None:
    raw = path.read_bytes()
    theirs = leaves(email.message_from_bytes(raw, policy=email.policy.compat32))
    for each in read([raw], RECEIVED).attachments:
        part = theirs[each.path]
        assert part.get_content_type() == each.media_type
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            assert b"".join(attachment([raw], each.path)).split() == content.split()
            assert each.size == pytest.approx(len(content), abs=2 + len(content) // 50)


@pytest.mark.parametrize("path", _WELL_MADE, ids=lambda path: path.name)
def test_subject_and_sender_are_those_that_the_standard_library_finds(path: Path) -> None:
    raw = path.read_bytes()
    found, theirs = read([raw], RECEIVED), email.message_from_bytes(raw, policy=email.policy.default)
    if path.name != "mail_test_9":  # gb2312 that is more than that
        assert found.subject == " ".join(str(theirs["Subject"] or "").split())
    if found.sender is not None:
        assert found.sender.addr == theirs["From"].addresses[0].addr_spec


@pytest.mark.parametrize(
    "path", sorted((CORPORA / "talon-1.4.4").rglob("standard_replies/*.eml")), ids=lambda path: path.name
)
def test_replies_keep_the_text_that_was_written(path: Path) -> None:
    found = read([path.read_bytes()], RECEIVED)
    assert "Hello" in found.text
    assert found.problems == ()
