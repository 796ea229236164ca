"""The suite for mailboxes: headings and whole messages. See tests/contracts/mailbox.py."""

import hashlib
import tracemalloc
from datetime import UTC, datetime

import pytest

from providers.errors import (
    NotFound,
    Rejected,
    Transient,
)
from providers.mail import FolderKind, Mailbox
from tests.contracts.mailbox_standing import CANARY, LARGEST, Post, Standing, letter, whole


class Messages(Standing):
    """Headings, and the message as it arrived."""

    def test_it_names_its_owner(self, mailbox: Mailbox, post: Post) -> None:
        assert mailbox.addresses() == ("alice@acme.example",)
        post.simulated.sim("users/alice", {"aliases": ["sales@acme.example"]})
        assert mailbox.addresses() == ("alice@acme.example", "sales@acme.example")

    def test_a_heading_is_all_that_the_first_decision_needs(self, mailbox: Mailbox, post: Post) -> None:
        inbox = next(folder.id for folder in mailbox.folders() if folder.kind is FolderKind.INBOX)
        at = datetime(2026, 11, 19, 8, 12, 45, tzinfo=UTC)
        raw = letter("h-1")
        (one,) = post.deliver(raw, at=at)
        found = mailbox.headings([one])[one]
        assert found is not None
        assert (found.id, found.folders, found.is_draft) == (one, (inbox,), False)
        assert found.received_at == at
        assert found.thread_id
        assert found.size == 0 or len(raw) * 0.5 < found.size < len(raw) * 3
        headers = dict(found.headers)
        assert " ".join(headers["from"].split()) == "Jane Doe <jane.doe@northwind.example>"
        assert "liam@northwind.example" in headers["cc"]
        assert "bob@acme.example" in headers["cc"]
        assert (headers["subject"], headers["message-id"]) == ("Mail h-1", "<h-1@northwind.example>")
        assert headers["references"] == headers["in-reply-to"] == "<first@northwind.example>"
        assert headers["date"] == "Thu, 19 Nov 2026 08:12:41 +0000"

    def test_a_heading_holds_no_content_and_no_other_header(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter("h-2", body="the-secret-body"))
        found = mailbox.headings([one])[one]
        assert found is not None
        assert "x-private" not in dict(found.headers)
        assert "the-secret-body" not in str([getattr(found, name) for name in type(found).__slots__])
        assert CANARY not in str([getattr(found, name) for name in type(found).__slots__])
        assert "northwind" not in repr(found)

    @pytest.mark.parametrize(
        "header", ["Auto-Submitted: auto-replied", "List-Id: <l.example>", "Sensitivity: Private", "Bcc: x@y.example"]
    )
    def test_marks_of_machines_and_of_privacy_are_in_the_heading(
        self, mailbox: Mailbox, post: Post, header: str
    ) -> None:
        name, _, value = header.partition(": ")
        (one,) = post.deliver(header.encode() + b"\r\n" + letter("h-3"))
        found = mailbox.headings([one])[one]
        assert found is not None
        assert dict(found.headers)[name.lower()] == value

    def test_a_thread_is_one_thread(self, mailbox: Mailbox, post: Post) -> None:
        first = letter("t-1", subject="Offer")
        reply = letter("t-2", subject="Re: Offer").replace(b"<first@", b"<t-1@")
        ids = [*post.deliver(first), *post.deliver(reply, folder="sent"), *post.deliver(letter("other", subject="X"))]
        threads = [heading.thread_id for heading in mailbox.headings(ids).values() if heading]
        assert threads[0] == threads[1] != threads[2]

    def test_a_draft_says_so(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter(), folder="drafts")
        found = mailbox.headings([one])[one]
        assert found is not None
        assert found.is_draft

    def test_twenty_headings_are_one_call(self, mailbox: Mailbox, post: Post) -> None:
        ids = post.deliver(*(letter(f"b-{number}") for number in range(19)))
        post.delete(ids[3])
        unknown = ids[0][:-4] + ("aaaa" if ids[0][-4:] != "aaaa" else "bbbb")
        post.forget_calls()
        found = mailbox.headings([*ids, unknown])
        assert len(post.calls()) == 1
        assert list(found) == [*ids, unknown]
        assert {key for key, heading in found.items() if heading is None} == {ids[3], unknown}
        for number, key in enumerate(ids):
            heading = found[key]
            assert heading is None or dict(heading.headers)["subject"] == f"Mail b-{number}"

    def test_not_more_than_twenty(self, mailbox: Mailbox) -> None:
        with pytest.raises(ValueError, match="20"):
            mailbox.headings([str(number) for number in range(21)])
        assert mailbox.headings([]) == {}

    # -- the message itself --------------------------------------------------------------------------------------------

    def test_a_message_comes_as_it_arrived(self, mailbox: Mailbox, post: Post) -> None:
        raws = [
            letter("m-1"),
            letter("m-2", body='Grüße 👋 \u2028 \x00 \\ " </script>'),
            b"Subject: bare\n\nLF only, and no end of line",
            letter("m-3").replace(b"Hello", bytes(range(256))),
            *(letter("pad", body="x" * length) for length in range(3)),
        ]
        for key, raw in zip(post.deliver(*raws), raws, strict=True):
            assert whole(mailbox, key) == raw

    def test_a_large_message_takes_little_memory(self, mailbox: Mailbox, post: Post) -> None:
        one = post.deliver_large(12_000_000)
        held = post.held()[one]
        tracemalloc.start()
        with mailbox.mime(one, most=LARGEST) as stream:
            size, digest = 0, hashlib.sha256()
            for piece in stream:
                size += len(piece)
                digest.update(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (size, digest.hexdigest()) == (held["size"], held["sha256"])
        assert size > 12_000_000
        assert peak < 3_000_000

    def test_a_message_may_be_too_long(self, mailbox: Mailbox, post: Post) -> None:
        raw = letter(body="x" * 50_000)
        (one,) = post.deliver(raw)
        assert whole(mailbox, one, most=len(raw)) == raw
        with pytest.raises(Rejected) as caught:
            whole(mailbox, one, most=len(raw) - 1)
        assert caught.value.code == "too_long"

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
    def test_a_message_that_breaks_off_is_never_taken_for_whole(
        self, mailbox: Mailbox, post: Post, share: float
    ) -> None:
        raw = letter(body="x" * 300_000)
        (one,) = post.deliver(raw)
        post.fault(cut_after=int(len(raw) * share), times=1)
        with pytest.raises(Transient):
            whole(mailbox, one)
        assert whole(mailbox, one) == raw

    def test_what_was_never_there_is_not_found(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter())
        with pytest.raises(NotFound):
            whole(mailbox, one[:-4] + ("aaaa" if one[-4:] != "aaaa" else "bbbb"))

    def test_its_person_can_open_it_in_a_browser(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter())
        address = mailbox.web_address(one)
        assert address.startswith("https://")
        assert one in address
        for gone in (one[:-4] + ("aaaa" if one[-4:] != "aaaa" else "bbbb"), "../profile"):
            with pytest.raises(NotFound):
                mailbox.web_address(gone)

    @pytest.mark.parametrize("odd", ["../profile", "x?y=z", "a/b", "a#b", "a b", "", "%2e%2e"])
    def test_an_id_never_becomes_a_path(self, mailbox: Mailbox, post: Post, odd: str) -> None:
        post.forget_calls()
        with pytest.raises((NotFound, Rejected)):
            whole(mailbox, odd)
        assert mailbox.headings([odd]) == {odd: None}
        assert not [call for call in post.calls() if "profile" in call["path"] and "/messages/" not in call["path"]]
