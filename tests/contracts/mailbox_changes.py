"""The suite for mailboxes: folders, changes, cursors, listings. See tests/contracts/mailbox.py."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.errors import (
    CursorExpired,
    NotFound,
)
from providers.mail import FolderKind, Mailbox
from tests.contracts.mailbox_standing import Post, Reader, Standing, everything, gone, letter, there, whole


class Changes(Standing):
    """Folders, changes, cursors, listings."""

    def test_it_says_whose_it_is(self, mailbox: Mailbox) -> None:
        assert mailbox.provider == self.provider

    def test_folders_have_kinds(self, mailbox: Mailbox) -> None:
        kinds = [folder.kind for folder in mailbox.folders()]
        for kind in (FolderKind.INBOX, FolderKind.SENT, FolderKind.DRAFTS, FolderKind.TRASH, FolderKind.JUNK):
            assert kinds.count(kind) == 1

    def test_a_folder_keeps_its_id_and_tells_its_whole_path(self, mailbox: Mailbox, post: Post) -> None:
        outer = post.make_folder("Clients")
        inner = post.make_folder("Northwind", parent=outer)
        found = {folder.id: folder for folder in mailbox.folders()}
        assert (found[outer].name, found[inner].name) == ("Clients", "Clients/Northwind")
        assert found[inner].kind is FolderKind.OTHER
        post.rename_folder(outer, "Customers")
        assert {f.id: f.name for f in mailbox.folders()}[inner] == "Customers/Northwind"

    def test_many_folders(self, mailbox: Mailbox, post: Post) -> None:
        made = {post.make_folder(f"Folder {number}") for number in range(60)}
        assert made <= {folder.id for folder in mailbox.folders()}

    # -- changes -------------------------------------------------------------------------------------------------------

    def test_only_what_came_after_the_cursor_is_told(self, mailbox: Mailbox, post: Post) -> None:
        (before,) = post.deliver(letter("before"))
        reader = Reader.of(mailbox)
        assert reader.new() == []
        after = post.deliver(letter("1"), letter("2"))
        changes = reader.new()
        assert there(changes) == set(after)
        assert before not in there(changes)
        assert reader.new() == []

    def test_a_change_may_name_the_folder(self, mailbox: Mailbox, post: Post) -> None:
        inbox = next(folder.id for folder in mailbox.folders() if folder.kind is FolderKind.INBOX)
        reader = Reader.of(mailbox)
        (new,) = post.deliver(letter())
        assert {change.folders for change in reader.new() if change.message_id == new} <= {(inbox,), ()}

    @pytest.mark.parametrize("folder", ["sent", "archive", "junk", "drafts"])
    def test_changes_come_from_every_folder(self, mailbox: Mailbox, post: Post, folder: str) -> None:
        reader = Reader.of(mailbox)
        (new,) = post.deliver(letter(), folder=folder)
        assert there(reader.new()) == {new}

    def test_changes_come_in_pages_and_each_cursor_stands_for_itself(self, mailbox: Mailbox, post: Post) -> None:
        """A crash between two pages must cost nothing: what follows a page's cursor is told from that cursor alone."""
        reader = Reader.of(mailbox, most=2)
        start = dict(reader.cursors)
        new = set(post.deliver(*(letter(number) for number in range(7))))
        stream, told, cursors = self._first_pages(reader)
        assert set().union(*told) == new
        for index, cursor in enumerate(cursors):
            again = Reader(mailbox, {stream: cursor}, most=100)
            assert there(again.new()) | set().union(set(), *told[: index + 1]) == new
        assert there(Reader(mailbox, start, most=100).new()) == new

    def _first_pages(self, reader: Reader) -> tuple[str, list[set[str]], list[str]]:
        """Of the stream that has news: what each page told, and its cursor."""
        for stream, cursor in reader.cursors.items():
            told, cursors, has_more = [], [cursor], True
            while has_more:
                page = reader.mailbox.changes(stream, cursors[-1], most=2)
                told.append(there(page.changes))
                cursors.append(page.cursor)
                has_more = page.has_more
            if any(told):
                assert len([ids for ids in told if ids]) >= 3
                return stream, told, cursors[1:]
        raise AssertionError("nothing was told")

    def test_what_comes_while_pages_are_read_is_told(self, mailbox: Mailbox, post: Post) -> None:
        reader = Reader.of(mailbox, most=2)
        expected = set(post.deliver(*(letter(number) for number in range(5))))
        found: set[str] = set()
        for stream in reader.cursors:
            for number, change in enumerate(reader.of_stream(stream)):
                found.add(change.message_id)
                if number < 3:
                    expected |= set(post.deliver(letter(f"late {number}")))
        assert found | there(reader.new()) == expected

    def test_a_moved_message_keeps_its_id(self, mailbox: Mailbox, post: Post) -> None:
        folder = post.make_folder("Northwind")
        (moved,) = post.deliver(letter())
        reader = Reader.of(mailbox)
        post.move(moved, folder)
        assert moved in there(reader.new())
        heading = mailbox.headings([moved])[moved]
        assert heading is not None
        assert heading.folders == (folder,)

    def test_a_deleted_message_is_told_and_gone(self, mailbox: Mailbox, post: Post) -> None:
        (lost,) = post.deliver(letter())
        reader = Reader.of(mailbox)
        post.delete(lost)
        changes = reader.new()
        assert (there(changes), gone(changes)) == (set(), {lost})
        assert mailbox.headings([lost]) == {lost: None}
        with pytest.raises(NotFound):
            whole(mailbox, lost)

    def test_replays_are_harmless(self, mailbox: Mailbox, post: Post) -> None:
        reader = Reader.of(mailbox, most=2)
        post.deliver(letter("a"), letter("b"), letter("c"))
        reader.new()
        post.repeat(3)
        second = post.deliver(letter("d"), letter("e"), letter("f"))
        told = there(reader.new())
        assert set(second) <= told <= set(post.held())
        assert reader.new() == [] or there(reader.new()) <= told

    # -- cursors that are too old --------------------------------------------------------------------------------------

    def test_an_expired_cursor_is_told_apart(self, mailbox: Mailbox, post: Post) -> None:
        reader = Reader.of(mailbox)
        post.deliver(letter())
        post.expire()
        for stream, cursor in reader.cursors.items():
            with pytest.raises(CursorExpired):
                mailbox.changes(stream, cursor)
        fresh = Reader.of(mailbox)
        (new,) = post.deliver(letter("new"))
        assert there(fresh.new()) == {new}

    def test_a_cursor_between_two_pages_expires_as_well(self, mailbox: Mailbox, post: Post) -> None:
        reader = Reader.of(mailbox, most=1)
        post.deliver(*(letter(number) for number in range(3)))
        stream = next(s for s, c in reader.cursors.items() if mailbox.changes(s, c, most=1).has_more)
        middle = mailbox.changes(stream, reader.cursors[stream], most=1).cursor
        post.expire()
        with pytest.raises(CursorExpired):
            mailbox.changes(stream, middle, most=1)

    @pytest.mark.parametrize("cursor", ["0", "nonsense", "", "../../me", "999999999999999999999999"])
    def test_a_cursor_that_makes_no_sense_is_as_good_as_expired(self, mailbox: Mailbox, cursor: str) -> None:
        stream = mailbox.streams([folder.id for folder in mailbox.folders()])[0]
        with pytest.raises(CursorExpired):
            mailbox.changes(stream, cursor)

    # -- listings ------------------------------------------------------------------------------------------------------

    def test_a_listing_holds_a_span_newest_first(self, mailbox: Mailbox, post: Post) -> None:
        """Its ends may be a second wide: nothing may fall between two spans, and what comes twice is known."""
        noon = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
        times = [noon + timedelta(minutes=minute) for minute in range(-1, 6)]
        ids = [post.deliver(letter(str(at.minute)), at=at)[0] for at in times]
        found = everything(mailbox, noon, noon + timedelta(minutes=4, seconds=30), most=2)
        assert found == list(reversed(ids[1:6]))
        assert everything(mailbox, noon - timedelta(days=900), noon - timedelta(days=800)) == []

    def test_a_listing_is_of_every_folder_that_people_file_in(self, mailbox: Mailbox, post: Post) -> None:
        noon = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
        folders = ["inbox", "sent", "archive", post.make_folder("Northwind")]
        ids = [post.deliver(letter(number), folder=f, at=noon)[0] for number, f in enumerate(folders)]
        assert set(ids) <= set(everything(mailbox, noon - timedelta(hours=1), noon + timedelta(hours=1)))

    def test_a_span_may_begin_within_a_second(self, mailbox: Mailbox, post: Post) -> None:
        noon = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
        (one,) = post.deliver(letter(), at=noon + timedelta(seconds=0.7))
        assert everything(mailbox, noon + timedelta(seconds=0.5), noon + timedelta(minutes=1)) == [one]

    def test_times_of_any_zone(self, mailbox: Mailbox, post: Post) -> None:
        noon = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
        (one,) = post.deliver(letter(), at=noon)
        there = noon.astimezone(datetime.strptime("+0530", "%z").tzinfo)
        assert everything(mailbox, there - timedelta(minutes=1), there + timedelta(minutes=1)) == [one]

    def test_nothing_falls_between_cursor_and_listing(self, mailbox: Mailbox, post: Post) -> None:
        now = datetime.now(UTC)
        earlier = post.deliver(letter("earlier"))
        reader = Reader.of(mailbox)
        between = post.deliver(letter("between"))
        listed = everything(mailbox, now - timedelta(minutes=1), now + timedelta(minutes=1))
        later = post.deliver(letter("later"))
        assert {*earlier, *between, *later} <= {*listed, *there(reader.new())}
