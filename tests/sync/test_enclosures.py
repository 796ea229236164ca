"""What goes along with a mail's text, and that what stays out is counted."""

from dataclasses import replace

from sync.enclosures import MOST_FILES, SMALL_IMAGE, Enclosures, enclosed
from sync.reasons import Note
from tests.sync.mails import LINK, letter, part

ALL = Enclosures(with_files=True, with_links=True, most_bytes=10_000, posts_links=False)
MAIL = letter(
    attachments=(
        part(),
        part("large.zip", size=10_001),
        part("logo.png", size=SMALL_IMAGE, media_type="image/png", is_inline=True),
        part("exactly.bin", size=10_000),
        part("note.txt", size=10, media_type="text/plain", is_inline=True),
        part("photo.png", size=10, media_type="image/png"),
    ),
    links=(LINK,),
)


def test_what_goes_and_what_stays() -> None:
    sorted_out = enclosed(MAIL, ALL)
    assert [each.name for each in sorted_out.files] == ["offer.pdf", "exactly.bin", "note.txt", "photo.png"]
    assert sorted_out.notes == {Note.FILE_TOO_LARGE: 1, Note.SMALL_IMAGE: 1}
    assert (sorted_out.links, sorted_out.posts) == ((LINK,), ())


def test_a_file_is_called_the_same_in_a_copy_that_was_put_together_anew() -> None:
    """Apple Mail puts texts between attachments, which Exchange puts at the end; both have the same files in order."""
    names = ("a.pdf", "image.png", "a.pdf")
    copies = [
        letter(attachments=tuple(part(name, path=path) for name, path in zip(names, paths, strict=True)))
        for paths in (("2.2", "2.4", "2.6"), ("2", "3", "4"))
    ]
    first, second = (list(enclosed(copy, ALL).names.values()) for copy in copies)
    assert first == second == ["0 a.pdf", "0 image.png", "1 a.pdf"]
    assert [each.path for each in enclosed(copies[0], ALL).files] == list(enclosed(copies[0], ALL).names)


def test_a_picture_of_a_screen_is_no_logo() -> None:
    shown = letter(attachments=(part("shot.png", size=SMALL_IMAGE + 1, media_type="image/png", is_inline=True),))
    assert len(enclosed(shown, replace(ALL, most_bytes=10**6)).files) == 1


def test_of_very_many_the_first_go() -> None:
    """Each is a reading of the whole message."""
    many = enclosed(letter(attachments=tuple(part(f"{number}.pdf") for number in range(MOST_FILES + 7))), ALL)
    assert [each.name for each in many.files[-2:]] == [f"{MOST_FILES - 2}.pdf", f"{MOST_FILES - 1}.pdf"]
    assert many.notes == {Note.TOO_MANY_FILES: 7}


def test_switched_off() -> None:
    """C62: nothing is fetched of what is switched off."""
    sorted_out = enclosed(MAIL, replace(ALL, with_files=False))
    assert sorted_out.files == ()
    assert sorted_out.notes == {Note.FILES_OFF: 5, Note.SMALL_IMAGE: 1}
    assert sorted_out.links == (LINK,)


def test_links_as_posts_or_not_at_all() -> None:
    """C64."""
    assert (enclosed(MAIL, replace(ALL, posts_links=True)).posts) == (LINK,)
    assert (enclosed(MAIL, replace(ALL, posts_links=True)).links) == ()
    without = enclosed(MAIL, replace(ALL, with_links=False))
    assert (without.links, without.posts, without.notes[Note.LINKS_OFF]) == ((), (), 1)
