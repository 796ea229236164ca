"""BI-E14: what is left of strangers' HTML, and what becomes of HTML that means to hurt."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sync.letters import Problem
from sync.mime import html as cleaning
from sync.mime.washing import TAGS
from tests.sync.mime.mails import ATTRIBUTES, SCHEMES, cheaply, html, letter, seen_in

#: After the mutation-XSS and other vectors that DOMPurify's and OWASP's lists collect.
VECTORS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<base href=https://evil.example/><a href=x>y</a>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<div style='background:url(https://evil.example/x)'>hello</div>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<table background=https://evil.example/x><tr><td>hello",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href=' &#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='//evil.example/x'>x</a>",
    "<form action=https://evil.example/><input name=a><button>go</button></form>",
    "<object data=https://evil.example/></object><embed src=https://evil.example/>",
    "<video src=https://evil.example/x poster=https://evil.example/y></video>",
    "<x onclick=alert(1) style=x>hello",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<a href=https://ok.example/ target=_blank onclick=alert(1) id=x class=y>x</a>",
    "<p lang='\"><script>alert(1)</script>'>x</p>",
]


@pytest.mark.parametrize("vector", VECTORS)
def test_nothing_that_runs_or_loads_is_left(vector: str) -> None:
    found = seen_in(html(f"<p>before</p>{vector}<p>after</p>").html)
    assert found.tags <= TAGS
    assert found.attributes <= ATTRIBUTES
    assert all(target.startswith(SCHEMES) for target in found.targets)
    assert "alert" not in " ".join(found.targets)


def test_an_angle_bracket_in_an_attribute_is_no_tag() -> None:
    found = html('<a title="</a><script>" href="https://x.example/?<b>&quot;">x > y</a>')
    expected = 'title="&lt;/a&gt;&lt;script&gt;" href="https://x.example/?&lt;b&gt;&quot;" rel="noopener noreferrer"'
    assert found.html == f"<a {expected}>x &gt; y</a>"
    assert found.text == "x > y"


def test_spaces_and_breaks_of_html_are_those_that_are_seen() -> None:
    found = html(
        "<p>a\r\n \t b&nbsp;&nbsp;c &nbsp;<br>&nbsp; d</p>\n\n<div>e<br></div><div>f</div><div><br></div>"
        "<div>g</div><ul><li>h<li>i</ul><table><tr><td>j<td>k<tr><td>l</table>"
    )
    assert found.text == "a b  c\nd\n\ne\nf\n\ng\n- h\n- i\n\nj k\nl"


def test_what_people_write_stays() -> None:
    markup = (
        '<p>a <b>b</b> <a href="https://x.example/?a=1&amp;b=2" rel="noopener noreferrer">c</a></p><ul><li>d</li></ul>'
    )
    assert html(markup).html == markup
    assert html(markup).text == "a b c\n\n- d"


@pytest.mark.parametrize(
    "content",
    [
        "<div>" * 200_000,
        "<table>" * 50_000,
        "<svg><style>" * 50_000,
        "<select><b>" * 9_000,
        "".join(f"<p><b class={n}>" for n in range(9_000)),
        "<a " + " ".join(f"a{n}=1" for n in range(100_000)) + ">hello",
        "<div><!--</div>-->" * 9_000,
        "<div>" * 300 + "<!--" * 100_000,
        "<div>" * 300 + "<style>" * 100_000,
        "<div>" * 300 + "<a" * 200_000,
        "<" * 500_000,
        "&" * 500_000,
        "&nbsp;" * 60_000 + "x",
        "<br>" + "&nbsp;" * 60_000 + "<div>" * 300,
    ],
)
def test_html_that_means_to_hurt_is_refused_or_cut(content: str) -> None:
    with cheaply():
        found = html(f"<p>hello</p>{content}")
    assert len(found.html) <= 32_000
    assert found.text.startswith("hello")
    assert cleaning.depth(found.html) <= 256


def test_refused_html_still_gives_its_text() -> None:
    found = html("<style>p {}</style><p>hello<br>there</p>" + "<div>" * 300 + "deep &amp; lost</div>")
    assert (found.html, found.text) == ("", "hello\nthere\n\ndeep & lost")
    assert Problem.HTML_REFUSED in found.problems


def test_a_style_sheet_larger_than_the_text_is_passed() -> None:  # Word's
    found = html(f"<html><head><style>{'p.x {margin:0} ' * 8_000}</style></head><body><p>hello</p></body></html>")
    assert (found.html, found.text) == ("<p>hello</p>", "hello")


def test_html_without_end_keeps_its_beginning_and_its_end() -> None:
    found = html("<p>newest above</p><blockquote>" + "<p>old words</p>" * 300_000 + "</blockquote><p>newest below</p>")
    assert found.html.startswith("<p>newest above</p>")
    assert "newest below" in found.text
    assert len(found.html) <= 32_000


def washer() -> subprocess.Popen[bytes]:
    html("<p>hello</p>")
    process = cleaning._WASHER._process
    assert process is not None
    return process


def test_who_kills_the_process_hurts_nobody_else() -> None:  # FT41
    os.kill(washer().pid, signal.SIGKILL)
    assert Problem.HTML_REFUSED in html("<p>hello</p>").problems
    assert html("<p>hello</p>").html == "<p>hello</p>"


def test_the_process_ends_at_its_limit_of_time() -> None:
    first = washer()
    with pytest.raises(cleaning.HtmlRefused):
        cleaning.Cleaning().clean("<p>" + "<a " + " ".join(f"a{n}=1" for n in range(300_000)) + ">x")
    assert first.returncode == -signal.SIGPROF
    assert washer().pid != first.pid


def test_the_process_has_limits_and_no_secrets() -> None:
    place = Path(f"/proc/{washer().pid}")
    limits = {line[:26].strip(): line[26:].split()[0] for line in (place / "limits").read_text().splitlines()[1:]}
    assert limits["Max core file size"] == "0"
    assert limits["Max file size"] == "0"
    assert int(limits["Max address space"]) < 256 * 1024 * 1024
    assert (place / "environ").read_bytes().split(b"\0") == [b"LANG=C.UTF-8", b""]


def test_a_fork_gets_a_process_of_its_own() -> None:
    ours = washer().pid
    child = os.fork()
    if child == 0:
        os._exit(0 if html("<p>hi</p>").html == "<p>hi</p>" and washer().pid != ours else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert washer().pid == ours


def test_it_ends_with_its_parent() -> None:
    started = "from sync.mime import html; html.Cleaning().clean('<p>')"
    script = f"{started}; print(html._WASHER._process.pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        place = Path(f"/proc/{int(parent.stdout.readline())}")
        assert place.exists()
        parent.kill()
    until = time.monotonic() + 5
    while place.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not place.exists() or "Z (zombie)" in (place / "status").read_text()


def test_html_beside_html_shares_one_allowance() -> None:
    slow = "<p>" + "<a " + " ".join(f"a{n}=1" for n in range(40_000)) + ">x"
    part = b"--outer\r\nContent-Type: text/html\r\n\r\n" + slow.encode() + b"\r\n"
    begun = time.monotonic()
    found = letter(b"Content-Type: multipart/mixed; boundary=outer\r\n\r\n", part * 15)
    assert time.monotonic() - begun < 6
    assert Problem.HTML_REFUSED in found.problems or Problem.LONG_TEXT in found.problems
