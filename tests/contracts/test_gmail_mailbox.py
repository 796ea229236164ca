"""Gmail passes the suite for mailboxes, its wire judged by Google's discovery document; and what only Gmail does."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers.errors import CursorExpired, PermissionMissing, ProviderError, RateLimited, Rejected, Transient
from providers.google.mail import GmailMailbox
from providers.mail import FolderKind, Mailbox
from tests.contracts.discovery import Document, Judge
from tests.contracts.mailbox import MailboxContract
from tests.contracts.mailbox_standing import Post, Reader, Tokens, everything, letter, there, whole
from tests.simulators.mail_providers import MailProvider

DOCUMENT = Document("gmail.v1")
#: Here the simulator is told to answer what no Google would.
_NOT_GOOGLES = ("test_nonsense", "test_trouble", "test_no_failure_tells", "test_what_google_says")
_seen: set[str] = set()


class TestGmail(MailboxContract):
    provider, api = "google", "api_url"
    scope = "openid https://www.googleapis.com/auth/gmail.readonly"
    too_little = "openid email https://www.googleapis.com/auth/calendar.events"
    address = "projects/sidebar-demo/topics/gmail"

    @pytest.fixture(autouse=True)
    def judge(self, request: pytest.FixtureRequest) -> Iterator[Judge]:
        """Every request of every test, and every answer of the simulator that was not ordered otherwise."""
        self._judge = Judge(DOCUMENT)
        yield self._judge
        _seen.update(self._judge.seen)
        assert self._judge.wrong_requests == []
        if not request.node.name.startswith(_NOT_GOOGLES):
            assert self._judge.wrong_answers == []

    def mailbox_of(self, running: MailProvider, tokens: Tokens) -> Mailbox:
        mailbox = super().mailbox_of(running, tokens)
        assert isinstance(mailbox, GmailMailbox)
        mailbox._calls._http.hooks["response"].append(self._judge.hear)
        return mailbox

    # -- history ----------------------------------------------------------------------------------------------------

    def test_history_lives_a_week(self, mailbox: Mailbox, post: Post) -> None:
        old = Reader.of(mailbox)
        post.deliver(letter("1"))
        post.simulated.sim("clock", {"advance": 6 * 86_400})
        post.deliver(letter("2"))
        assert len(there(old.new())) == 2
        first = Reader.of(mailbox)
        post.deliver(letter("3"))
        post.simulated.sim("clock", {"advance": 8 * 86_400})
        with pytest.raises(CursorExpired):
            first.new()

    def test_reading_and_starring_are_no_news(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter())
        reader = Reader.of(mailbox)
        post.say("mark", id=one, add=["STARRED"], remove=["UNREAD"])
        assert reader.new() == []

    def test_a_label_that_is_taken_away_is_news(self, mailbox: Mailbox, post: Post) -> None:
        folder = post.make_folder("Private")
        (one,) = post.deliver(letter(), folder=folder)
        reader = Reader.of(mailbox)
        post.say("mark", id=one, remove=[folder])
        (change,) = reader.new()
        assert (change.message_id, change.folders) == (one, ())

    def test_a_cursor_is_never_a_page_token(self, mailbox: Mailbox, post: Post) -> None:
        """Page tokens are not cursors: nobody says how long they live."""
        cursor = mailbox.cursor_now("")
        post.deliver(*(letter(number) for number in range(3)))
        page = mailbox.changes("", cursor, most=2)
        assert page.has_more
        assert int(cursor) < int(page.cursor) < int(mailbox.cursor_now(""))

    def test_an_empty_page_is_not_the_end(self, mailbox: Mailbox, post: Post) -> None:
        """As long as there is a token, there is more; a cursor that does not move on would be asked for ever."""
        start = mailbox.cursor_now("")
        now = str(int(start) + 90)
        record = {"id": str(int(start) + 50), "messagesAdded": [{"message": {"id": "18c", "labelIds": ["INBOX"]}}]}
        where = {"path": "/gmail/v1/users/me/history", "status": 200}
        post.fault(**where, body={"historyId": now, "nextPageToken": "next"})
        post.fault(**where, body={"historyId": now, "nextPageToken": "last", "history": [record]})
        page = mailbox.changes("", start)
        assert ([each.message_id for each in page.changes], page.cursor, page.has_more) == (["18c"], record["id"], True)
        post.fault(**where, body={"historyId": now})
        assert mailbox.changes("", start).cursor == now, "or the cursor of a quiet mailbox would grow too old"

    def test_empty_pages_without_end_pass_nothing_over(self, mailbox: Mailbox, post: Post) -> None:
        start = mailbox.cursor_now("")
        (one,) = post.deliver(letter())
        body = {"historyId": mailbox.cursor_now(""), "nextPageToken": "next"}
        post.fault(path="/gmail/v1/users/me/history", status=200, body=body, times=200)
        with pytest.raises(Transient):
            mailbox.changes("", start)
        post.simulated.sim("reset", {"only": ["faults"]})
        assert [each.message_id for each in mailbox.changes("", start).changes] == [one]

    def test_three_thousand_changes(self, mailbox: Mailbox, post: Post) -> None:
        """In pages of the most that Gmail gives, none told twice and none left out."""
        post.say("quota", units=0)
        reader = Reader.of(mailbox, most=5_000)
        raw = letter("bulk")
        new = {key for _ in range(15) for key in post.deliver(*[raw] * 200)}
        told = [change.message_id for change in reader.new()]
        assert len(told) == len(new) == 3_000
        assert set(told) == new
        assert reader.pages == 6

    # -- labels and listings ----------------------------------------------------------------------------------------

    def test_marks_and_tabs_are_no_folders(self, mailbox: Mailbox) -> None:
        assert {folder.id for folder in mailbox.folders()} == {"INBOX", "SENT", "DRAFT", "TRASH", "SPAM"}

    def test_the_archive_is_no_folder_at_all(self, mailbox: Mailbox, post: Post) -> None:
        (one,) = post.deliver(letter())
        post.move(one, "archive")
        heading = mailbox.headings([one])[one]
        assert heading is not None
        assert heading.folders == ()
        assert FolderKind.ARCHIVE not in {folder.kind for folder in mailbox.folders()}

    def test_spam_and_trash_are_not_listed(self, mailbox: Mailbox, post: Post) -> None:
        noon = datetime(2021, 3, 4, 12, 0, tzinfo=UTC)
        (spam,) = post.deliver(letter(), folder="junk", at=noon)
        (trash,) = post.deliver(letter(), folder="trash", at=noon)
        found = everything(mailbox, noon - timedelta(hours=1), noon + timedelta(hours=1))
        assert not {spam, trash} & set(found)

    def test_a_bad_page_token_is_refused(self, mailbox: Mailbox) -> None:
        now = datetime.now(UTC)
        with pytest.raises(Rejected):
            mailbox.listed(now - timedelta(days=1), now, page="nonsense")

    # -- limits -----------------------------------------------------------------------------------------------------

    def test_the_quota_of_a_minute(self, mailbox: Mailbox, post: Post) -> None:
        """A 403 that is none."""
        (one,) = post.deliver(letter())
        post.simulated.sim("clock", {"advance": 60 - time.time() % 60})  # a whole minute lies ahead
        post.say("quota", units=12)
        assert mailbox.headings([one])[one] is not None
        assert whole(mailbox, one)
        with pytest.raises(RateLimited) as caught:
            whole(mailbox, one)
        assert not caught.value.daily

    def test_some_of_twenty_refused_are_asked_again(self, mailbox: Mailbox, post: Post) -> None:
        ids = post.deliver(*(letter(number) for number in range(5)))
        post.throttle(30, times=2)
        post.forget_calls()
        assert all(mailbox.headings(ids).values())
        assert len(post.calls()) == 2
        post.throttle(30, times=5)
        with pytest.raises(RateLimited):
            mailbox.headings(ids)
        assert len(post.calls()) == 3, "all of them refused: there is nothing to gain by asking again"

    @pytest.mark.parametrize(
        ("status", "error", "expected", "code"),
        [
            (403, {"errors": [{"reason": "rateLimitExceeded"}]}, RateLimited, ""),
            (403, {"errors": [{"reason": "dailyLimitExceeded"}]}, RateLimited, ""),
            (403, {"errors": [{"reason": "accessNotConfigured"}]}, PermissionMissing, "api_disabled"),
            (403, {"errors": [{"reason": "domainPolicy"}]}, PermissionMissing, "admin_policy"),
            (403, {"details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}, PermissionMissing, "scope_missing"),
            (400, {"status": "FAILED_PRECONDITION", "message": "Precondition check failed."}, Transient, "unreachable"),
            (400, {"errors": [{"reason": "failedPrecondition"}], "message": "Mail service not enabled"},
             PermissionMissing, "no_mailbox"),
            (400, {"errors": [{"reason": "invalidArgument"}]}, Rejected, ""),
            (500, {"errors": [{"reason": "backendError"}]}, Transient, "unreachable"),
            (302, {}, Transient, "unreachable"),
        ],
    )  # fmt: skip
    def test_what_google_says(
        self, mailbox: Mailbox, post: Post, status: int, error: dict[str, Any], expected: type[ProviderError], code: str
    ) -> None:
        post.fault(status=status, body={"error": {"code": status, **error}})
        with pytest.raises(expected) as caught:
            mailbox.folders()
        assert caught.value.code == code
        assert getattr(caught.value, "daily", False) == ("dailyLimit" in str(error))

    # -- watching ---------------------------------------------------------------------------------------------------

    def test_another_topic_takes_the_place_of_the_first(self, mailbox: Mailbox) -> None:
        mailbox.subscribe([""], "projects/sidebar-demo/topics/old", "")
        (now,) = mailbox.subscribe([""], self.address, "")
        assert now.id == self.address

    def test_a_topic_where_gmail_may_not_publish(self, mailbox: Mailbox, post: Post) -> None:
        post.simulated.sim("push", {"refused_topics": [self.address]})
        with pytest.raises(PermissionMissing) as caught:
            mailbox.subscribe([""], self.address, "")
        assert caught.value.code == "topic_refused"


def test_every_method_that_we_rely_on_was_judged() -> None:
    wanted = {"getProfile", "labels.list", "messages.list", "messages.get", "history.list", "watch", "stop"}
    wanted |= {"settings.sendAs.list"}
    if not _seen:
        pytest.skip("the suite did not run before")
    assert {f"gmail.users.{name}" for name in wanted} <= _seen
