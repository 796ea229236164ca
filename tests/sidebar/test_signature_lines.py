"""Finding a signature's lines: in marked mails, in HTML, below and between quotations, and in whatever is sent."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.signatures import CORPORA, Score, crisp, scored, talon
from sidebar.signature.markup import lines_of
from sidebar.signature.quotes import own_segments
from sidebar.signature.reading import LARGEST, MOST_LINES, read
from tests.sidebar.signature_mails import UNSEEN, Marked, marked_mails

MAILS = marked_mails()
JANE = "Jane Doe <jane@acme.example>"


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.name)
def test_the_lines_are_those_that_are_marked(mail: Marked) -> None:
    assert set(read(mail.text, mail.sender).line_numbers) == mail.lines


def test_most_lines_are_found_without_knowing_who_sent_it() -> None:
    score = Score()
    for mail in MAILS:
        score.add(frozenset(read(mail.text).line_numbers), mail.lines)
    assert score.f1 > 0.9


def test_in_mails_of_strangers_too() -> None:
    """As many, as hard, as others write them; see docs/signatures.md for what was found before they were read."""
    score = Score()
    for mail in marked_mails(UNSEEN):
        score.add(frozenset(read(mail.text, mail.sender).line_numbers), mail.lines)
    assert score.precision > 0.95
    assert score.recall > 0.95


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora is not here")
class TestCorpora:
    def test_talon(self) -> None:
        assert scored([mail for mail in talon(CORPORA) if not mail.is_held_out]).f1 > 0.9

    def test_crisp(self) -> None:
        assert scored([mail for mail in crisp(CORPORA) if not mail.is_held_out]).f1 > 0.9


class TestQuotations:
    @pytest.mark.parametrize(
        "header",
        [
            "On Mon, Apr 2, 2012 at 6:26 PM, Bob <bob@x.example> wrote:",
            "Le lun. 15 nov. 2021 à 19:42, Bob <bob@x.example> a écrit :",
            "Am 15.11.2021 um 19:42 schrieb Bob:",
            "On Mon, Apr 2, 2012 at 6:26 PM,\nBob <bob@x.example>\nwrote:",
            "-----Original Message-----\nFrom: Bob",
            "---------- Forwarded message ---------",
            "Von: Bob\nGesendet: Montag, 2. April 2012 10:12\nAn: Jane\nBetreff: Neu",
            "差出人: Bob\n件名: Re: 会議",
            "________________________________\nFrom: Bob <bob@x.example>\nSent: Monday\nTo: Jane",
        ],
    )
    def test_what_follows_a_header_is_somebody_elses(self, header: str) -> None:
        text = (
            f"I agree with that.\n\nJane\n\n{header}\n\nSee below.\n\nBob Smith\nCEO\nBob & Sons Ltd.\n+44 20 7946 0123"
        )
        assert read(text, JANE).lines == ("Jane",)

    def test_answers_between_quoted_lines_are_the_authors(self) -> None:
        lines = ["> one?", "Yes.", "> two?", "No.", "", "Jane"]
        assert own_segments(lines) == [(1, 2), (3, 6)]

    def test_a_sentence_that_ends_like_a_header_is_none(self) -> None:
        assert own_segments(["On the other hand, she wrote:", "buy milk"]) == [(0, 2)]
        assert own_segments(["From: our database, not From: elsewhere.", "It is here."]) == [(0, 2)]


class TestHtml:
    def test_paragraphs_breaks_cells_and_entities(self) -> None:
        html = "<p>Hi&nbsp;Bob,</p><p>one<br>two</p><table><tr><td>Tel</td><td>+49 89 1234</td></tr></table>"
        assert lines_of(html).split("\n") == ["Hi Bob,", "one", "two", "Tel   +49 89 1234"]

    def test_scripts_styles_and_comments_are_not_read(self) -> None:
        assert lines_of("<style>p{}</style>a<!-- b --><script>c</script>d") == "ad"
        assert lines_of("<STYLE>p{}</STYLE>a") == "a"

    @pytest.mark.parametrize("mark", ['class="gmail_signature"', "class=moz-signature", "id='Signature'"])
    def test_what_the_mail_program_marks_is_the_signature(self, mark: str) -> None:
        found = read(html=f"<div>the usual place</div><div {mark}>jane d.<br>floor manager, acme</div>", sender=JANE)
        assert found.lines == ("-- ", "jane d.", "floor manager, acme")

    @pytest.mark.parametrize(
        "quote",
        [
            "<blockquote>Hello<br>Bob Smith<br>bob@x.example</blockquote>",
            '<div class="gmail_quote">Hello<br>Bob Smith<br>bob@x.example</div>',
            '<div id="appendonsend"></div><hr><div>Hello<br>Bob Smith<br>bob@x.example</div>',
        ],
    )
    def test_what_is_quoted_is_not_the_authors(self, quote: str) -> None:
        assert read(html=f"<div>Fine with me.</div><br><div>Jane</div>{quote}", sender=JANE).lines == ("Jane",)

    def test_an_address_behind_words_is_written_out(self) -> None:
        html = '<p>See you there.</p><p>Jane Doe<br><a href="https://linkedin.com/in/jane">LinkedIn</a></p>'
        assert read(html=html, sender=JANE).links == ("https://linkedin.com/in/jane",)


HOSTILE = {
    "lines": "a\n" * 131_072,
    "quotes": "> " * 131_072,
    "headers": "From: a\n" * 32_768,
    "attributions": "On 1 2 3 a@b wrote\n" * 13_000,
    "addresses": "a@a." * 65_536,
    "domains": "www." * 65_536,
    "digits": ("1234567 " * 37 + "\n") * 800,
    "plus": ("+1" * 150 + "\n") * 800,
    "delimiters": "-- \n" * 65_536,
    "closings": ("regards " * 40 + "\n") * 800,
    "marks": "\u0301" * 262_144,
    "one": "x" * 262_144,
}
HOSTILE_HTML = {
    "deep": "<div>" * 52_000,
    "unclosed": "<" * 262_144,
    "half tags": "<a " * 87_000,
    "comments": "<!-- " * 52_000,
    "scripts": "<script>" * 32_000,
    "closing": "</p>" * 65_000,
    "quotes": "<blockquote>x" * 20_000,
    "attributes": '<a href="' * 29_000,
    "links": "<a href=http://x.example/>a</a>" * 8_000,
    "links that a long text shows": "é" * 120_000 + "<a href='http://é'></a>" * 6_000,
    "entities": "&#" * 131_000,
}


class TestHostile:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_texts_take_a_second_at_most(self, text: str) -> None:
        began = time.process_time()
        read(text, f"{text[:2000]} <jane@acme.example>")
        assert time.process_time() - began < 1.5

    @pytest.mark.parametrize("html", HOSTILE_HTML.values(), ids=HOSTILE_HTML)
    def test_html_takes_a_second_at_most(self, html: str) -> None:
        began = time.process_time()
        read(html=html[:LARGEST])
        assert time.process_time() - began < 1.5

    def test_no_more_is_looked_at_than_is_said(self) -> None:
        assert not read("x\n" * MOST_LINES + "Regards,\nJane Doe", JANE).lines
        assert not read("x " * LARGEST + "\n\nRegards,\nJane Doe", JANE).lines

    @settings(max_examples=150)
    @given(text=st.text(max_size=400), sender=st.text(max_size=60))
    def test_nothing_raises_and_lines_are_the_mails_own(self, text: str, sender: str) -> None:
        found = read(text, sender)
        assert read(html=text, sender=sender).confidence <= 1
        if text.strip():
            assert [text.splitlines()[number] for number in found.line_numbers] == list(found.lines)
