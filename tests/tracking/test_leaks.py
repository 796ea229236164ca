"""Addresses and agents of who asked are readable in no table, file, queue, log or dump, neither while they wait nor
after the verdict; and nowhere at all once the day's key is gone (C50, C52). Recipients and targets: in the seal only.

A product of its own, as `make run` starts it; looked for in every shape of privacy/shapes.py, and packed."""

import re
from collections.abc import Iterator

import pytest

from tests.running import whole_stack
from tests.tracking.leaking import Day, Findings


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    with whole_stack(environment={"TRUSTED_PROXIES": "127.0.0.1"}) as stack:
        day = Day(stack)
        day.pass_by()
        yield day


@pytest.fixture
def found(day: Day) -> Findings:
    return day.found


def test_nothing_readable_waits(found: Findings) -> None:
    """In the stream, its files, the spool, the log, a dump; with a key for the day and without."""
    assert found.spooled > 500
    assert {"f", "d", "w"} in found.entries
    assert {"f"} in found.entries
    assert found.waiting == []


def test_nothing_readable_is_left_after_the_verdict(found: Findings) -> None:
    """Who asked was known, though: the class of his device is there."""
    assert sum(number for *_, number in found.events) == found.asked
    assert {device for _, device, _ in found.events} == {"computer", ""}
    assert found.drained == []


def test_a_drain_that_fails_says_what_and_where_only(found: Findings) -> None:
    """That the log holds nothing else, the scan has seen."""
    assert re.search(r"ProgrammingError at .*:known < drain\.py:\d+:", found.log)


def test_with_the_days_key_and_all_others_who_asked_is_read(day: Day, found: Findings) -> None:
    """What follows could fail."""
    assert found.known["hits"] == found.asked
    told = str(found.known["who"])
    assert all(asker.agent in told and ", ".join(asker.forwarded) in told for asker in day.askers)
    assert found.known["forced"] == 0


def test_without_it_nobody_reads_it_out_of_anything_that_was_kept(day: Day, found: Findings) -> None:
    """The stream's entries, an old dump, and every key that there is."""
    assert found.unknown["hits"] == found.asked
    assert (found.unknown["who"], found.unknown["forced"]) == ([], 0)
    assert day.yesterday in found.known["wrapped"]
    assert day.yesterday not in found.unknown["wrapped"]
    assert found.ended == []
    assert {(verdict, device) for verdict, device, _ in found.again} <= {("unknown", ""), ("scanner", "")}


def test_the_search_finds_what_is_there(day: Day) -> None:
    """In a file: each address, however it is written."""
    place = day.kept / "planted"
    for kind, each in day.askers[0].secrets().items():
        for secret in each:
            place.write_bytes(b"." + (secret if isinstance(secret, bytes) else secret.encode()) + b".")
            assert day.scan._in_file(day.scan.needles(), place) == {kind}
    place.unlink()
