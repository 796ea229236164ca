"""The demo mailbox: every odd mail of the folder is read, hostile mail harms nothing, and the pane needs no cookie."""

import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from sidebar.demo.mailbox import conversations, sign_in_hints
from sidebar.demo.markup import sanitised
from sidebar.demo.message import Unreadable, read_message

FOLDER = Path(__file__).parents[2] / "simulators" / "mailbox"
HOST = {"Host": "localhost:8000"}


@pytest.fixture
def visitor(settings: Any) -> Client:
    settings.DEMO_MAILBOX = str(FOLDER)
    return Client(headers=HOST)


def people_of(subject: str) -> list[str]:
    return next(found.people for found in conversations(FOLDER) if subject in found.subject)


def test_names_of_every_kind_are_read() -> None:
    """C54: quoted commas, RFC 2047 in four charsets, a group, comments, plus-addresses, raw UTF-8, an IDN."""
    assert '"Doe, Jane" <jane.doe@northwind.example>' in people_of("Fleet tracking")
    assert '"Łukasiewicz, Tomasz" <t.lukasiewicz@northwind.example>' in people_of("Fleet tracking")
    assert '"渡辺 健二" <k.watanabe@kestrel-labs.example>' in people_of("Nightly export")
    assert '"Jürgen Müller" <juergen.mueller@xn--mller-shne-kcb9d.example>' in people_of("Ersatzteil")
    assert '"Doe, Jane" <jane.doe+events@northwind.example>' in people_of("Site visit")
    assert '"Anne O\u2019Brien <Ops> & Sons" <anne.obrien@obrien-haulage.example>' in people_of("Site visit")
    assert len(people_of("Site visit")) == 13


def test_answers_stand_with_what_they_answer() -> None:
    thread = next(found for found in conversations(FOLDER) if "Fleet tracking" in found.subject)
    assert len(thread.mails) == 3
    assert thread.senders == "Jane, Alice, Liam"
    assert [mail.sent_at for mail in thread.mails] == sorted(mail.sent_at for mail in thread.mails)


def test_who_replied_to_what() -> None:
    """Two headers, and none of an automatic answer: that says nothing of its person (RFC 3834)."""
    thread = next(found for found in conversations(FOLDER) if "Fleet tracking" in found.subject)
    assert json.loads(thread.replies_json) == [
        {"in_reply_to": "<c0ffee-4411@northwind.example>", "sender": "alice@acme.example"},
        {"in_reply_to": "<CAF3x91k2@mail.acme.example>", "sender": "liam.oconnor@northwind.example"},
    ]
    answer = b"From: a@b.example\nIn-Reply-To: <1@c.example>\n%s\n\nI am away."
    for header, in_reply_to in (
        (b"X-Other: 1", "<1@c.example>"),
        (b"Auto-Submitted: no", "<1@c.example>"),
        (b"Auto-Submitted: auto-replied", ""),
        (b"Auto-Submitted: auto-generated; owner=x", ""),
    ):
        assert read_message(answer % header).in_reply_to == in_reply_to


def test_the_folder_is_parsed_once() -> None:
    assert conversations(FOLDER) is conversations(FOLDER)


def test_three_people_are_offered() -> None:
    assert [hint["username"].split("@")[0] for hint in sign_in_hints(FOLDER)] == ["alice", "bob", "charlie"]


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="java\tscript:alert(1)">x</a>',
        '<p style="background: url(https://evil.example/)">x</p>',
        '<p style="background: u\\72l(https://evil.example/)">x</p>',
        '<img src="https://evil.example/p.gif">',
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        '<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example/">',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
        '<form action="https://evil.example/"><input name=a></form>',
        "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(1)>'>",
        '<p title="&quot;><script>alert(1)</script>">x</p>',
    ],
)
def test_nothing_in_a_mails_html_acts_or_loads(html: str) -> None:
    tags = Tags()
    tags.feed(sanitised(html, {}).html)
    assert {name for name, _ in tags.seen} <= {"a", "p", "table", "span"}
    assert {name for _, names in tags.seen for name in names} <= {"title"}


