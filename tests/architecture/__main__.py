"""`python -m tests.architecture`, part of `make check`: prints every breach of the vault's walls in the source."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.architecture import detours, modules, rules
from tests.architecture.rules import ROOMS, Source

Rule = Callable[[Source], Iterator[str]]
#: Where what products are given is made.
CLIENTS = ("vault/clients.py", "vault/watched.py", "providers/salesforce/crm.py")
#: For each room but the vault.
EVERYWHERE: tuple[Rule, ...] = (
    rules.imports_of_the_vault,
    rules.models_by_name,
    rules.raw_sql,
    modules.names_from_our_modules,
    modules.modules_at_work,
    modules.imports_in_classes,
    detours.reflection,
    detours.names_of_modules,
    detours.attributes_by_name,
    detours.built_sql,
    detours.format_strings,
)


def files_of(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in Path(room).rglob("*.py") if "node_modules" not in path.parts)


def breaches() -> list[str]:
    found = [each for path in files_of(*ROOMS) for rule in EVERYWHERE for each in _of(path, rule)]
    found += [each for path in files_of(*detours.ABOVE) for each in _of(path, detours.private_attributes)]
    models = [path for path in files_of("vault") if "migrations" not in path.parts]
    found += [each for path in models for each in _of(path, rules.reverse_relations)]
    return found + [each for name in CLIENTS for each in _of(Path(name), rules.token_attributes)]


def _of(path: Path, rule: Rule) -> Iterator[str]:
    for sentence in rule(Source.of(str(path), path.read_text())):
        yield f"{path}:{sentence}"


if __name__ == "__main__":
    wrong = breaches()
    sys.stdout.write("".join(f"{each}\n" for each in wrong))
    sys.exit(1 if wrong else 0)
