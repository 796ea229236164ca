"""An outgoing mail gets one pixel and links through us, loses ours of before, and not a byte more (C49, C51)."""

import email
import email.policy
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.compose import MOST_HREFS, Ours, Plan, compose

MAILS = Path(__file__).resolve().parents[3] / "shared/corpora/mime"
PIXEL = "https://t.example/t/o/NEW.gif"
OLDER = {"oldy": "https://a.example/?b=1&c=2"}  # a token has whole groups of four
OURS = Ours("https://t.example/t/o/", "https://t.example/t/c/", lambda token: OLDER.get(token, ""))
NOTHING = Plan(OURS)
ALL = Plan(OURS, PIXEL, lambda number, _: f"https://t.example/t/c/N{number}")
IMAGE = f'<img src="{PIXEL}" width="1" height="1" alt="" style="border:0">'


def test_a_link_and_a_pixel() -> None:
    html = '<html><body><p>Hello, <a href="https://a.example/x?y=1&amp;z=2">see</a></p></body></html>'
    composed = compose(html, ALL)
    assert composed.html == f'<html><body><p>Hello, <a href="https://t.example/t/c/N1">see</a></p>{IMAGE}</body></html>'
    assert composed.targets == ["https://a.example/x?y=1&z=2"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<a href=https://a.example/>x</a>", '<a href="https://t.example/t/c/N1">x</a>'),
        ("<A  HREF = 'https://a.example/' >x</A>", '<A  HREF = "https://t.example/t/c/N1" >x</A>'),
        ("<a\nhref\n=\n'https://a.example/'\n>", '<a\nhref\n=\n"https://t.example/t/c/N1"\n>'),
        ('<a data-href="https://b.example/" href="https://a.example/">',
     '<a data-href="https://b.example/" href="https://t.example/t/c/N1">'),
        ('<a href="https://a.example/" href="https://b.example/">',
     '<a href="https://t.example/t/c/N1" href="https://b.example/">'),
        ('<a title=">" href="https://a.example/">', '<a title=">" href="https://t.example/t/c/N1">'),
        ('<area href="https://a.example/">', '<area href="https://t.example/t/c/N1">'),
        ('\u00fc\r\n\u4f60<a href="https://a.example/">', '\u00fc\r\n\u4f60<a href="https://t.example/t/c/N1">'),
    ],
)  # fmt: skip
def test_only_the_address_of_a_link_changes(before: str, after: str) -> None:
    assert compose(before, ALL).html == after + IMAGE


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@b.example">',
        '<a href="tel:+491">',
        '<a href="#part">',
        '<a href="https://news.example/unsubscribe?u=1">',
        '<a href="https://app.example/?token=abc">',
        '<a href="javascript:alert(1)">',
        "<a href>",
        "<a>",
        "<a name=x>",
        '<img src="https://cdn.example/logo.png">',
        '<link href="https://cdn.example/a.css" rel="stylesheet">',
        '<!-- <a href="https://a.example/"> -->',
        '<!--[if mso]><a href="https://a.example/">x</a><![endif]-->',
        '<style>a[href="https://a.example/"]{}</style>',
        "<script>var a = '<a href=\"https://a.example/\">';</script>",
        "https://a.example/ in plain words",
        '<a href="https://a.example/',
        "&lt;a href=&quot;https://a.example/&quot;&gt;",
        '<x-a href="https://a.example/">',
        "",
    ],
)  # fmt: skip
def test_everything_else_stays(html: str) -> None:
    composed = compose(html, ALL)
    assert (composed.html, composed.targets) == (html + IMAGE, [])


def test_our_older_pixels_and_links_in_quoted_text_are_taken_out() -> None:
    """C49, product.md F6: a reply counts for nobody's older message."""
    quoted = '<blockquote><a href="https://t.example/t/c/oldy">x</a><img width=1 src="https://t.example/t/o/OLD.gif"/>z</blockquote>'
    expected = '<blockquote><a href="https://a.example/?b=1&amp;c=2">x</a>z</blockquote>'
    assert compose(quoted, NOTHING).html == expected
    assert compose(quoted, ALL).html == expected + IMAGE
    assert compose(quoted, ALL).targets == []


