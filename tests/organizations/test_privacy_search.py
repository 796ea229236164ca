"""Planted leaks are caught, wherever they lie and however they are written; what cannot be read is said (C61)."""

import base64
import bz2
import gzip
import lzma
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from organizations.privacy.canaries import Canaries, TooShort, needles_for
from organizations.privacy.databases import Tables
from organizations.privacy.needles import CHUNK
from organizations.privacy.processes import OpenFiles, SwappedOut
from organizations.privacy.search import Found, Looked, look
from organizations.privacy.stores import Folder, NotChecked, Store
from organizations.privacy.valkey import Keys
from tests.servers import ROOT

SUBJECT = "the subject of a mail"


class Planted:
    """A canary, and what a search for it in one store finds."""

    def __init__(self) -> None:
        self.canaries = Canaries()
        self.text = self.canaries.new(SUBJECT)

    def through(self, store: Store) -> Looked:
        (looked,) = look([store], self.canaries.needles(), "now")
        assert self.text[6:22] not in repr(looked)
        return looked

    def is_in(self, store: Store) -> bool:
        return any(found.what.startswith(SUBJECT) for found in self.through(store).found)


@pytest.fixture
def planted() -> Planted:
    return Planted()


def in_mime(text: bytes) -> bytes:
    """Broken into lines of 76 characters."""
    return base64.encodebytes(text).replace(b"\n", b"\r\n")


WRITTEN: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "in capitals": lambda text: text.upper().encode(),
    "in hex": lambda text: text.encode().hex().encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "in UTF-16, the other way round": lambda text: text.encode("utf-16-be"),
    "in URL form": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
    "in a query": lambda text: quote(f"a b={text}&c=ü").encode(),
    "cut short": lambda text: text[:24].encode(),
    "without its beginning": lambda text: text[-20:].encode(),
    "in base64": lambda text: base64.b64encode(text.encode()),
    "in base64, one later": lambda text: base64.b64encode(b"x" + text.encode()),
    "in base64, two later": lambda text: base64.urlsafe_b64encode(b"xy" + text.encode()),
    "in lines of base64": lambda text: in_mime(b"." * 50 + text.encode() + b"." * 50),
    "an attachment of Gmail": lambda text: base64.urlsafe_b64encode(
        b"Content-Type: text/plain\r\n\r\n" + in_mime(b"." * 41 + text.encode() + b"." * 99)
    ),
    "quoted-printable": lambda text: f"{text[:12]}=\r\n{text[12:30]}=\r\n{text[30:]}".encode(),
    "in JSON, line by line": lambda text: f'{{"raw": "{text[:14]}\\r\\n{text[14:38]}\\r\\n{text[38:]}"}}'.encode(),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_it_is_found_however_it_is_written(form: str, planted: Planted, tmp_path: Path) -> None:
    shape = WRITTEN[form](planted.text)
    for start in (0, 1, 5, CHUNK - 30, CHUNK - 3):
        (tmp_path / "file").write_bytes(b"." * start + shape + b".")
        assert planted.is_in(Folder("files", tmp_path)), start


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_logs_are_unpacked(packed: Callable[[bytes], bytes], planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "web.log.1").write_bytes(packed(b"a line\n" * 999 + planted.text.encode()))
    assert planted.is_in(Folder("logs", tmp_path))


def test_what_is_not_there_is_not_found(planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "file").write_text(planted.text[:17] + "." + Planted().text)
    looked = planted.through(Folder("files", tmp_path))
    assert (looked.found, looked.pieces, looked.size) == ([], 1, 72)


def test_a_files_name_is_looked_at_and_not_repeated(planted: Planted, tmp_path: Path) -> None:
    (tmp_path / f"{planted.text}.pdf").touch()
    (found,) = {each.where for each in planted.through(Folder("files", tmp_path)).found}
    assert found == "a place whose name holds it"


def test_what_cannot_be_read_is_said(planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(os.urandom(999))[:-20])
    missing = planted.through(Folder("files", tmp_path / "missing"))
    assert missing.not_checked == [NotChecked(str(tmp_path / "missing"), "there is no such folder on this machine")]
    assert planted.through(Folder("files", tmp_path)).not_checked == [
        NotChecked(str(tmp_path / "broken.gz"), "EOFError")
    ]


def test_what_this_user_may_not_read_is_said(planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "closed").touch(0o000)
    looked = planted.through(Folder("files", tmp_path))
    if os.geteuid() == 0:
        assert looked.pieces == 1
    else:
        assert [each.reason for each in looked.not_checked] == ["this user may not read it"]


