"""Answers that wait on disk: durable before the call returns, for our eyes only, and nothing else is taken for one."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from vault import findings, spool, suspicion


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(spool, "_told", set())
    settings.VAULT_SPOOL_DIR = str(tmp_path / "not" / "yet")
    return tmp_path / "not" / "yet"


@pytest.fixture
def open_umask() -> Iterator[None]:
    """What is closed to others then was closed on purpose."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_nothing_waits_where_nothing_was_written() -> None:
    assert list(spool.waiting()) == []


@pytest.mark.usefixtures("open_umask")
def test_only_we_may_look(folder: Path) -> None:
    """I4: it is ciphertext, and still nobody's business."""
    attempt_id = uuid4()
    spool.write(attempt_id, b"sealed")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{attempt_id}.sealed").stat().st_mode) == 0o600


def test_it_is_on_the_disk_before_it_has_its_name_and_the_name_before_we_return(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5, I2: after a power cut there is a whole answer or none. fsync(2) of a folder makes its names last."""
    synced, sync = list[tuple[int | None, list[str]]](), os.fsync

    def noted(descriptor: int) -> None:
        found = os.fstat(descriptor)
        size = None if stat.S_ISDIR(found.st_mode) else found.st_size
        synced.append((size, [path.name for path in folder.iterdir()]))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    attempt_id = uuid4()
    spool.write(attempt_id, b"sealed")
    assert synced == [(6, [f"{attempt_id}.part"]), (None, [f"{attempt_id}.sealed"])]
    assert list(spool.waiting()) == [(attempt_id, b"sealed")]


def test_no_descriptor_is_left_open(folder: Path) -> None:
    """A process that spools through an outage would run out of them."""
    spool.write(uuid4(), b"sealed")
    ours = [each for each in Path("/proc/self/fd").iterdir() if os.path.realpath(each).startswith(str(folder))]
    assert ours == []


def test_a_second_answer_and_what_a_crash_left_half_written(folder: Path) -> None:
    first, second = sorted((uuid4(), uuid4()), key=str)
    folder.mkdir(parents=True)
    (folder / f"{second}.part").write_bytes(b"longer than what comes now")
    spool.write(second, b"two")
    spool.write(first, b"one")
    assert list(spool.waiting()) == [(first, b"one"), (second, b"two")]
    assert not list(folder.glob("*.part"))


def test_what_is_no_answer_is_left_alone(folder: Path) -> None:
    mine = uuid4()
    spool.write(mine, b"sealed")
    for name in (f"{uuid4()}.part", str(uuid4()), "notes.sealed", f"{uuid4()}.sealed.bak"):
        (folder / name).write_bytes(b"something else")
    assert list(spool.waiting()) == [(mine, b"sealed")]


def test_what_is_taken_over_is_taken_away_once_or_twice(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two processes of a host may import the same file; that is nothing to be told."""
    mine, other = UUID(int=1), UUID(int=2)
    spool.write(mine, b"sealed")
    spool.write(other, b"another")
    for _ in range(2):
        spool.remove(mine)
        assert list(spool.waiting()) == [(other, b"another")]
    assert caplog.records == []


def test_two_processes_of_a_host_make_the_folder_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, is_dir = uuid4(), Path.is_dir

    def too_early(path: Path) -> bool:
        monkeypatch.setattr(Path, "is_dir", is_dir)
        path.mkdir(parents=True)  # the other one
        return False

    monkeypatch.setattr(Path, "is_dir", too_early)
    spool.make_folder()
    spool.write(mine, b"sealed")
    assert list(spool.waiting()) == [(mine, b"sealed")]


@contextmanager
def closed(path: Path, left: int = 0) -> Iterator[None]:
    """To us, too: a superuser, whom no mode keeps out, is somebody else meanwhile. `left`: what everybody still may."""
    was_root, mode = os.geteuid() == 0, stat.S_IMODE(path.stat().st_mode)
    path.chmod(left)
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        path.chmod(mode)


def test_a_folder_that_is_another_users_stops_nobody(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A command that the superuser ran may have made it; every access of a token comes by here, so it is said once."""
    mine = uuid4()
    spool.write(mine, b"sealed")
    with closed(folder):
        for _ in range(2):
            assert list(spool.waiting()) == []
    told = "VAULT_SPOOL_DIR cannot be read (PermissionError): answers that wait there are not taken over"
    assert [each.message for each in caplog.records] == [told]
    assert list(spool.waiting()) == [(mine, b"sealed")]


def test_an_answer_that_is_another_users_keeps_nobody_from_the_next(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    closed_one, mine = sorted((uuid4(), uuid4()), key=str)
    for each in (closed_one, mine):
        spool.write(each, b"sealed")
    (folder / f"{closed_one}.sealed").unlink()
    (folder / f"{closed_one}.sealed").mkdir()  # what no user can read as a file, nor take away as one
    for _ in range(2):
        assert list(spool.waiting()) == [(mine, b"sealed")]
        spool.remove(closed_one)
    told = f"the answer of attempt {closed_one} in VAULT_SPOOL_DIR cannot be "
    assert [each.message.removeprefix(told).partition(" ")[0].rstrip(":") for each in caplog.records] == [
        "read",
        "removed",
    ]


def test_an_answer_is_as_old_as_its_file(folder: Path) -> None:
    mine = uuid4()
    assert spool.written_at(mine) is None
    spool.write(mine, b"sealed")
    os.utime(folder / f"{mine}.sealed", (1_000.0, 1_000.0))
    assert spool.written_at(mine) == datetime.fromtimestamp(1_000, UTC)


def test_the_doctor_names_a_folder_that_cannot_be_used(folder: Path) -> None:
    """Also before it is made, and where it is none. He makes nothing."""
    assert list(findings.kept_apart()) == []
    folder.mkdir(parents=True)
    assert list(findings.kept_apart()) == []
    for unusable in (folder, folder.parent):
        with closed(unusable):
            (found,) = findings.kept_apart()
        assert found.message.startswith("VAULT_SPOOL_DIR cannot be used by this user.")
    folder.rmdir()
    with closed(folder.parent):
        assert len(list(findings.kept_apart())) == 1
    assert not folder.exists()
    folder.touch()
    assert len(list(findings.kept_apart())) == 1


@pytest.mark.parametrize("left", [0o000, 0o333, 0o555, 0o666])
def test_a_folder_must_be_open_in_every_way(settings: Settings, left: int) -> None:
    """To be listed, written in, and passed through; for who we are now. Everybody may look at this one from outside."""
    with tempfile.TemporaryDirectory() as name:
        settings.VAULT_SPOOL_DIR = name
        with closed(Path(name), left):
            assert spool.trouble() == "VAULT_SPOOL_DIR cannot be used by this user."
        with closed(Path(name), 0o777):
            assert spool.trouble() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only a superuser makes what others cannot use, and gives it to them")
@pytest.mark.parametrize("make", [lambda: spool.write(uuid4(), b"sealed"), lambda: suspicion._write("a mark")])
def test_what_a_superusers_command_makes_is_for_the_product(folder: Path, make: Callable[[], None]) -> None:
    """As `after_restore`, run by hand before anything starts. One that is his already is named."""
    folder.parent.mkdir()
    os.chown(folder.parent, 65534, 65534)
    make()
    assert folder.stat().st_uid == 65534
    assert list(findings.kept_apart()) == []
    os.chown(folder, 0, 0)
    (found,) = findings.kept_apart()
    assert found.message.startswith("VAULT_SPOOL_DIR belongs to the superuser")
    os.chown(folder.parent, 0, 0)
    assert list(findings.kept_apart()) == []
