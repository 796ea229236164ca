"""What can be got at from an object by public means: attributes, slots, properties, what containers and functions hold.

A tool of test_given.py. Goes through no name that begins with an underscore, but for what a public function carries
with it: its closure and defaults, and the object that a bound method is bound to."""

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PLAIN = (str, bytes, int, float, bool, complex, type(None), type, types.ModuleType, types.BuiltinFunctionType)
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


def reachable(start: object, depth: int) -> Iterator[tuple[str, object]]:
    """(way, object) for all that is at most `depth` steps away, each object once, by its shortest way."""
    seen, edge = {id(start): start}, [("given", start)]
    for _ in range(depth):
        beyond = list[tuple[str, object]]()
        for way, each in edge:
            for step, found in _steps(each):
                if id(found) not in seen:
                    seen[id(found)] = found  # kept, so that no other object gets its id
                    beyond.append((way + step, found))
        yield from beyond
        edge = beyond


def _steps(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, _FUNCTIONS):
        yield from _carried(value)
    elif isinstance(value, Mapping):
        yield from ((f"[{key!r}]", each) for key, each in list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{number}]", each) for number, each in enumerate(value))
    else:
        yield from _attributes(value)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """Slots and properties too: `dir` names them all, and `getattr` runs the properties."""
    for name in dir(value):
        if not name.startswith("_"):
            try:
                yield f".{name}", getattr(value, name)
            except Exception:  # noqa: BLE001, S112  what cannot be had is not reached
                continue


def _carried(function: Any) -> Iterator[tuple[str, object]]:
    if isinstance(function, functools.partial):
        yield from (("()", each) for each in (function.func, *function.args, *function.keywords.values()))
        return
    if isinstance(function, types.MethodType):
        yield ".__self__", function.__self__
        yield ".__func__", function.__func__
        return
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:  # not filled yet
            continue
    yield from (("()", each) for each in held)


def leaks(start: object, is_secret: Callable[[object], bool], depth: int) -> list[str]:
    """The ways to what must not be reached."""
    return [way for way, found in reachable(start, depth) if is_secret(found)]
