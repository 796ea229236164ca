"""A process of ours that renews a grant and may die at a chosen moment: `python -m tests.vault.dying ID MOMENT`.

Prints the generation it reached. Moments: `never`, `kept` (raw answer committed, nothing understood), `database`
(the database is away from the provider's answer on), `frozen` (the test stops it, and our patience is short)."""

import os
import signal
import sys
from typing import Any
from uuid import UUID


def main(connection_id: UUID, moment: str) -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.db import OperationalError

    from providers.base import Secret
    from vault import answers, settling
    from vault.models import Connection
    from vault.tokens import ConnectionTokens

    settings.VAULT_SPOOL_DIR = os.environ["SPOOL"]

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def unreachable(*_: Any) -> None:
        raise OperationalError

    if moment == "kept":
        settling.settle = die  # type: ignore[assignment]
    if moment in ("database", "frozen"):
        answers.PATIENCE = 0.5
    if moment == "database":
        answers._commit = unreachable  # type: ignore[assignment]
    ConnectionTokens(connection_id, "test").access(rejected=Secret(os.environ["REJECTED"]))
    sys.stdout.write(str(Connection.objects.get(pk=connection_id).generation))


if __name__ == "__main__":
    main(UUID(sys.argv[1]), sys.argv[2])
