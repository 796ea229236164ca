"""Files into the simulated Salesforce: streamed, once, whole or not at all, in bounded memory."""

import gc
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from providers.activities import FileToAttach, KeyForm
from providers.errors import NotFound, Rejected, Transient
from providers.salesforce import attachments, enclosing
from tests.providers.desks import FORMS, KEY, Desk, mail, to
from tests.simulators.running import Running

PIECE = bytes(range(256)) * 256
Opener = Callable[[], AbstractContextManager[Iterable[bytes]]]


@pytest.fixture
def acme(salesforce: Running) -> Desk:
    return Desk(salesforce, "acme", "alice")


def filed(desk: Desk) -> str:
    return desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY).id


def pieces(number: int, break_after: int | None = None) -> Opener:
    @contextmanager
    def opened() -> Iterator[Iterable[bytes]]:
        yield _each(number, break_after)

    return opened


def _each(number: int, break_after: int | None) -> Iterator[bytes]:
    for n in range(number):
        if n == break_after:
            raise Transient("The provider broke off.")
        yield PIECE


def file(number: int = 5, **changes: object) -> FileToAttach:
    values = {"name": "Plän €.pdf", "media_type": "application/pdf", "open": pieces(number), **changes}
    return FileToAttach(**values)  # type: ignore[arg-type]


def nothing_there(desk: Desk) -> bool:
    kinds = ("ContentVersion", "ContentDocument", "ContentDocumentLink")
    return not any(desk.rows(kind) for kind in kinds)


@pytest.mark.parametrize("length", [None, 5 * len(PIECE)])
def test_a_file_arrives_as_it_was_sent(desk: Desk, length: int | None) -> None:
    parent = filed(desk)
    made = desk.activities.attach([parent], file(length=length), f"{KEY}1")
    (row,) = desk.rows("ContentVersion")
    assert (row["Id"], row["_sha256"]) == (made.id, hashlib.sha256(PIECE * 5).hexdigest())
    assert (row["Title"], row["PathOnClient"], row["FileExtension"]) == ("Plän €.pdf", "Plän €.pdf", "pdf")
    assert len(desk.rows("ContentDocumentLink", LinkedEntityId=parent)) == 1


def test_a_file_of_any_name_or_type_and_an_empty_one_arrive(acme: Desk) -> None:
    parent = filed(acme)
    for n, name in enumerate(('a"b\r\nc.txt', "x" * 400 + ".txt", "файл")):
        acme.activities.attach([parent], file(0, name=name, media_type="te xt\r\nX: y"), f"{KEY}{n}")
    assert [row["ContentSize"] for row in acme.rows("ContentVersion")] == [0, 0, 0]


def test_a_file_is_there_once_however_often_it_is_sent(desk: Desk) -> None:
    parent = filed(desk)
    first = desk.activities.attach([parent], file(), f"{KEY}1")
    for is_repeat in (True, False):
        again = desk.activities.attach([parent], file(), f"{KEY}1", is_repeat=is_repeat)
        assert (again.id, again.was_there) == (first.id, True)
    assert not desk.activities.attach([parent], file(), f"{KEY}2").was_there
    assert len(desk.rows("ContentVersion")) == 2


