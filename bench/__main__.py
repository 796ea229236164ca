"""`make bench`: every measurement, one after the other, as a table and as bench/results.json."""

import os
import secrets

from bench.results import Results


def main() -> None:
    # The cache and its policy need settings, not servers; the stack below brings its own.
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    given = {name: os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")}
    os.environ.setdefault("DATABASE_URL", "postgres://nobody@localhost/none")
    os.environ.setdefault("REDIS_URL", "redis://localhost/0")

    from bench import (
        attachments,
        burst,
        card_memory,
        mime,
        rotation,
        signatures,
        sync,
        tracking,
        warm_lookup,
        working_day,
    )

    results = Results()
    working_day.measure(results)
    card_memory.measure(results)
    mime.measure(results)
    signatures.measure(results)
    for name, value in given.items():
        if value is None:
            del os.environ[name]
    rotation.measure(results)
    tracking.measure(results)
    sync.measure(results)
    attachments.measure(results)
    from tests.running import whole_stack

    with whole_stack() as stack:
        warm_lookup.measure(results, stack)
        burst.measure(results, stack)
    results.save()


if __name__ == "__main__":
    main()
