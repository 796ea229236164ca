"""Texts are brought to Salesforce's length; what is new in them stays."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.mime.quotes import fitted, fitted_html

OLD = "> an old line\n"


def test_a_text_that_is_short_enough_keeps_its_quotes() -> None:
    assert fitted(f"new\n{OLD}", 100) == f"new\n{OLD}"


@pytest.mark.parametrize("text", [f"new\n\n{OLD * 50}", f"{OLD * 50}\nnew", f"{OLD * 25}\nnew\n{OLD * 25}"])
def test_quotes_go_first(text: str) -> None:
    short = fitted(text, 100)
    assert "new" in short
    assert "old line" not in short
    assert len(short) <= 100


def test_then_the_middle_goes() -> None:
    short = fitted("first " + "word " * 100 + "last", 100)
    assert len(short) <= 100
    assert short.startswith("first word")
    assert short.endswith("word last")
    assert "\n\n[...]\n\n" in short


def test_html_loses_its_quotes_first() -> None:
    old = "<blockquote><p>old</p><blockquote>older</blockquote></blockquote>" * 10
    assert fitted_html(f"<p>new</p>{old}<p>below</p>", 500) == (
        "<p>new</p>" + "<blockquote>[...]</blockquote>" * 10 + "<p>below</p>"
    )


class _Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


TREES = st.recursive(
    st.one_of(st.text("ab &", max_size=20).map(lambda text: text.replace("&", "&amp;")), st.just("<br>")),
    lambda inner: st.builds(
        lambda name, content: f"<{name}>{''.join(content)}</{name.split()[0]}>",
        st.sampled_from(["p", "b", 'a href="https://x.example/"', "blockquote", "td"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=40,
)


@settings(max_examples=300)
@given(TREES, st.integers(60, 400))
def test_cut_html_is_well_formed_and_fits(html: str, most: int) -> None:
    short = fitted_html(html, most)
    nesting = _Nesting()
    nesting.feed(short)
    assert nesting.open == []
    assert len(short) <= most
    assert not short.replace("&amp;", "").count("&")
    if len(html) <= most:
        assert short == html
