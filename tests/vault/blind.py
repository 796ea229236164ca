"""A process of ours that takes a lease and then loses the database: `python -m tests.vault.blind ID`.

Prints a line when it has the lease and has lost the database; a minute later at most, the time (UNIX) at which it has
last been handed the token."""

import sys
import time
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from vault.tokens import ConnectionTokens


def main(connection_id: UUID) -> None:
    import django

    django.setup()
    from django.db import connections

    from organizations import epochs
    from vault.tokens import ConnectionTokens

    epochs.start_polling(1.0)
    tokens = ConnectionTokens(connection_id, "test")
    _until_it_polls()
    tokens.access()
    poller = epochs._poller
    assert poller is not None
    for database in (connections["default"], poller._database):
        database.settings_dict.update(HOST="127.0.0.1", PORT="9", OPTIONS={"connect_timeout": 1})
    connections["default"].close()
    poller._database.connection.close()  # below Django, which lets no other thread close it
    say("blind")
    say(str(_last_handed_out(tokens)))


def _until_it_polls() -> None:
    from organizations import epochs

    while not (epochs._poller and epochs._poller._seen):
        time.sleep(0.05)


def _last_handed_out(tokens: "ConnectionTokens") -> float:
    from django.db import DatabaseError

    last, until = 0.0, time.monotonic() + 20
    while time.monotonic() < until:
        try:
            tokens.access()
        except DatabaseError:
            return last
        last = time.time()
        time.sleep(0.05)
    return last


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(UUID(sys.argv[1]))