class Tags(HTMLParser):
    """The elements of a text with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def test_markup_is_closed_and_plain_text_kept() -> None:
    clean = sanitised("<div><b>bold <i>both</b> after <a href='https://a.example/?x=1&y=2'>link</a>", {})
    assert clean.html.count("<div>") == clean.html.count("</div>") == 1
    assert 'href="https://a.example/?x=1&amp;y=2" target="_blank" rel="noopener noreferrer"' in clean.html
    assert clean.text == "bold both after link"


HOSTILE: dict[str, Callable[[], bytes]] = {
    "100,000 parts": lambda: b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 100_000,
    "1,000 levels": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(1_000)
    ),
    "3,000 parentheses": lambda: b"To: " + b"(" * 3_000 + b"\n\nx",
    "empty Message-ID": lambda: b"Message-ID: <>\n\nx",
    "20,000 encoded words": lambda: b"Subject: " + b"=?utf-8?q?a?= " * 20_000 + b"\n\nx",
    "charset with NUL": lambda: b"Content-Type: text/plain; charset=us-ascii\0\n\n\xff",
    "unknown charset": lambda: b"Content-Type: text/plain; charset=x-nobody\n\n\xff",
    "200,000 divs": lambda: b"Content-Type: text/html\n\n" + b"<div>" * 200_000,
    "100,000 comments": lambda: b"Content-Type: text/html\n\n" + b"<!--" * 100_000,
    "the year 9999": lambda: b"Date: Mon, 31 Dec 9999 23:59:59 -2300\n\n",
    "no such day": lambda: b"Date: Mon, 99 Foo 20999 99:99:99 +9999\n\n",
    "bad base64": lambda: b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!!###",
    "nothing": lambda: b"",
    "NUL bytes": lambda: b"\0" * 1_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_or_refused_within_two_seconds(name: str) -> None:
    raw = HOSTILE[name]()
    began = time.process_time()
    try:
        mail = read_message(raw)
        assert isinstance(mail.people, tuple)
        assert "\n" not in mail.subject
    except Unreadable:
        pass
    assert time.process_time() - began < 2


def test_a_file_name_is_only_ever_a_name() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n"
        b"Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fetc%2F%E2%80%AEpasswd%00\n\nx\n--x--\n"
    )
    assert [attachment.name for attachment in read_message(raw).attachments] == ["passwd"]


def test_pages_set_no_cookie_and_name_no_script_of_others(visitor: Client) -> None:
    """C43: the demo mailbox and the pane need none."""
    key = conversations(FOLDER)[0].key
    for path in ("/", f"/mail/{key}/", "/addins/outlook/taskpane/", "/addins/outlook/callback/?code=x&state=y"):
        response = visitor.get(path)
        assert response.status_code == 200
        assert not response.cookies
        assert "Cookie" not in response.get("Vary", "")
        text = response.content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! type=\"module\" src=\"/static/)", text)


def test_a_mails_own_html_comes_under_a_policy_that_lets_nothing_out(visitor: Client) -> None:
    letter = next(found for found in conversations(FOLDER) if "Shore power" in found.subject)
    response = visitor.get(f"/mail/{letter.key}/0/body/")
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "harbour-weekly.example/p.gif" not in response.content.decode()
    for wrong in ("/mail/nobody/", f"/mail/{letter.key}/1/body/", f"/mail/{letter.key}/{10**30}/body/"):
        assert visitor.get(wrong).status_code == 404


def test_the_newest_mail_is_handed_over_byte_for_byte(visitor: Client) -> None:
    found = next(each for each in conversations(FOLDER) if "sensor 14" in each.subject)
    answer = visitor.get(f"/mail/{found.key}/whole/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "message/rfc822")
    assert answer.content == (FOLDER / "06-savannah-sensor.eml").read_bytes()
    assert visitor.get("/mail/unknown/whole/").status_code == 404


def test_without_a_folder_there_is_no_mailbox(settings: Any) -> None:
    settings.DEMO_MAILBOX = ""
    visitor = Client(headers=HOST)
    assert visitor.get("/")["Location"] == "/dashboard/"
    assert visitor.get("/mail/anything/").status_code == 404


@pytest.mark.django_db
def test_the_task_pane_is_known_to_our_oauth_server(settings: Any) -> None:
    """A public client without a secret, under this deployment's own address."""
    from organizations.models import Application
    from sidebar.outlook.application import CLIENT_ID, register

    settings.PUBLIC_URL = "https://sidebar.example.com"
    register(using="default")
    known = Application.objects.get(client_id=CLIENT_ID)
    assert known.redirect_uris == "https://sidebar.example.com/addins/outlook/callback/"
    assert (known.client_type, known.client_secret) == (Application.CLIENT_PUBLIC, "")
