"""Everything a running product keeps, as text: each table of both databases, the queue, the logs, the disk."""

import base64
import contextlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql

from config.embedded.postgres import _binaries as postgres_programs

__all__ = ["naming", "postgres_programs", "rows_of"]

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"


def naming(words: Iterable[str], texts: Iterable[tuple[str, str]]) -> list[str]:
    """ "place: word" for each place whose text holds one of the words, in any letters."""
    wanted = [word.lower() for word in words]
    return sorted({f"{place}: {word}" for place, text in texts for word in wanted if word in text.lower()})


def rows_of(database_url: str) -> Iterator[tuple[str, str]]:
    """(table, row as text) of every row, compressed and encoded columns opened."""
    with psycopg.connect(database_url) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                yield table, " ".join(map(_text, row))


def key_store_rows(path: Path) -> Iterator[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  names of its own catalogue
                yield f"key store {table}", " ".join(map(_text, row))


def key_store_bytes(path: Path) -> str:
    return path.read_bytes().hex()


def queue(redis_url: str) -> Iterator[tuple[str, str]]:
    """(key, dump) of every key of the broker, message bodies opened."""
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        for key in client.scan_iter():
            for value in [key, *_values(client, key)]:
                yield f"queue {key.decode()}", _text(value) + _bodies(value)


def _values(client: Any, key: bytes) -> list[bytes]:
    kind = client.type(key)
    if kind == b"list":
        return list(client.lrange(key, 0, -1))
    if kind == b"hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    if kind == b"stream":
        return [part for _, entry in client.xrange(key) for pair in entry.items() for part in pair]
    if kind == b"zset":
        return list(client.zrange(key, 0, -1))
    return list(client.smembers(key)) if kind == b"set" else [client.get(key) or b""]


def _bodies(value: bytes) -> str:
    """Celery's arguments are base64 inside the message."""
    parts = value.split(b'"')
    return " ".join(_decoded(part) for part in parts if len(part) > 20)


def _decoded(part: bytes) -> str:
    try:
        return base64.b64decode(part, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""


def files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes().decode("latin-1")


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex() + bytes(value).decode("latin-1") + _inflated(bytes(value))
    return f"{value} {_session(value)}" if isinstance(value, str) else str(value)


def _inflated(value: bytes) -> str:
    try:
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return ""


def _session(value: str) -> str:
    """What is inside a session's signed text: base64, compressed where it begins with a dot."""
    payload = value.lstrip(".").split(":")[0]
    if ":" not in value or not payload:
        return ""
    try:
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        return ""
    return _inflated(raw) if value.startswith(".") else raw.decode("utf-8", "replace")
