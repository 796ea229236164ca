"""What a name means that comes through our own modules: none of them hands on what it has from the vault. Runs nothing.

Goes by the names that imports bind, wherever in a file they stand: a name that is bound twice means both."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import cast

from tests.architecture.rules import ROOMS, Source

Bound = dict[str, frozenset[str]]


def names_from_our_modules(source: Source) -> Iterator[str]:
    """From another of our modules comes what it makes itself; relative and star imports do not say what they bring."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.level or _room(node.module or "") in ROOMS):
            for each in node.names:
                if node.level or each.name == "*":
                    yield f"{node.lineno}: {ast.unparse(node)}; name the module and what you need of it"
                elif _from_the_vault(f"{node.module}.{each.name}"):
                    yield f"{node.lineno}: {node.module} has {each.name} from the vault, as you may"


def modules_at_work(source: Source) -> Iterator[str]:
    """A module, ours or the vault's, is the head of an attribute: no value to hand about, to change or to keep."""
    bound = _bound(source.tree)
    for line, (head, *rest) in _chains(source.tree):
        text = ".".join((head, *rest))
        for name in bound.get(head, frozenset()):
            whole = ".".join((name, *rest))
            if _room(name) in ROOMS and _from_the_vault(whole):
                yield f"{line}: {text} is the vault's, taken from another module"
            if any(_is_module(each) for each in _meanings(whole)):
                yield f"{line}: {text} is a module, handed about or changed"


def imports_in_classes(source: Source) -> Iterator[str]:
    """A class keeps what its body imports, and hands it on as an attribute."""
    owners = (node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef))
    for node in (each for owner in owners for each in _body(owner)):
        if any(_is_ours(name) for _, name in _imports(node)):
            yield f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)} in the body of a class"


def _body(owner: ast.AST) -> Iterator[ast.AST]:
    """What stands in it, but not in its methods."""
    for node in ast.iter_child_nodes(owner):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _body(node)


def _room(dotted: str) -> str:
    return dotted.partition(".")[0]


def _is_ours(dotted: str) -> bool:
    return _room(dotted) in (*ROOMS, "vault")


def _from_the_vault(dotted: str) -> bool:
    return any(_room(each) == "vault" for each in _meanings(dotted))


def _meanings(dotted: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """Where a dotted name ends, through the imports of each module on its way."""
    owner, _, name = dotted.rpartition(".")
    if not owner or not _is_ours(dotted) or dotted in seen:
        return frozenset({dotted})
    found = {dotted} if _is_module(dotted) else set[str]()
    for each in _meanings(owner, seen | {dotted}):
        brought = _brought_by(each).get(name) if _room(each) in ROOMS else None
        found.update(meant for way in brought or () for meant in _meanings(way, seen | {dotted}))
        found.update(() if brought else {f"{each}.{name}"})
    return frozenset(found)


def _file(dotted: str) -> Path | None:
    path = Path(*dotted.split("."))
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()), None)


@cache
def _is_module(dotted: str) -> bool:
    return _is_ours(dotted) and _file(dotted) is not None


@cache
def _brought_by(module: str) -> Bound:
    path = _file(module)
    return _bound(ast.parse(path.read_text())) if path else {}


def _bound(tree: ast.Module) -> Bound:
    """name -> the dotted names of ours that imports bind to it."""
    found = defaultdict[str, set[str]](set)
    for node in ast.walk(tree):
        for name, dotted in _imports(node):
            if _is_ours(dotted):
                found[name].add(dotted)
    return {name: frozenset(dotted) for name, dotted in found.items()}


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """`import a.b` binds a."""
    if isinstance(node, ast.Import):
        for each in node.names:
            yield (each.asname, each.name) if each.asname else (_room(each.name), _room(each.name))
    elif isinstance(node, ast.ImportFrom):
        yield from ((each.asname or each.name, f"{node.module}.{each.name}") for each in node.names)


def _chains(tree: ast.Module) -> Iterator[tuple[int, list[str]]]:
    """Every a.b.c that is read, whole, and every name that is read alone; of `a.b.c = 1`, a.b."""
    read = [n for n in ast.walk(tree) if isinstance(n, ast.Name | ast.Attribute) and isinstance(n.ctx, ast.Load)]
    inner = {id(node.value) for node in read if isinstance(node, ast.Attribute)}
    for node in read:
        parts, head = list[str](), cast("ast.expr", node)
        while isinstance(head, ast.Attribute):
            parts, head = [head.attr, *parts], head.value
        if isinstance(head, ast.Name) and id(node) not in inner:
            yield node.lineno, [head.id, *parts]
