"""What is read of messages as mail programs make them."""

import pytest

from sync.letters import Address, Problem
from tests.sync.mime.mails import HEAD, HTML, TEXT, headed, letter, mixed

PLAIN_PART = TEXT + b"\r\nplain words"
HTML_PART = HTML + b"\r\n<p>html <b>words</b></p>"


def alternative(*parts: bytes) -> bytes:
    content = b"".join(b"--alt\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/alternative; boundary=alt\r\n\r\n" + content + b"--alt--\r\n"


def related(*parts: bytes) -> bytes:
    content = b"".join(b"--rel\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/related; boundary=rel\r\n\r\n" + content + b"--rel--\r\n"


def test_addresses_with_names_groups_and_words() -> None:
    found = headed(
        b'From: "Doe, Jane" <Jane@EXAMPLE.com>',
        b"To: =?utf-8?q?Ren=C3=A9?= <rene@example.com>, Team: a@example.com, b@example.com;",
        b"To: undisclosed-recipients:;",
        "Cc: grüße@bücher.example, broken@, c@example.com".encode(),
        b"Reply-To: <help@example.com>",
    )
    assert found.sender == Address("Doe, Jane", "Jane@example.com")
    assert [each.addr for each in found.to] == ["rene@example.com", "a@example.com", "b@example.com"]
    assert found.to[0].name == "René"
    assert [each.addr for each in found.cc] == ["grüße@xn--bcher-kva.example", "c@example.com"]
    assert [each.addr for each in found.reply_to] == ["help@example.com"]
    assert Problem.BAD_ADDRESS in found.problems


def test_a_sender_in_disguise_is_nobody() -> None:  # CVE-2023-27043
    found = headed(b"From: boss@example.com <eve@example.net>")
    assert found.sender is None
    assert Problem.BAD_ADDRESS in found.problems


def test_of_two_senders_the_first_counts_and_it_is_told() -> None:
    found = headed(b"From: a@example.com", b"From: b@example.com")
    assert found.sender == Address("", "a@example.com")
    assert Problem.REPEATED_HEADER in found.problems


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        (b"=?utf-8?b?R3LDvA==?=\r\n =?utf-8?b?w59l?= aus =?iso-8859-1?q?K=F6ln?=", "Grüße aus Köln"),
        (b"=?utf-8?b?8J+Y?= =?utf-8?b?gA==?=", "😀"),  # a character cut in two
        (b"=?utf-8*en?q?hello_there?=", "hello there"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("cp1252"), "Grüße"),
        (b"=?spam?q?=41bc?= =?utf-8?x?abc?=", "Abc =?utf-8?x?abc?="),
        (b"folded\r\n\t line", "folded line"),
    ],
)
def test_subjects(given: bytes, subject: str) -> None:
    assert headed(b"Subject: " + given).subject == subject


def test_ids_of_a_thread() -> None:
    found = headed(b"In-Reply-To: <b@x> (note)", b"References: <a@x>\r\n <b@x> <a@x> junk <>")
    assert (found.in_reply_to, found.references) == ("<b@x>", ("<a@x>", "<b@x>"))


def test_headings_are_as_a_provider_gives_them() -> None:
    found = headed(b"From: a@example.com", b"X-Mailer: none", b"Subject: =?utf-8?q?a?=\r\n b", b"Auto-Submitted: no")
    assert found.headers == (("from", "a@example.com"), ("subject", "=?utf-8?q?a?= b"), ("auto-submitted", "no"))


def test_of_alternatives_each_gives_its_own() -> None:
    found = letter(HEAD, alternative(PLAIN_PART, HTML_PART))
    assert (found.text, found.html, found.attachments) == ("plain words", "<p>html <b>words</b></p>", ())


def test_html_alone_gives_its_text() -> None:
    assert letter(HEAD, HTML_PART).text == "html words"


def test_texts_around_an_attachment_belong_together() -> None:  # Apple Mail
    picture = b"Content-Type: image/png; name=a.png\r\n\r\nx"
    found = letter(HEAD, mixed(TEXT + b"\r\nabove", picture, TEXT + b"\r\nbelow"))
    assert (found.text, found.html) == ("above\n\nbelow", "")
    assert [each.name for each in found.attachments] == ["a.png"]


def test_the_footer_of_a_list_does_not_stand_for_the_mail() -> None:
    found = letter(HEAD, mixed(HTML_PART, TEXT + b"\r\n-- \r\nlist & footer"))
    assert found.text == "html words\n\n-- \nlist & footer"
    assert found.html == "<p>html <b>words</b></p><p>-- <br>list &amp; footer</p>"


