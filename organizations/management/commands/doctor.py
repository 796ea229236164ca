"""`manage.py doctor`: what is wrong, in plain words, and where it is mended. Changes nothing; shows no secret."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations.registries import Finding, Level, connection_examiners, doctor_checks, doctor_pages

_MARKS = {Level.OK: "ok     ", Level.WARNING: "warning", Level.ERROR: "ERROR  "}


class Command(BaseCommand):
    help = "Examine configuration, keys, servers, providers' apps and connections. Exit code 1 when something is wrong."
    requires_system_checks: list[str] = []  # a wrong setting is a finding here, not the end

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--connection", type=UUID, help="examine this one, by asking its provider now")
        parser.add_argument("--screens", action="store_true", help="print docs/doctor.md: every cause and its screen")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["screens"]:
            self.stdout.write("\n".join(page() for _, page in doctor_pages), ending="")
            return
        chosen = options["connection"]
        findings = list(_of_connection(chosen) if chosen else _of_everything())
        errors = self._show(findings)
        if errors:
            raise CommandError(f"{errors} of {len(findings)} findings are errors.", returncode=1)

    def _show(self, findings: Iterable[Finding]) -> int:
        errors = 0
        for finding in findings:
            self.stdout.write(f"{_MARKS[finding.level]}  {finding.message}")
            if finding.advice and finding.level != Level.OK:
                self.stdout.write(f"           -> {finding.advice}")
            errors += finding.level == Level.ERROR
        return errors


def _of_everything() -> Iterator[Finding]:
    for finding in _of_each_check():
        yield finding
        if finding.is_last:
            return


def _of_each_check() -> Iterator[Finding]:
    for name, check in doctor_checks:
        yield from _made(name, check, "See above.")


def _made(name: str, check: Callable[[], Iterable[Finding]], advice: str) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  one room's trouble must not hide what the others found
        yield Finding(Level.ERROR, f"The check '{name}' could not be made ({type(error).__name__}).", advice)


def _of_connection(connection_id: UUID) -> Iterator[Finding]:
    advice = "`manage.py doctor` alone looks at databases, keys and settings."
    made = [_made(name, partial(examine, connection_id), advice) for name, examine in connection_examiners]
    found = [finding for findings in made for finding in findings]
    if not found:
        raise CommandError("There is no connection with this id.", returncode=1)
    yield from found
