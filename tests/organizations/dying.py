"""A destruction that is killed at a chosen step: `python -m tests.organizations.dying ORGANIZATION STEP MOMENT`.

MOMENT: `before` or `after` the step, or `within`: at the second statement that deletes something in it."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def main(organization: str, name: str, moment: str) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from organizations import erasing

    erasing.HEARD_BY_ALL = 0.1  # no other process holds anything of it
    if name == "write":
        from organizations import certificate

        certificate.write = dying(certificate.write, moment)
    erasing.STEPS = tuple(dying(step, moment) if step.__name__ == name else step for step in erasing.STEPS)
    call_command("destroy_organization", organization, "--yes", "--patience", os.environ.get("PATIENCE", "5"))


def dying(step: Callable[..., Any], moment: str) -> Callable[..., Any]:
    def die(*given: Any) -> Any:
        if moment == "before":
            kill()
        if moment == "within":
            kill_at_second_delete()
        result = step(*given)
        if moment == "after":
            kill()
        return result

    die.__doc__ = step.__doc__
    return die


def kill_at_second_delete() -> None:
    from django.db import connections

    seen = []

    def count(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        if statement.startswith(("DELETE", "UPDATE")):
            seen.append(statement)
            if len(seen) == 2:
                kill()
        return execute(statement, parameters, many, context)

    for alias in ("default", "keys"):
        connections[alias].execute_wrappers.append(count)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:4])