def test_an_image_that_the_html_shows_is_inline() -> None:
    shown = HTML + b'\r\n<img src="cid:one@x"><img src="cid:two@x"> hello'
    images = (
        b"Content-Type: image/png\r\nContent-ID: <one@x>\r\nContent-Disposition: attachment; filename=1.png\r\n\r\nx",
        b"Content-Type: image/png\r\nContent-ID: <two@x>\r\n\r\nx",
        b"Content-Type: image/png\r\nContent-ID: <three@x>\r\nContent-Disposition: attachment\r\n\r\nx",
    )
    found = letter(HEAD, related(shown, *images))
    assert [(each.content_id, each.is_inline) for each in found.attachments] == [
        ("one@x", True),
        ("two@x", True),
        ("three@x", False),
    ]
    assert "img" not in found.html


def test_a_text_with_a_name_is_a_file() -> None:
    found = letter(HEAD, mixed(PLAIN_PART, TEXT + b"Content-Disposition: attachment; filename=a.txt\r\n\r\nfile"))
    assert (found.text, [each.name for each in found.attachments]) == ("plain words", ["a.txt"])


def test_a_forwarded_message_is_one_attachment() -> None:
    forwarded = b"Content-Type: message/rfc822\r\n\r\n" + HEAD + mixed(PLAIN_PART).replace(b"outer", b"inner")
    found = letter(HEAD, mixed(TEXT + b"\r\nsee below", forwarded, TEXT + b"\r\nend"))
    assert (found.text, [each.name for each in found.attachments]) == ("see below\n\nend", ["message.eml"])
    assert [each.path for each in found.attachments] == ["2"]


def test_invitations_and_signatures() -> None:
    invitation = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"
    signature = b"Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nx"
    found = letter(HEAD, mixed(PLAIN_PART, invitation, signature))
    assert [each.media_type for each in found.attachments] == ["text/calendar"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Auto-Submitted: auto-replied (vacation)", True),
        (b"Auto-Submitted: No", False),
        (b"Return-Path: <>", True),
        (b"Precedence: auto_reply", True),
        (b"X-Autoreply: yes", True),
        (b"Content-Type: multipart/report; report-type=delivery-status; boundary=x", True),
        (b"X-Mailer: any", False),
    ],
)
def test_what_a_program_sent(header: bytes, expected: bool) -> None:
    assert headed(header).is_automatic is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"List-Id: <talk.example.com>", True),
        (b"List-Unsubscribe: <mailto:x@example.com>", True),
        (b"Precedence: bulk", True),
        (b"X-Mailer: any", False),
    ],
)
def test_what_a_list_sent(header: bytes, expected: bool) -> None:
    assert headed(header).is_list is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Content-Type: multipart/encrypted; boundary=x", True),
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data", True),
        (b"Content-Type: application/pkcs7-mime; smime-type=signed-data", False),
        (b"Content-Type: multipart/signed; boundary=x", False),
    ],
)
def test_what_nobody_can_read(header: bytes, expected: bool) -> None:
    assert headed(header).is_encrypted is expected


def test_a_version_of_the_text_that_is_not_read_is_no_attachment() -> None:
    amp = b"Content-Type: text/x-amp-html\r\n\r\n<html amp4email>"
    invitation = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR"
    found = letter(HEAD, alternative(PLAIN_PART, amp, HTML_PART, invitation))
    assert [each.media_type for each in found.attachments] == ["text/calendar"]


def test_pgp_in_the_text_is_encrypted() -> None:
    assert letter(HEAD, TEXT, b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQ==").is_encrypted


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("iso-8859-1", "cp1252"),
        ("ISO-8859-15", "iso8859-15"),
        ("windows-1251", "cp1251"),
        ("koi8-r", "koi8-r"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("Shift_JIS", "cp932"),
        ("big5", "big5hkscs"),
        ("utf-16", "utf-16"),
        ("macintosh", "mac_roman"),
        ("windows-874", "cp874"),
    ],
)
def test_charsets_by_the_names_that_mails_use(charset: str, codec: str) -> None:
    word = {"cp1251": "слово", "koi8-r": "слово", "gb18030": "镕", "cp949": "똠", "cp932": "①", "big5hkscs": "𠝹"}
    sent = word.get(codec, "ไทย" if codec == "cp874" else "wörd")
    found = letter(HEAD, f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode(), sent.encode(codec))
    assert (found.text, found.problems) == (sent, ())


def test_nothing_of_a_message_is_in_what_python_shows_of_it() -> None:
    found = letter(HEAD, mixed(PLAIN_PART, b"Content-Type: a/b; name=secret.pdf\r\n\r\nx"))
    shown = f"{found!r}{found.sender!r}{found.attachments!r}{found.links!r}"
    assert not any(word in shown for word in ("alice", "hello", "plain", "secret"))
