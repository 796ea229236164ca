"""What only Graph does: rounds of delta, forgotten tokens, moves there and back, headers of what was sent, limits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import getaddresses

import pytest

from providers.errors import CursorExpired, NotFound, PermissionMissing, RateLimited, Rejected, Transient
from providers.mail import FolderKind, Mailbox
from providers.microsoft import mail_changes
from tests.contracts.graph_description import FILE
from tests.contracts.graph_standing import SCOPE, Graph
from tests.contracts.mailbox_standing import Post, Reader, Tokens, everything, gone, letter, there, whole
from tests.simulators.mail_providers import MailProvider

NOON = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)


def test_microsofts_description_is_there() -> None:
    if not FILE.is_file():
        pytest.skip("../shared/corpora is not here: requests to Graph are not judged by its description")


class TestChanges(Graph):
    def test_there_and_back_within_a_round_is_not_gone(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        """microsoft-graph-docs-contrib issue 72: with immutable ids, Graph tells it as removed, and never again."""
        (one,) = post.deliver(letter())
        cursor = mailbox.cursor_now(inbox)
        post.move(one, post.make_folder("Elsewhere"))
        post.move(one, "inbox")
        (change,) = mailbox.changes(inbox, cursor).changes
        assert (change.message_id, change.is_gone, change.folders) == (one, False, (inbox,))

    def test_what_left_a_folder_is_told_with_where_it_is(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        folder = post.make_folder("Elsewhere")
        ids = post.deliver(*(letter(number) for number in range(25)))
        cursor = mailbox.cursor_now(inbox)
        for one in ids[:22]:
            post.move(one, folder)
        post.delete(ids[24])
        page = mailbox.changes(inbox, cursor)
        assert {change.message_id: change.folders for change in page.changes if not change.is_gone} == dict.fromkeys(
            ids[:22], (folder,)
        )
        assert gone(page.changes) == {ids[24]}

    def test_a_long_folder_is_not_told_from_its_beginning(
        self, mailbox: Mailbox, post: Post, inbox: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Graph knows no "from now on" for messages: the first round goes on in pages, and only what is new counts."""
        monkeypatch.setattr(mail_changes, "_FIRST_PAGE", 10)
        post.deliver(*(letter(number) for number in range(35)), at=datetime.now(UTC) - timedelta(days=1))
        cursor = mailbox.cursor_now(inbox)
        new = set(post.deliver(letter("a"), letter("b")))
        cursors, told, has_more = [cursor], set[str](), True
        while has_more:
            page = mailbox.changes(inbox, cursors[-1], most=10)
            told |= there(page.changes)
            cursors.append(page.cursor)
            has_more = page.has_more
        assert len(cursors) > 3
        told |= there(mailbox.changes(inbox, cursors[-1]).changes)
        assert told == new
        for at in cursors[:-1]:
            assert new <= there(Reader(mailbox, {inbox: at}).new()) | told

    def test_what_came_during_the_first_round_is_told(
        self, mailbox: Mailbox, post: Post, inbox: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A moment before counts as during: seen late, it would be nobody's."""
        monkeypatch.setattr(mail_changes, "_FIRST_PAGE", 2)
        old = post.deliver(*(letter(number) for number in range(5)), at=datetime.now(UTC) - timedelta(hours=1))
        late = post.deliver(letter("late"), letter("later"), letter("latest"))
        told = there(Reader(mailbox, {inbox: mailbox.cursor_now(inbox)}).new())
        assert told & set(old) == set()
        assert told & set(late)

    def test_touched_messages_come_again_and_nothing_else(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        one, _ = post.deliver(letter("a"), letter("b"))
        cursor = mailbox.cursor_now(inbox)
        post.say("touch", id=one)
        assert there(mailbox.changes(inbox, cursor).changes) == {one}

    def test_a_draft_that_goes_out_is_told_again_under_the_same_id(self, mailbox: Mailbox, post: Post) -> None:
        """So whoever has passed it over as a draft must look again."""
        (draft,) = post.deliver(letter(), folder="drafts")
        reader = Reader.of(mailbox)
        post.say("send", id=draft)
        assert there(reader.new()) == {draft}
        found = mailbox.headings([draft])[draft]
        assert found is not None
        kinds = {folder.id: folder.kind for folder in mailbox.folders()}
        assert (found.is_draft, [kinds[each] for each in found.folders]) == (False, [FolderKind.SENT])

    def test_few_tokens_are_remembered(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        post.say("expire", kept=3)
        cursors = [mailbox.cursor_now(inbox)]
        for number in range(5):
            post.deliver(letter(number))
            cursors.append(mailbox.changes(inbox, cursors[-1]).cursor)
        for at in cursors[-3:]:
            mailbox.changes(inbox, at)
        with pytest.raises(CursorExpired):
            mailbox.changes(inbox, cursors[0])

    def test_a_reset_is_an_expired_cursor(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        cursor = mailbox.cursor_now(inbox)
        post.say("expire", **{"as": "resync"})
        with pytest.raises(CursorExpired):
            mailbox.changes(inbox, cursor)

    def test_a_cursor_holds_no_origin(self, mailbox: Mailbox, inbox: str) -> None:
        cursor = mailbox.cursor_now(inbox)
        assert "://" not in cursor
        assert "localhost" not in cursor

    def test_a_link_to_another_host_is_not_followed(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        cursor = mailbox.cursor_now(inbox)
        for link in ("https://evil.example/v1.0/me/mailFolders/x/messages/delta?$deltatoken=1", "//evil.example/", 7):
            post.fault(status=200, body={"value": [], "@odata.nextLink": link})
            try:
                page = mailbox.changes(inbox, cursor)
            except Transient:
                continue
            assert "evil" not in page.cursor
        post.fault(status=200, body={"value": [], "@odata.nextLink": "https://evil.example/v1.0/me/mailFolders"})
        with pytest.raises(Transient):
            mailbox.folders()

    def test_a_folder_that_is_gone_is_not_found(self, mailbox: Mailbox, post: Post) -> None:
        folder = post.make_folder("Short-lived")
        cursor = mailbox.cursor_now(folder)
        post.say("folders", id=folder, delete=True)
        with pytest.raises(NotFound):
            mailbox.changes(folder, cursor)
        with pytest.raises(NotFound):
            mailbox.cursor_now(folder)


class TestFolders(Graph):
    def test_deep_trees_and_long_levels(self, mailbox: Mailbox, post: Post) -> None:
        path, parent = [], ""
        for depth in range(12):
            path.append(f"Level {depth}")
            parent = post.make_folder(path[-1], parent=parent)
        children = {post.make_folder(f"Child {number:03}", parent=parent) for number in range(130)}
        found = {folder.id: folder.name for folder in mailbox.folders()}
        assert children <= found.keys()
        assert {found[child].rpartition("/")[0] for child in children} == {"/".join(path)}

    def test_saved_searches_are_no_folders(self, mailbox: Mailbox, post: Post) -> None:
        search = post.say("folders", name="Unread", search=True)["id"]
        assert search not in {folder.id for folder in mailbox.folders()}

    def test_names_of_people_do_not_decide_what_a_folder_is_for(self, mailbox: Mailbox, post: Post) -> None:
        fake = post.make_folder("Sent Items", parent=post.make_folder("Junk Email"))
        kinds = {folder.id: folder.kind for folder in mailbox.folders()}
        assert kinds[fake] is FolderKind.OTHER
        assert list(kinds.values()).count(FolderKind.SENT) == 1


class TestListing(Graph):
    def test_what_goes_between_two_pages_takes_nothing_along(self, mailbox: Mailbox, post: Post) -> None:
        ids = [post.deliver(letter(n), at=NOON - timedelta(minutes=n))[0] for n in range(8)]
        first = mailbox.listed(NOON - timedelta(hours=1), NOON + timedelta(hours=1), most=3)
        for lost in ids[:2]:
            post.delete(lost)
        rest = everything_after(mailbox, first.next_page)
        assert [*first.message_ids, *rest] == ids

    def test_many_of_one_second(self, mailbox: Mailbox, post: Post) -> None:
        same = post.deliver(*(letter(number) for number in range(11)), at=NOON)
        before = post.deliver(letter("before"), letter("b2"), at=NOON - timedelta(seconds=1))
        found = everything(mailbox, NOON - timedelta(hours=1), NOON + timedelta(hours=1), most=3)
        assert sorted(found) == sorted([*same, *before])

    def test_a_page_of_somebody_elses_making(self, mailbox: Mailbox) -> None:
        with pytest.raises(Rejected):
            mailbox.listed(NOON, NOON, page="1 or 1 eq 1.0")


def everything_after(mailbox: Mailbox, page: str) -> list[str]:
    found: list[str] = []
    while page:
        listed = mailbox.listed(NOON - timedelta(hours=1), NOON + timedelta(hours=1), page=page, most=3)
        found += listed.message_ids
        page = listed.next_page
    return found


class TestHeadings(Graph):
    def test_by_an_id_that_lasts_no_move_it_is_the_same_message(
        self, mailbox: Mailbox, post: Post, running: MailProvider, tokens: Tokens
    ) -> None:
        """An add-in knows no other (Office.context.mailbox.convertToRestId)."""
        (one,) = post.deliver(letter("regular"))
        url = f"{running.info['graph_url']}/v1.0/me/messages?$select=subject&$top=1"
        headers = {"Authorization": f"Bearer {tokens.access().token.reveal()}"}
        regular = running.http.get(url, headers=headers, timeout=10).json()["value"][0]["id"]
        assert regular != one
        found = mailbox.headings([regular])[regular]
        assert found is not None
        assert found.id == one

    def test_what_was_sent_has_headers_made_of_properties(self, mailbox: Mailbox, post: Post) -> None:
        """It never was on a transport: Graph has no header of it."""
        raw = letter("s-1", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=").replace(b"Jane Doe <", b'"Doe, \\"J\\"" <')
        raw = (
            b"Bcc: Zo\xc3\xab <zoe@northwind.example>\r\nReply-To: desk@acme.example\r\nSensitivity: Private\r\n" + raw
        )
        (one,) = post.deliver(raw, folder="sent")
        found = mailbox.headings([one])[one]
        assert found is not None
        headers = dict(found.headers)
        assert getaddresses([headers["from"]]) == [('Doe, "J"', "jane.doe@northwind.example")]
        assert getaddresses([headers["cc"]]) == [("Liam", "liam@northwind.example"), ("", "bob@acme.example")]
        assert headers["bcc"] == "=?utf-8?q?Zo=C3=AB?= <zoe@northwind.example>"
        assert headers["reply-to"] == "desk@acme.example"
        assert headers["subject"].startswith("=?utf-8?")
        assert headers["message-id"] == "<s-1@northwind.example>"
        assert headers["references"] == headers["in-reply-to"] == "<first@northwind.example>"
        assert (headers["date"], headers["sensitivity"]) == ("Thu, 19 Nov 2026 08:12:41 +0000", "Private")
        assert found.size == len(raw)

    @pytest.mark.parametrize(
        ("sent", "anew"),
        [
            ("Thu, 19 Nov 2026 08:12:41 -0000", "Thu, 19 Nov 2026 08:12:41 +0000"),
            ("Thu, 19 Nov 2026 09:12:41 +0100 (CET)", "Thu, 19 Nov 2026 08:12:41 +0000"),
            ("Thu, 19 Nov 2026\r\n 08:12:41", "Thu, 19 Nov 2026 08:12:41 +0000"),
            ("Mon, 99 Foo", "Mon, 99 Foo"),
        ],
    )
    def test_its_mime_has_the_date_written_anew_and_the_rest_as_it_arrived(
        self, mailbox: Mailbox, post: Post, sent: str, anew: str
    ) -> None:
        raws = [letter(body="Date: of the text").replace(b"Thu, 19 Nov 2026 08:12:41 +0000", sent.encode())]
        raws += [raw.replace(b"\r\n", b"\n") for raw in raws]
        for key, raw, end in zip(post.deliver(*raws), raws, ("\r\n", "\n"), strict=True):
            assert whole(mailbox, key) == raw.replace(sent.replace("\r\n", end).encode(), anew.encode())

    def test_a_name_cannot_make_another_header(self, mailbox: Mailbox, post: Post) -> None:
        raw = letter(subject="=?utf-8?q?A=0D=0ABcc=3A_x?=").replace(b"Jane Doe <", b"=?utf-8?q?J=0D=0AX-Y?= <")
        (one,) = post.deliver(raw, folder="sent")
        found = mailbox.headings([one])[one]
        assert found is not None
        headers = dict(found.headers)
        assert (headers["from"], headers["subject"]) == ('"J X-Y" <jane.doe@northwind.example>', "A Bcc: x")

    def test_one_throttled_part_is_no_missing_message(self, mailbox: Mailbox, post: Post) -> None:
        ids = post.deliver(letter("a"), letter("b"))
        post.throttle(12)
        with pytest.raises(RateLimited) as caught:
            mailbox.headings(ids)
        assert caught.value.retry_after == 12

    def test_what_cannot_be_an_id_is_not_asked_for(self, mailbox: Mailbox, post: Post) -> None:
        post.forget_calls()
        for odd in ("", "a b", "../me", "x" * 600):
            with pytest.raises(NotFound):
                whole(mailbox, odd)
            assert mailbox.headings([odd]) == {odd: None}
        assert post.calls() == []

    def test_basic_reading_sees_no_content(self, running: MailProvider, post: Post) -> None:
        (one,) = post.deliver(letter())
        mailbox = self.mailbox_of(running, Tokens(running, "alice", SCOPE.replace("Mail.Read", "Mail.ReadBasic")))
        assert mailbox.folders()
        with pytest.raises(PermissionMissing):
            mailbox.headings([one])
        with pytest.raises(PermissionMissing):
            whole(mailbox, one)


class TestLimits(Graph):
    def test_ten_thousand_requests_in_ten_minutes(self, mailbox: Mailbox, post: Post, inbox: str) -> None:
        post.say("spend", requests=9_999)
        cursor = mailbox.cursor_now(inbox)
        with pytest.raises(RateLimited) as caught:
            mailbox.changes(inbox, cursor)
        assert 500 < caught.value.retry_after <= 601
        post.simulated.sim("clock", {"advance": 601})
        post.simulated.sim("tokens/expire", {})
        mailbox.changes(inbox, cursor)

    def test_more_than_four_at_once_are_refused(self, mailbox: Mailbox, post: Post, running: MailProvider) -> None:
        (one,) = post.deliver(letter())
        post.fault(times=8, path="/v1.0/me/messages", delay=0.5)
        refused = 0
        with ThreadPoolExecutor(8) as pool:
            for asked in [pool.submit(whole, mailbox, one) for _ in range(8)]:
                try:
                    asked.result()
                except RateLimited:
                    refused += 1
        assert refused == 4
        assert whole(mailbox, one)


class TestLargeMessages(Graph):
    """A length that nobody announces: counted as it comes."""

    def test_a_large_one_may_be_too_long(self, mailbox: Mailbox, post: Post) -> None:
        one = post.deliver_large(3_000_000)
        size = post.held()[one]["size"]
        assert len(whole(mailbox, one, most=size)) == size
        with pytest.raises(Rejected) as caught:
            whole(mailbox, one, most=size - 1)
        assert caught.value.code == "too_long"

    def test_a_large_one_that_breaks_off_is_not_whole(self, mailbox: Mailbox, post: Post) -> None:
        one = post.deliver_large(3_000_000)
        post.fault(cut_after=1_500_000)
        with pytest.raises(Transient):
            whole(mailbox, one)
        assert len(whole(mailbox, one)) == post.held()[one]["size"]
