"""Which folders are chosen: by kind, id or path, with or without what lies within (F12), wherever they are nested."""

import pytest

from sync.folders import is_chosen, is_put_away, lies_in_chosen
from tests.sync.mails import FOLDERS


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["inbox"], {"f-inbox"}),
        (["inbox", "sent"], {"f-inbox", "f-sent"}),
        (["Posteingang"], {"f-inbox"}),
        (["inbox/*"], {"f-inbox", "f-inboxsub"}),
        (["posteingang/crm"], {"f-inboxsub"}),
        (["Clients"], {"f-clients"}),
        (["clients/mu\u0308ller"], {"f-acme"}),  # the same letters, put together otherwise
        (["Clients/*"], {"f-clients", "f-acme", "f-deep"}),
        (["Clients/Müller/*"], {"f-acme", "f-deep"}),
        (["f-clients/*"], {"f-clients", "f-acme", "f-deep"}),
        (["f-deep"], {"f-deep"}),
        (["/Clients/"], {"f-clients"}),
        (["Client"], set()),
        (["Client*"], set()),
        (["Müller"], set()),
        (["other"], set()),  # the kind of all that people have made themselves
        ([], set()),
        (["*"], set(FOLDERS)),
    ],
)
def test_what_an_entry_names(entries: list[str], expected: set[str]) -> None:
    everything = FOLDERS.values()
    assert {folder.id for folder in everything if is_chosen(folder, entries, everything)} == expected
    assert {each for each in FOLDERS if lies_in_chosen((each,), FOLDERS, entries)} == expected


def test_a_message_in_several_folders() -> None:
    assert lies_in_chosen(("f-acme", "f-inbox"), FOLDERS, ["inbox"])
    assert not lies_in_chosen(("f-acme", "f-archive"), FOLDERS, ["inbox"])
    assert not lies_in_chosen(("f-unheard-of",), FOLDERS, ["inbox", "f-unheard-of"])
    assert not lies_in_chosen((), FOLDERS, ["inbox"])
    assert lies_in_chosen((), FOLDERS, ["*"])
    assert lies_in_chosen((), FOLDERS, ["inbox", "archive"])  # Gmail's


@pytest.mark.parametrize(
    ("lies_in", "expected"),
    [((), True), (("f-archive",), True), (("f-archive", "f-acme"), False), (("f-unheard-of",), False)],
)
def test_what_is_put_away(lies_in: tuple[str, ...], expected: bool) -> None:
    assert is_put_away(lies_in, FOLDERS) is expected
