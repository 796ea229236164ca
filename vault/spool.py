"""Where a sealed answer waits when the database is down at the very moment it must be kept (V5). Ciphertext only."""

import logging
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings

log = logging.getLogger("sidebar.vault")

_SUFFIX = ".sealed"
_told: set[str] = set()


def folder() -> Path:
    return Path(settings.VAULT_SPOOL_DIR)


def make_folder() -> None:
    """One that a superuser's command makes is theirs whose the folder around it is: the product writes there as them.

    Raises OSError."""
    if folder().is_dir():
        return
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        around = folder().parent.stat()
        os.chown(folder(), around.st_uid, around.st_gid)


def trouble() -> str:
    """Why no answer could be kept or found here, in words; "" where nothing speaks against it. Makes nothing."""
    where = _nearest()
    if where is None or not os.access(where, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        return "VAULT_SPOOL_DIR cannot be used by this user."
    if where == folder() and where.stat().st_uid == 0 != where.parent.stat().st_uid:
        return "VAULT_SPOOL_DIR belongs to the superuser, unlike the folder around it."
    return ""


def _nearest() -> Path | None:
    """The folder, or the one in which it would be made; None where there is no way to it."""
    for path in (folder(), *folder().absolute().parents):
        try:
            return path if stat.S_ISDIR(path.stat().st_mode) else None
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def write(attempt_id: UUID, blob: bytes) -> None:
    """Durable on return: file and folder are flushed to disk. Raises OSError."""
    make_folder()
    unfinished = folder() / f"{attempt_id}.part"
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(blob)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(_path(attempt_id))
    _sync_folder()


def waiting() -> Iterator[tuple[UUID, bytes]]:
    """Each answer that a crash or an outage left here, but for those that another process of this host takes over
    meanwhile. None where we may not look: said once, since every access of a token comes by (doctor says it too)."""
    try:
        names = sorted(path.name for path in folder().iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        tell(f"VAULT_SPOOL_DIR cannot be read ({type(error).__name__}): answers that wait there are not taken over")
        return
    for name in names:
        attempt_id = _attempt_of(name)
        blob = None if attempt_id is None else _read(attempt_id)
        if attempt_id is not None and blob is not None:
            yield attempt_id, blob


def _read(attempt_id: UUID) -> bytes | None:
    try:
        return _path(attempt_id).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        tell(f"the answer of attempt {attempt_id} in VAULT_SPOOL_DIR cannot be read: {type(error).__name__}")
        return None


def written_at(attempt_id: UUID) -> datetime | None:
    """By the clock of its host; None where another process has taken it over meanwhile."""
    try:
        return datetime.fromtimestamp(_path(attempt_id).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def remove(attempt_id: UUID) -> None:
    try:
        _path(attempt_id).unlink(missing_ok=True)
    except OSError as error:
        tell(f"the answer of attempt {attempt_id} in VAULT_SPOOL_DIR cannot be removed: {type(error).__name__}")


def tell(text: str) -> None:
    """In the log, once in the life of a process."""
    if text not in _told:
        _told.add(text)
        log.error(text)


def _path(attempt_id: UUID) -> Path:
    return folder() / f"{attempt_id}{_SUFFIX}"


def _attempt_of(name: str) -> UUID | None:
    try:
        return UUID(name.removesuffix(_SUFFIX)) if name.endswith(_SUFFIX) else None
    except ValueError:
        return None


def _sync_folder() -> None:
    descriptor = os.open(folder(), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
