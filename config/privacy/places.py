"""Where `prove_privacy` looks: in a product that was made for it, and in one that is running.

Finds places; reads none of them."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connections

from config import env
from config.embedded import ports, postgres, state
from config.privacy.throw_away import Stage
from organizations.privacy.databases import Tables
from organizations.privacy.processes import OpenFiles, SwappedOut
from organizations.privacy.stores import Folder, NotChecked, Piece, Store, Undo
from organizations.privacy.valkey import Keys
from organizations.registries import privacy_probes

_WAL = "pg_wal"


class PostgresFiles(Folder):
    """Heap, indexes, WAL: as they lie on the disk once PostgreSQL has written everything down."""

    def plant(self, text: str) -> Undo | None:
        undo = Tables("default").plant(text, compressible=False)
        settle()
        return undo


class ValkeyFiles(Folder):
    """What it appends to its file before it answers, and what it rewrites."""

    def plant(self, text: str) -> Undo | None:
        return Keys(settings.REDIS_URL).plant(text)


@dataclass
class Unreachable:
    """A store of which only that much is known: why it is not looked at."""

    name: str
    reason: str

    def contents(self) -> Iterator[Piece | NotChecked]:
        yield NotChecked(self.name, self.reason)

    def plant(self, _text: str) -> Undo | None:
        return None


def of_stage(stage: Stage, since: float = 0.0, *, machines: bool = True) -> list[Store]:
    """Everything there is of it. `since`: of files only what was changed after that (seconds of the clock); the others
    were looked at before, and cannot hold what was sent later. `machines`: folders for temporary files that it shares
    with everybody, too, though its programs have one of their own."""
    data, valkey, logs = stage.state / "postgres" / "data", stage.state / "valkey", stage.state / "log"
    apart = (data, valkey, logs, stage.temporary)
    owner = os.getpid()  # which started all of it
    return [
        *_in_databases(),
        PostgresFiles("files of PostgreSQL: tables and indexes", data, since, but=(data / _WAL,)),
        PostgresFiles("files of PostgreSQL: write-ahead log", data / _WAL, since),
        ValkeyFiles("files of Valkey", valkey, since),
        Folder("logs", logs, since),
        Folder("everything else that the product keeps", stage.folder, since, apart),
        Folder("its folder for temporary files", stage.temporary, since),
        *(_temporary(max(since, stage.began), but=(stage.folder,)) if machines else ()),
        OpenFiles(owner),
        SwappedOut(owner),
    ]


def settle() -> None:
    """What PostgreSQL still holds in memory goes to its files, so that these are looked at as they would stay. As its
    superuser, whose password lies beside the data."""
    place = connections["default"].settings_dict
    password = Path(settings.LOCAL_DIR) / "postgres" / f"{postgres.SUPERUSER}.password"
    with psycopg.connect(
        host=ports.LOOPBACK,
        port=place["PORT"],
        user=postgres.SUPERUSER,
        password=password.read_text(),
        dbname=place["NAME"],
        autocommit=True,
    ) as connection:
        connection.execute("CHECKPOINT")


@dataclass(frozen=True)
class Named:
    """Folders of a running product that its settings do not say, as the operator names them. `temporary`: instead of
    the machine's."""

    logs: Sequence[Path] = ()
    temporary: Sequence[Path] = ()
    postgres: Path | None = None
    valkey: Path | None = None


def of_installation(named: Named) -> list[Store]:
    """What this process can reach of a running product, and what it cannot; beside `make run` its folders are known."""
    local = Path(settings.LOCAL_DIR)
    named = _known_beside(local, named)
    spool = env.read("TRACKING_SPOOL_DIR", "")
    apart = (*named.logs, *(path for path in (named.postgres, named.valkey) if path))
    return [
        *_in_databases(),
        _folder("files of PostgreSQL", named.postgres, "--postgres-files"),
        _folder("files of Valkey", named.valkey, "--valkey-files"),
        *_logs(named.logs),
        Folder("LOCAL_DIR", local, but=apart),
        *([Folder("where hits wait on a disk", Path(spool))] if spool else []),
        *(store for _, stores in privacy_probes for store in stores()),
        *([Folder(str(path), path) for path in named.temporary] or _temporary(0.0)),
        OpenFiles(),
        SwappedOut(),
        Unreachable("other machines", "each must be looked at by itself"),
    ]


def _known_beside(local: Path, named: Named) -> Named:
    facts = state.running(local)
    if not facts:
        return named
    data, valkey = local / "postgres" / "data", local / "valkey"
    return replace(
        named,
        logs=[*named.logs, Path(facts["log"])],
        postgres=named.postgres or (data if data.is_dir() else None),
        valkey=named.valkey or (valkey if valkey.is_dir() else None),
    )


def _in_databases() -> Iterable[Store]:
    return [*(Tables(alias) for alias in connections), Keys(settings.REDIS_URL)]


def _temporary(since: float, but: tuple[Path, ...] = ()) -> Iterable[Store]:
    """The machine's, that is: everybody's."""
    paths = dict.fromkeys([Path(tempfile.gettempdir()), *(Path("/") / name for name in ("tmp", "var/tmp", "dev/shm"))])
    when = ", what changed since the start" if since else ""
    return [Folder(f"{path}{when}", path, since, but) for path in paths if path not in but and path.is_dir()]


def _logs(folders: Sequence[Path]) -> Iterable[Store]:
    if not folders:
        yield Unreachable("logs", "name their folder with --logs")
    for each in folders:
        yield Folder(f"logs in {each}", each)


def _folder(name: str, path: Path | None, option: str) -> Store:
    if path is None:
        return Unreachable(name, f"they may be on another machine; name their folder with {option}")
    return Folder(f"{name}: {path}", path)