@pytest.mark.parametrize(
    "src",
    [
        "https://ci3.googleusercontent.com/meips/ADKq_N=s0-d-e1-ft#https://t.example/t/o/OLD.gif",
        "https://ecp.yusercontent.com/mail?url=https%3A%2F%2Ft.example%2Ft%2Fo%2FOLD.gif&amp;t=1",
        "HTTPS&#58;//ci3.googleusercontent.com/x#https://t.example/t/o/OLD.gif",
    ],
)
def test_a_quoted_pixel_is_taken_out_behind_its_readers_proxy_too(src: str) -> None:
    """What a recipient quotes when he answers is what his mail program has shown him."""
    assert compose(f'a<img src="{src}">b', ALL).html == f"ab{IMAGE}"


@pytest.mark.parametrize(
    "href",
    [
        "https://t.example/t/c/oldy",
        "https://eur03.safelinks.protection.outlook.com/?url=https%3A%2F%2Ft.example%2Ft%2Fc%2Foldy&amp;data=05%7C01",
        "https://urldefense.com/v3/__https://t.example/t/c/oldy__;!!abc$",
        "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2ft.example%2ft%2fc%2foldy&amp;c=E,1",
    ],
)
def test_a_quoted_link_leads_straight_on_out_of_a_filters_too(href: str) -> None:
    composed = compose(f'<a href="{href}">', ALL)
    assert composed.html == f'<a href="https://a.example/?b=1&amp;c=2">{IMAGE}'
    assert composed.targets == []


@pytest.mark.parametrize("href", ["https://t.example/t/c/dead", "mailto:a@b.example?body=https://t.example/t/c/oldy"])
def test_a_link_of_ours_that_opens_no_more_stays(href: str) -> None:
    assert compose(f'<a href="{href}">', ALL).html == f'<a href="{href}">{IMAGE}'


def test_with_everything_switched_off_nothing_is_added() -> None:
    html = '<p><a href="https://a.example/">x</a></p>'
    assert compose(html, NOTHING).html == html


def test_a_link_may_be_left_because_its_token_would_be_too_long() -> None:
    html = '<a href="https://a.example/1"><a href="https://a.example/2">'
    composed = compose(html, Plan(OURS, "", lambda number, target: "" if target.endswith("1") else f"N{number}"))
    assert (composed.html, composed.targets) == ('<a href="https://a.example/1"><a href="N1">', ["https://a.example/2"])


def test_the_pixel_stands_at_the_end_of_the_last_body() -> None:
    assert compose("<body>a</body><body>b</BODY ></html>", ALL).html == f"<body>a</body><body>b{IMAGE}</BODY ></html>"
    assert compose("a</html>", ALL).html == f"a{IMAGE}</html>"


PIECES = st.sampled_from(
    ["<a href=", '"https://a.example/"', "'https://a.example/?b=1&amp;c'", "https://a.example", ">", "x", "</a>",
     "<body>", "</body>",
     "<img src=x>", "<!--", "-->", "<style>", "</style>", '"', "'", "<", "/>", " ", "\n", "\r", "\u00fc", "<![CDATA[",
     "<?", "&", "<p "]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60))
def test_no_text_loses_a_byte(html: str) -> None:
    composed = compose(html, ALL)
    kept = composed.html.replace(IMAGE, "", 1)
    for number in range(len(composed.targets), 0, -1):
        assert f'"https://t.example/t/c/N{number}"' in kept
    if not composed.targets:
        assert kept == html
    assert compose(html, NOTHING).html == html


@pytest.mark.skipif(not MAILS.is_dir(), reason="shared/corpora is not on this machine")
def test_real_mails_keep_every_other_byte() -> None:
    seen = 0
    for path in sorted(path for path in MAILS.rglob("*") if path.is_file()):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
        for part in message.walk():
            if part.get_content_type() == "text/html":
                payload = part.get_payload(decode=True) or b""
                html = payload.decode("utf-8", "surrogateescape") if isinstance(payload, bytes) else ""
                composed = compose(html, ALL)
                assert composed.html.encode("utf-8", "surrogateescape").count(PIXEL.encode()) == 1
                assert compose(html, NOTHING).html == html
                seen += 1
    assert seen > 20


