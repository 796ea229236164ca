"""Where a sealed answer waits when the database is down at the very moment it must be kept (V5). Ciphertext only."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from django.conf import settings

_SUFFIX = ".sealed"


def folder() -> Path:
    return Path(settings.VAULT_SPOOL_DIR)


def write(attempt_id: UUID, blob: bytes) -> None:
    """Durable on return: file and folder are flushed to disk."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
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
    meanwhile."""
    try:
        names = sorted(path.name for path in folder().iterdir())
    except FileNotFoundError:
        return
    for name in names:
        attempt_id = _attempt_of(name)
        if attempt_id is None:
            continue
        try:
            blob = _path(attempt_id).read_bytes()
        except FileNotFoundError:
            continue
        yield attempt_id, blob


def remove(attempt_id: UUID) -> None:
    _path(attempt_id).unlink(missing_ok=True)


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