def test_files_from_before_and_elsewhere_are_left_alone(planted: Planted, tmp_path: Path) -> None:
    for name in ("old", "apart/new"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(planted.text)
    since = (tmp_path / "old").stat().st_ctime + 1000
    assert planted.through(Folder("files", tmp_path, since=since)).pieces == 0
    assert planted.through(Folder("files", tmp_path, but=(tmp_path / "apart",))).pieces == 1


def test_an_open_file_that_was_deleted(planted: Planted) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(in_mime(planted.text.encode()))
        file.flush()
        assert planted.is_in(OpenFiles(os.getpid()))
    assert not planted.is_in(OpenFiles(os.getpid()))
    assert planted.through(SwappedOut(os.getpid())).store == "memory that went to a swap file"


_CLOSED = """
import sys, tempfile
from config.hardening import harden
file = tempfile.TemporaryFile()
file.write(sys.stdin.buffer.readline())
file.flush()
harden()
print("closed", flush=True)
sys.stdin.read()
"""


def test_of_processes_that_are_closed_to_others_root_sees_what_they_hold_open(planted: Planted) -> None:
    """Ours are; for anybody else it is said that nobody looked."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", _CLOSED], stdin=pipe, stdout=pipe, cwd=ROOT) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(planted.text.encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"closed\n"
        looked = planted.through(OpenFiles(process.pid))
        process.stdin.close()
    if os.geteuid() == 0:
        assert [found.what for found in looked.found] == [f"{SUBJECT}, as it is"]
    else:
        (told,) = looked.not_checked
        assert told.reason == "it is closed to other processes of its user; root may look"


@pytest.mark.django_db
def test_rows_also_what_postgresql_and_django_compress(planted: Planted) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE leaking (kept bytea)")  # of this session, and not among its tables
        cursor.execute("CREATE TABLE leak (kept bytea)")
        assert not planted.is_in(Tables("default"))
        packed = b"a" * 9000 + base64.b64encode(planted.text.encode()) + b"a" * 9000
        cursor.execute("INSERT INTO leak VALUES (%s)", [packed])
        assert {found.where for found in planted.through(Tables("default")).found} == {"table leak"}
        cursor.execute("DROP TABLE leak")
    session = SessionStore()
    session["draft"] = planted.text + "a" * 900
    session.save()
    assert {found.where for found in planted.through(Tables("default")).found} == {"table django_session"}


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    client.delete("leak:1")


@pytest.mark.parametrize(
    "put",
    [
        lambda client, text: client.set("leak:1", text),
        lambda client, text: client.hset("leak:1", text, "value"),
        lambda client, text: client.rpush("leak:1", "one", text),
        lambda client, text: client.zadd("leak:1", {text: 1}),
        lambda client, text: client.xadd("leak:1", {"field": text * 40}),
        lambda client, text: client.sadd("leak:1", text),
    ],
)
def test_values_of_each_kind(put: Callable[..., object], planted: Planted, valkey: redis.Redis) -> None:
    store = Keys(settings.REDIS_URL)
    assert not planted.is_in(store)
    put(valkey, planted.text)
    (where,) = {found.where for found in planted.through(store).found}
    assert re.fullmatch("a [a-z]+ below “leak”", where)


def test_a_key_is_looked_at_and_not_repeated(planted: Planted, valkey: redis.Redis) -> None:
    valkey.set(planted.text, 1, ex=60)
    (where,) = {found.where for found in planted.through(Keys(settings.REDIS_URL)).found}
    valkey.delete(planted.text)
    assert where == "a place whose name holds it"


def test_a_queue_that_is_away_is_said(planted: Planted) -> None:
    looked = planted.through(Keys("redis://127.0.0.1:1/0"))
    assert [each.reason for each in looked.not_checked] == ["ConnectionError"]


@pytest.mark.django_db
def test_each_stores_own_planting_is_found_and_taken_away(planted: Planted, tmp_path: Path) -> None:
    """What `prove_privacy` plants to show that it would have found a leak."""
    stores: list[Store] = [Tables("default"), Keys(settings.REDIS_URL), OpenFiles(os.getpid()), Folder("f", tmp_path)]
    for store in stores:
        undo = store.plant(planted.text)
        assert planted.is_in(store), store.name
        assert undo
        undo()
        assert not planted.is_in(store), store.name


def test_texts_that_others_sent(tmp_path: Path) -> None:
    text = f"Offer {secrets.token_hex(6)} for Jane"
    (tmp_path / "file").write_bytes(base64.b64encode(text.lower().encode()))
    (looked,) = look([Folder("files", tmp_path)], needles_for(["something else, longer", text]), "now")
    assert looked.found == [Found("text 2, in base64", str(tmp_path / "file"))]
    with pytest.raises(TooShort, match="Text 1"):
        needles_for(["Jane"])