@pytest.mark.parametrize(
    "piece",
    ["<a ", "<a\n", "<a/", "<a =", '<a b="', "<a href='", "<a href=x y", "<a href= ", "<img src=", "<!--", "</", "<?",
     "<", "<![CDATA[", "</a", "<div>", "<script>", "<textarea></textarea", "&amp;", "<!-", "</script ",
     '<a href="https://a.example/{}">'],
)  # fmt: skip
def test_hostile_text_is_read_in_linear_time(piece: str) -> None:
    """A reply quotes a stranger's mail. Half a megabyte of what made Python's own parser take hours."""
    html = "".join(piece.format(number) for number in range(500_000 // len(piece)))
    began = time.process_time()
    composed = compose(html, ALL)
    assert time.process_time() - began < 2
    assert composed.html.endswith(IMAGE)


@pytest.mark.parametrize(
    "html",
    [
        '<textarea><a href="https://a.example/"></textarea>',
        '<title><a href="https://a.example/"></title>',
        '<!--><!-- <a href="https://a.example/"> --!>',
        '<!-- <a href="https://a.example/">',
        '<!x <a href="https://a.example/"',
        "<a title='>\" href=\"https://a.example/\">",
        '<plaintext><a href="https://a.example/">',
        '<script></scripty><a href="https://a.example/"></script>',
    ],
)  # fmt: skip
def test_what_browsers_take_for_text_stays(html: str) -> None:
    """HTML Standard, 13.2.5: comments, bogus comments, elements whose content is text, tags that never end."""
    assert compose(html, ALL).targets == []


@pytest.mark.parametrize(
    "before",
    ["<!--><a href=X>", "<!---><a href=X>", "<!-- --!><a href=X>", "</><a href=X>", "</ x><a href=X>", "<!x><a href=X>",
     "<?x><a href=X>", "<1><a href=X>", "<a/href=X>", "<a a='b'href=X>", "<a =x href=X>", "<p a=\"'\"><a href=X>",
     "<style></STYLE\t><a href=X>", "<a\u00a0b href=X><a href=X>", "<a b\u00a0href=Y href=X>"],
)  # fmt: skip
def test_what_browsers_take_for_a_link_is_one(before: str) -> None:
    html = before.replace("X", '"https://a.example/"')
    assert compose(html, ALL).targets == ["https://a.example/"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("?a=1&copy=2&region=3&lt=4&notify=5", "?a=1&copy=2&region=3&lt=4&notify=5"),
        ("?a=1&currency=EUR&timestamp=6&para", "?a=1&currency=EUR&timestamp=6%C2%B6"),
        ("?a=1&amp;copy=2&amp;region=3", "?a=1&copy=2&region=3"),
        ("?a=1&copy;=2&notit;=3&ampx;", "?a=1%C2%A9=2&notit;=3&ampx;"),
        ("?a=1&amp", "?a=1&"),
        ("?a=1&amp-b", "?a=1&-b"),
        ("?a=&#38;&#x26;&#38b=1&", "?a=&&&b=1&"),
    ],
)
def test_a_link_leads_where_a_browser_would_have_gone(written: str, meant: str) -> None:
    """HTML Standard, 13.2.5.73: what looks like a name in an address without "&amp;" hardly ever is one (C51)."""
    assert compose(f'<a href="https://a.example/{written}">', ALL).targets == [f"https://a.example/{meant}"]


def test_of_very_many_links_the_first_are_looked_at() -> None:
    html = "".join(f'<a href="https://a.example/{number}">' for number in range(MOST_HREFS + 5))
    composed = compose(html, ALL)
    assert len(composed.targets) == MOST_HREFS
    assert composed.html.endswith(f'<a href="https://a.example/{MOST_HREFS + 4}">{IMAGE}')
