"""Attachments that the first copy of a mail went without, brought by one that comes later: at the simulated Salesforce,
in each way in which it may keep files single, and in one in which it does not."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from organizations import policy
from organizations.models import Member
from providers.salesforce import lookups
from sync import asked, decisions
from sync.asked import Saved, Whence
from sync.mime import read
from sync.models import Decision, LedgerEntry
from tests.simulators.running import Running, salesforce, salesforce_process
from tests.sync.conftest import Office, Post
from tests.sync.rooms import Room, furnished
from tests.sync.test_asked import by_id
from tests.sync.test_carrier import moved_in

__all__ = ["salesforce", "salesforce_process"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
_KEYS = ["EmailMessage.Sync_Key__c", "Task.Sync_Key__c"]
#: What the organization lacks.
WAYS = {
    "field": ["Sync_Ledger__c"],
    "ledger": _KEYS,
    "task": ["EmailMessage", "EmailMessageRelation"],
    "nothing": ["Sync_Ledger__c", "ContentVersion.Sync_Key__c", *_KEYS],
}
SMALL, LARGE = "small.pdf", "large.pdf"
LINK = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz0123456/view"


@pytest.fixture(params=list(WAYS))
def room(
    request: pytest.FixtureRequest, office: Office, salesforce: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    form = "Task" if request.param == "task" else "EmailMessage"
    yield furnished(office, salesforce, monkeypatch, form, WAYS[request.param])
    salesforce.reset()


class Two:
    """The same mail in Alice's and Bob's mailboxes, with a small file and one of more than a megabyte."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.posts = {each.member.pk: each for each in (room.alice, room.bob)}
        boxes = {key: moved_in(room.office, post) for key, post in self.posts.items()}
        self.sender = room.desk.ids("Contact", 1)[0]["Email"]
        self.ids = {key: box.post("both", sender=self.sender) for key, box in boxes.items()}
        self.boxes = boxes
        for key, box in boxes.items():
            box.raw[self.ids[key]] = self.raw = _with_files(box.raw[self.ids[key]])
        policy.set_organization_value("test", room.alice.member.organization_id, "attach.enabled", True)

    def run(self, post: Post) -> Decision:
        post.run()
        return self.decision(post)

    def decision(self, post: Post) -> Decision:
        return Decision.objects.get(mailbox=post.mailbox)

    def look_again(self, post: Post) -> Decision:
        decisions.try_again(post.member, [self.decision(post).pk])
        return self.run(post)

    def save_now(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> Saved:
        with monkeypatch.context() as patched:
            return by_id(post, self.boxes[post.member.pk], self.ids[post.member.pk], patched)

    def files(self) -> list[str]:
        return sorted(row["Title"] for row in self.room.desk.rows("ContentVersion") if row["Title"] in (SMALL, LARGE))

    def uploads(self) -> int:
        """Files sent since this was asked last."""
        calls = self.room.desk.salesforce.calls("acme")
        self.room.desk.salesforce.reset(only=["calls"])
        return len([each for each in calls if each["method"] == "POST" and "/sobjects/ContentVersion" in each["path"]])


def _with_files(raw: bytes) -> bytes:
    files = {SMALL: b"%PDF", LARGE: b"%PDF" + 22_000 * (b"x" * 48 + b"\r\n")}
    head = b"Content-Type: application/pdf; name=%b\r\nContent-Disposition: attachment; filename=%b\r\n\r\n"
    parts = [head % (name.encode(), name.encode()) + content for name, content in files.items()]
    text = b"Content-Type: text/plain\r\n\r\nSee " + LINK.encode()
    whole = b"\r\n--b\r\n".join([b"Content-Type: multipart/mixed; boundary=b\r\n", text, *parts])
    return raw.partition(b"Content-Type")[0] + whole + b"\r\n--b--\r\n"


@pytest.fixture
def two(room: Room) -> Two:
    return Two(room)


def switch_off(member: Member) -> None:
    policy.set_member_value(member, "attach.enabled", False)


def test_a_colleague_whose_attachments_go_along_brings_them(two: Two) -> None:
    """Once, and onto the one activity."""
    alice, bob = two.room.alice, two.room.bob
    switch_off(alice.member)
    first = two.run(alice)
    assert (first.notes["files_off"], two.files()) == (2, [])
    second = two.run(bob)
    assert (second.activity_id, second.rule) == (first.activity_id, "colleague_was_first")
    assert not {"files_off", "files_missing"} & second.notes.keys()
    assert two.files() == [LARGE, SMALL]
    entry = LedgerEntry.objects.get()
    assert (entry.files, entry.claimed_by, set(entry.stands_for)) == ("all", None, {alice.member.pk, bob.member.pk})
    two.uploads()
    two.look_again(bob)
    two.look_again(alice)
    assert (two.uploads(), two.files()) == (0, [LARGE, SMALL])


def test_only_what_is_missing_is_sent(two: Two) -> None:
    """What the first one's limit let pass is there, and is not even read again."""
    alice, bob = two.room.alice, two.room.bob
    policy.set_member_value(alice.member, "attach.most_megabytes", 1)
    assert (two.run(alice).notes["file_too_large"], two.files()) == (1, [SMALL])
    two.uploads()
    assert "file_too_large" not in two.run(bob).notes
    assert (two.uploads(), two.files(), LedgerEntry.objects.get().files) == (1, [LARGE, SMALL], "all")


def test_a_copy_that_was_handed_over_without_its_files_gets_them_from_the_mailbox(two: Two) -> None:
    alice = two.room.alice
    handed = asked.log_letter_now(alice.member, read([two.raw], timezone.now()), Whence())
    assert (handed.verdict.rule, handed.notes, two.files()) == ("asked_for", {"handed_over": 2}, [])
    assert two.run(alice).activity_id == handed.activity_id
    assert two.files() == [LARGE, SMALL]
    again = asked.log_letter_now(alice.member, read([two.raw], timezone.now()), Whence())
    assert (again.activity_id, again.notes, two.files()) == (handed.activity_id, {}, [LARGE, SMALL])


def test_who_asks_for_it_once_more_has_its_attachments_go_along_that_were_off(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = two.room.alice
    switch_off(alice.member)
    two.run(alice)
    assert two.look_again(alice).notes["files_off"] == 2
    assert two.save_now(alice, monkeypatch).notes == {"files_off": 2}
    policy.set_member_value(alice.member, "attach.enabled", True)
    for uploads in (2, 0):
        two.uploads()
        found = two.save_now(alice, monkeypatch)
        assert (found.verdict.rule, found.notes, two.uploads()) == ("matched", {}, uploads)
    assert two.files() == [LARGE, SMALL]
    assert "files_off" not in two.decision(alice).notes


def test_what_somebody_has_deleted_since_comes_back_with_no_look(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = two.room.alice
    policy.set_member_value(alice.member, "attach.most_megabytes", 1)
    two.run(alice)
    (document,) = (row["ContentDocumentId"] for row in two.room.desk.rows("ContentVersion", Title=SMALL))
    lookups.delete_each(two.room.desk.wire(), [f"ContentDocument/{document}"])
    two.look_again(alice)
    assert two.files() == []
    two.save_now(alice, monkeypatch)  # he asks for it
    assert two.files() == [SMALL]


def test_links_that_a_colleague_posts_are_posted_once(two: Two) -> None:
    alice, bob = two.room.alice, two.room.bob
    policy.set_organization_value("test", alice.member.organization_id, "attach.drive_target", "chatter")
    policy.set_member_value(alice.member, "email.sync.text", False)
    two.run(alice)
    posts = [two.room.desk.rows("FeedItem", LinkUrl=LINK)]
    for look in (two.run, two.look_again):
        look(bob)
        posts.append(two.room.desk.rows("FeedItem", LinkUrl=LINK))
    assert [len(each) for each in posts] == [0, 1, 1]
