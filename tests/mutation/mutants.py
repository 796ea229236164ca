"""Makes small faults in a module's source, one at a time, by its syntax tree. Runs nothing.

Left alone: docstrings, annotations, what is logged, the words of an error, type variables, and whatever is outside
functions and module-level constants."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """`owner`: the outermost function ("Flights.run") or module-level name that changes; `tree`: the new module."""

    owner: str
    is_function: bool
    line: int
    what: str
    tree: ast.Module


def mutants_of(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for owner, is_function, roots in _owners(tree.body, ""):
        for index, (node, _, what) in enumerate(_changes(roots)):
            yield Mutant(owner, is_function, node.lineno, what, _applied(source, owner, index))


def _applied(source: str, owner: str, index: int) -> ast.Module:
    """A fresh tree with the one change made."""
    tree = ast.parse(source)
    roots = next(found for name, _, found in _owners(tree.body, "") if name == owner)
    for number, (_, change, _) in enumerate(_changes(roots)):
        if number == index:
            change()
            break
    return ast.fix_missing_locations(tree)


def _owners(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, bool, list[ast.AST]]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, True, list(node.body)
        elif isinstance(node, ast.ClassDef) and not _is_protocol(node):
            yield from _owners([each for each in node.body if isinstance(each, ast.FunctionDef)], f"{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value and not prefix:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield target.id, False, [node.value]


def readers_of(source: str, constant: str) -> set[str]:
    """The functions that name a module-level constant."""
    return {
        name
        for name, is_function, roots in _owners(ast.parse(source).body, "")
        if is_function and any(_is_name(each, constant) for root in roots for each in ast.walk(root))
    }


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id in ("Protocol", "TextChoices") for base in node.bases)


Change = tuple[ast.expr | ast.stmt, Callable[[], None], str]


def _changes(roots: list[ast.AST]) -> Iterator[Change]:
    for root in roots:
        yield from _in(root)


def _in(node: ast.AST) -> Iterator[Change]:
    if _is_left_alone(node):
        return
    yield from _of(node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                words = _words(node) if isinstance(node, ast.Raise) else set()
                yield from (change for change in _in(child) if id(change[0]) not in words)


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    call = node.value if isinstance(node, ast.Expr) else None
    called = call.func if isinstance(call, ast.Call) else None
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TypeVar":
        return True
    return isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "log"


def _words(node: ast.Raise) -> set[int]:
    """The texts that an error is raised with: for people, compared with nothing."""
    call = node.exc
    return {id(part) for each in call.args for part in ast.walk(each)} if isinstance(call, ast.Call) else set()


def _of(node: ast.AST) -> Iterator[Change]:
    for kind, make in _KINDS.items():
        if isinstance(node, kind):
            yield from make(node)


def _compare(node: ast.Compare) -> Iterator[Change]:
    for number, operator in enumerate(node.ops):
        swapped = _SWAPS.get(type(operator))
        if swapped:
            yield node, _set_item(node.ops, number, swapped()), f"{_name(operator)} -> {swapped.__name__}"


def _operator(node: ast.BoolOp | ast.BinOp | ast.AugAssign) -> Iterator[Change]:
    swapped = _SWAPS.get(type(node.op))
    if swapped:
        yield node, _set(node, "op", swapped()), f"{_name(node.op)} -> {swapped.__name__}"


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    other: object
    if isinstance(value, bool):
        other = not value
    elif isinstance(value, int | float):
        other = value + 1
    elif isinstance(value, str):
        other = f"XX{value}"
    elif isinstance(value, bytes):
        other = b"XX" + value
    else:
        return
    yield node, _set(node, "value", other), f"{value!r} -> {other!r}"


def _not(node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield node, _set(node, "operand", ast.UnaryOp(ast.Not(), node.operand)), "not not"


def _test(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    if not isinstance(node.test, ast.Compare | ast.UnaryOp | ast.BoolOp):
        yield node, _set(node, "test", ast.UnaryOp(ast.Not(), node.test)), "condition negated"


def _return(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield node, _set(node, "value", ast.Constant(None)), "returns None"


def _statement(node: ast.Expr | ast.Raise | ast.Assign | ast.Delete) -> Iterator[Change]:
    """A call for its effect, a raise, a change of an attribute: left out."""
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call):
        return
    if isinstance(node, ast.Assign) and not _changes_an_object(node.targets[0]):
        return
    text = ast.unparse(node)
    yield node, lambda: _become_pass(node), f"left out: {text[:60]}"


def _changes_an_object(target: ast.expr) -> bool:
    """Not a local name, whose absence would only be a NameError."""
    if isinstance(target, ast.Tuple):
        return all(isinstance(each, ast.Attribute) for each in target.elts)
    return isinstance(target, ast.Attribute | ast.Subscript)


def _become_pass(node: ast.stmt) -> None:
    """In place: an assertion that cannot fail does nothing."""
    fields = ast.Expr(ast.Constant(None))
    line = node.lineno
    node.__class__ = ast.Expr
    node.__dict__.clear()
    node.__dict__.update(fields.__dict__)
    node.lineno, node.col_offset = line, 0


def _call(node: ast.Call) -> Iterator[Change]:
    for number, keyword in enumerate(node.keywords):
        if keyword.arg:
            rest = [each for index, each in enumerate(node.keywords) if index != number]
            yield node, _set(node, "keywords", rest), f"without {keyword.arg}="


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, copy.deepcopy(value) if isinstance(value, ast.Constant) else value)


def _set_item(items: list[ast.cmpop], number: int, value: object) -> Callable[[], None]:
    def change() -> None:
        items[number] = value  # type: ignore[call-overload]

    return change


def _name(node: ast.AST) -> str:
    return type(node).__name__


_KINDS: dict[type[ast.AST] | tuple[type[ast.AST], ...], Callable[..., Iterator[Change]]] = {
    ast.Compare: _compare,
    (ast.BoolOp, ast.BinOp, ast.AugAssign): _operator,
    ast.Constant: _constant,
    ast.UnaryOp: _not,
    (ast.If, ast.While, ast.IfExp): _test,
    ast.Return: _return,
    (ast.Expr, ast.Raise, ast.Assign, ast.Delete): _statement,
    ast.Call: _call,
}