def test_a_file_is_known_among_very_many(salesforce: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one person, say, on whom all files stand where a mail takes none."""
    monkeypatch.setattr(enclosing, "_MOST_ROWS", 3)
    desk = Desk(salesforce, *FORMS[KeyForm.LOOKUP])
    person = desk.ids("Contact", 1)[0]["Id"]
    made = [desk.activities.attach([person], file(1), f"{KEY}{n}") for n in range(5)]
    again = desk.activities.attach([person], file(1), f"{KEY}4", is_repeat=True)
    assert (again.id, again.was_there) == (made[-1].id, True)


def test_a_file_whose_answer_was_lost_is_there_once(desk: Desk) -> None:
    parent = filed(desk)
    desk.salesforce.sim("faults", {"path": "/services/data/v62.0/sobjects/ContentVersion", "cut_after": 5}, desk.org)
    with pytest.raises(Transient) as lost:
        desk.activities.attach([parent], file(), f"{KEY}1")
    assert lost.value.outcome_unknown
    again = desk.activities.attach([parent], file(), f"{KEY}1", is_repeat=True)
    assert again.was_there
    assert [row["Id"] for row in desk.rows("ContentVersion")] == [again.id]


@pytest.mark.parametrize("length", [None, 6 * len(PIECE)])
def test_a_file_that_breaks_off_at_half_leaves_nothing(acme: Desk, length: int | None) -> None:
    parent = filed(acme)
    broken = file(6, open=pieces(6, break_after=3), length=length)
    with pytest.raises(Transient) as lost:
        acme.activities.attach([parent], broken, f"{KEY}1")
    assert not lost.value.outcome_unknown
    assert nothing_there(acme)
    assert not acme.activities.attach([parent], file(6), f"{KEY}1").was_there


def test_a_file_that_salesforce_takes_half_of_leaves_nothing(acme: Desk) -> None:
    parent = filed(acme)
    acme.salesforce.sim("uploads", {"cut_after": 32 * len(PIECE)}, "acme")
    with pytest.raises(Transient) as lost:
        acme.activities.attach([parent], file(64), f"{KEY}1")
    assert lost.value.outcome_unknown
    assert nothing_there(acme)
    assert not acme.activities.attach([parent], file(64), f"{KEY}1", is_repeat=True).was_there


@pytest.mark.parametrize("length", [5 * len(PIECE) - 1, 5 * len(PIECE) + 1])
def test_a_file_of_another_length_than_was_said_leaves_nothing(acme: Desk, length: int) -> None:
    parent = filed(acme)
    with pytest.raises(Rejected) as refused:
        acme.activities.attach([parent], file(length=length), f"{KEY}1")
    assert refused.value.code == "wrong_length"
    assert nothing_there(acme)


def test_a_token_that_ends_meanwhile_is_renewed_and_the_file_sent_from_its_beginning(acme: Desk) -> None:
    parent = filed(acme)
    acme.salesforce.sim("tokens/expire", {}, "acme")
    acme.activities.attach([parent], file(), f"{KEY}1")
    (row,) = acme.rows("ContentVersion")
    assert row["_sha256"] == hashlib.sha256(PIECE * 5).hexdigest()


def test_a_record_that_takes_no_files_is_passed_over(acme: Desk) -> None:
    """A mail that is no draft takes none in some organizations; the person it is filed under does."""
    parent, person = filed(acme), acme.ids("Contact", 1)[0]["Id"]
    body = [{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no", "fields": []}]
    refusal = {"path": "/services/data/v62.0/sobjects/ContentVersion", "status": 400, "body": body}
    acme.salesforce.sim("faults", refusal, "acme")
    acme.activities.attach([parent, person], file(), f"{KEY}1")
    (row,) = acme.rows("ContentVersion")
    assert row["FirstPublishLocationId"] == person
    with pytest.raises(NotFound):
        acme.activities.attach([], file(), f"{KEY}2")


def test_what_came_with_a_mail_goes_with_it(desk: Desk) -> None:
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    desk.activities.attach([logged.id], file(1), f"{KEY}1")
    desk.activities.delete(logged, KEY)
    assert nothing_there(desk)


def test_what_people_put_beside_a_mail_stays_when_it_goes(desk: Desk) -> None:
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    desk.activities.attach([logged.id], file(1), f"{KEY}1")
    theirs = {"PathOnClient": "contract.pdf", "Description": "Signed", "FirstPublishLocationId": logged.id}
    attachments.upload(desk.wire(), desk.me.session, theirs, file(1))
    desk.activities.delete(logged, KEY)
    assert [row["PathOnClient"] for row in desk.rows("ContentVersion")] == ["contract.pdf"]


def test_memory_does_not_grow_with_the_file(acme: Desk) -> None:
    """C63: at most 16 MiB, whatever the size."""
    parent = filed(acme)
    acme.activities.attach([parent], file(16), f"{KEY}0")  # what the first one imports and connects
    gc.collect()
    peaks: list[int] = []
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(peaks, done))
    before = _resident()
    watch.start()
    try:
        acme.activities.attach([parent], file(1600), f"{KEY}1")
    finally:
        done.set()
        watch.join()
    assert acme.rows("ContentVersion", ContentSize=1600 * len(PIECE))
    assert max(peaks) - before < 16 * 1024 * 1024


def _watch(peaks: list[int], done: threading.Event) -> None:
    while not done.wait(0.01):
        peaks.append(_resident())


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
