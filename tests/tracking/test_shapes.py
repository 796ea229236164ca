"""What a request to prepare a message may hold, however it is written down."""

from typing import Any

import pytest

from tracking.shapes import LONGEST_HTML, MOST_HTML, MOST_RECIPIENTS, MessageRequest


def errors(**body: Any) -> dict[str, Any]:
    asked = MessageRequest(data=body)
    asked.is_valid()
    return dict(asked.errors)


def crowd(number: int) -> list[str]:
    """Header fields, ten addresses in each."""
    return [", ".join(f"a{each}@b.example" for each in range(first, first + 10)) for first in range(0, number, 10)]


def test_people_are_counted_and_not_the_strings_they_stand_in() -> None:
    assert errors(recipients=crowd(MOST_RECIPIENTS), links=[]) == {}
    assert "recipients" in errors(recipients=crowd(MOST_RECIPIENTS + 10), links=[])
    assert errors(recipients=[*crowd(MOST_RECIPIENTS), "A0@b.example"], links=[]) == {}, "the same one twice"


@pytest.mark.parametrize("is_too_much", [False, True])
def test_each_of_them_gets_the_html(is_too_much: bool) -> None:
    most = MOST_HTML // LONGEST_HTML
    recipients = [", ".join(f"a{each}@b.example" for each in range(most + is_too_much))]
    assert ("html" in errors(recipients=recipients, html="x" * LONGEST_HTML, singly=True)) is is_too_much
    assert errors(recipients=recipients, html="x" * LONGEST_HTML) == {}
