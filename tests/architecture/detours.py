"""Ways round the vault's doors that no import shows: registries, modules by name, insides of objects, built strings.

Reads the source of the other rooms, as rules.py does, and runs nothing. Whole words are refused, so that an alias helps
nobody; who needs one stands in ALLOWED with the reason."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.architecture.rules import Source

#: Rooms that are given clients; those below the vault have none, and look into objects of their own libraries.
ABOVE = ("config", "sync", "tracking", "reports", "sidebar", "dashboard")

_REGISTRIES = {
    "all_models", "app_configs", "get_models", "get_registered_model", "get_app_configs", "get_containing_app_config",
    "ContentType", "contenttypes", "model_class", "_meta", "related_objects", "related_model", "Collector",
}  # fmt: skip
_MODULES = {
    "importlib", "import_module", "__import__", "import_string", "module_from_spec", "exec_module", "load_module",
    "pkgutil", "runpy", "modules",
}  # fmt: skip
_INSIDES = {
    "__globals__", "__closure__", "cell_contents", "__dict__", "__self__", "__func__", "__wrapped__", "__subclasses__",
    "__builtins__", "__getattribute__", "__getstate__", "f_globals", "f_locals", "vars", "globals", "locals", "eval",
    "exec", "attrgetter", "methodcaller", "inspect", "get_objects", "get_referrers", "get_referents", "pgconn",
    "vformat",
}  # fmt: skip
WORDS = _REGISTRIES | _MODULES | _INSIDES

_ASKS_WHAT_IS_INSTALLED = "whether an optional package is there: find_spec of a constant, which loads nothing of ours"
_OWN_FIELDS = "names of its own dataclass' fields"
_COPIES_AN_OBJECT = "the standard library's copy of an exception or a record"
#: (file, what it uses) -> why that is no way to the vault. One that is no longer needed fails the rules' test.
ALLOWED = {
    ("config/embedded/postgres.py", "importlib"): _ASKS_WHAT_IS_INSTALLED,
    ("config/embedded/valkey.py", "importlib"): _ASKS_WHAT_IS_INSTALLED,
    (
        "config/embedded/postgres.py",
        "execute",
    ): "creates our own role and databases, whose names are quoted identifiers",
    (
        "organizations/privacy/databases.py",
        "execute",
    ): "every table as it lies there, to look for texts in it: sealed values stay sealed, and none is handed on",
    ("tracking/partitions.py", "execute"): "a partition's name and bounds, made of a date",
    ("tracking/analytics.py", "getattr"): _OWN_FIELDS,
    ("config/embedded/postgres.py", "format"): "psycopg's own, which takes no attribute of what it is given",
    ("config/logging.py", "format"): "a line of the log, by the formatter that it extends",
    ("config/logging.py", "copy"): _COPIES_AN_OBJECT,
    ("providers/kept.py", "copy"): _COPIES_AN_OBJECT,
    ("sidebar/flights.py", "copy"): _COPIES_AN_OBJECT,
    ("organizations/epochs.py", "globals"): "a fork's own poller, set anew in its own module",
    ("organizations/membership.py", "getattr"): _OWN_FIELDS,
    ("providers/salesforce/access.py", "getattr"): _OWN_FIELDS,
    ("config/settings.py", "vault"): "the app itself",
    ("config/settings.py", "vault.routers.KeyStoreRouter"): "Django loads it by its name",
    ("config/api.py", "vault.api"): "its addresses",
    ("config/urls.py", "vault.urls"): "its addresses",
    ("sync/migrations/0001_initial.py", "vault"): "a mailbox is a connection's",
    ("sync/migrations/0001_initial.py", "vault.connection"): "a mailbox is a connection's",
}


def reflection(source: Source) -> Iterator[str]:
    """No registry of models, no module by its name, no look behind a function or an object."""
    for line, word in _words(source.tree):
        if word in WORDS:
            yield from _unless_allowed(source, line, word, f"{word} may reach the vault round its doors")


def _words(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every name that is used, taken from an object, imported, or given as the name of an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(each.name for each in node.names)]
            yield from ((node.lineno, part) for part in dict.fromkeys(p for name in names for p in name.split(".")))
        elif isinstance(node, ast.Call) and _name_of(node.func) == "getattr":
            yield from ((node.lineno, str(each.value)) for each in node.args[1:2] if isinstance(each, ast.Constant))
    yield from _taken_unseen(tree)


def _taken_unseen(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Attributes that no dot of the source takes: `case Client(_name=x)` and "{0._name}"."""
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchClass):
            yield from ((node.lineno, name) for name in node.kwd_attrs)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            fields = re.findall(r"\{[^{}]+", node.value)
            yield from ((node.lineno, name) for field in fields for name in re.findall(r"\.(\w+)", field))


def _name_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _unless_allowed(source: Source, line: int, what: str, sentence: str) -> Iterator[str]:
    if (source.path, what) not in ALLOWED:
        yield f"{line}: {sentence}"


def names_of_modules(source: Source) -> Iterator[str]:
    """No string is the name of the vault, or of a module in it, for whatever would load it by that."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"vault(\.\w+)*", node.value)
        ):
            yield from _unless_allowed(source, node.lineno, node.value, f'"{node.value}" names the vault')


def attributes_by_name(source: Source) -> Iterator[str]:
    """getattr takes a plain public name, of nothing that comes from the vault, and goes by no other name."""
    ours = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vault"
        for alias in node.names
    }
    called = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and _name_of(node.func) == "getattr"]
    heads = {id(call.func) for call in called}
    for call in called:
        if not _is_plain(call, ours):
            yield from _unless_allowed(source, call.lineno, "getattr", f"getattr of {ast.unparse(call)}")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "getattr" and id(node) not in heads:
            yield f"{node.lineno}: getattr under another name"


def _is_plain(call: ast.Call, ours: set[str]) -> bool:
    if len(call.args) < 2:  # of a starred argument
        return False
    owner, name = call.args[:2]
    if isinstance(owner, ast.Name) and owner.id in ours:
        return False
    if isinstance(name, ast.Constant):
        return not str(name.value).startswith("_")
    return isinstance(owner, ast.Name) and owner.id == "settings"


_RUNS_SQL = {
    "execute", "executemany", "raw", "RawSQL", "extra", "RunSQL", "mogrify", "callproc", "copy", "stream",
}  # fmt: skip


def built_sql(source: Source) -> Iterator[str]:
    """SQL is written down whole, as a string or a constant of the module, where rules.raw_sql reads it."""
    constants, heads = _constants(source.tree), set[int]()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and (name := _name_of(node.func)) in _RUNS_SQL:
            heads.add(id(node.func))
            given = node.args[:1] or [each.value for each in node.keywords]
            if not all(_is_whole(each, constants) for each in given):
                yield from _unless_allowed(source, node.lineno, name, f"{name} of SQL that is put together")
    for node in ast.walk(source.tree):
        if id(node) not in heads and (name := _another_name(node)) in _RUNS_SQL:
            yield f"{getattr(node, 'lineno', 0)}: {name} under another name"


def _another_name(node: ast.AST) -> str:
    """What it stands for, if it is no call: a method, a class, or the name before `as`."""
    if isinstance(node, ast.alias):
        return node.name if node.asname else ""
    name = _name_of(node)
    return name if isinstance(node, ast.Attribute) or name[:1].isupper() else ""


def format_strings(source: Source) -> Iterator[str]:
    """What is filled in is written down whole too: "{0._name}" takes an attribute, and is read by the rules above."""
    constants = _constants(source.tree)
    attributes = (node for node in ast.walk(source.tree) if isinstance(node, ast.Attribute))
    for node in (each for each in attributes if each.attr in ("format", "format_map")):
        if not _is_whole(node.value, constants):
            yield from _unless_allowed(source, node.lineno, "format", f"{ast.unparse(node)}, put together")


def _is_whole(node: ast.expr, constants: set[str]) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in constants)


def _constants(tree: ast.Module) -> set[str]:
    """Of the module, and of nothing else in it: a name that is bound once more anywhere in the file is left out."""
    times = Counter(_bound(tree))
    made = (node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant))
    targets = (each for node in made for each in node.targets)
    return {each.id for each in targets if isinstance(each, ast.Name) and times[each.id] == 1}


def _bound(tree: ast.Module) -> Iterator[str]:
    """Names that are set, and those of arguments, functions, classes, imports, exceptions and matches."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif not isinstance(node, ast.keyword):
            fields = dict(ast.iter_fields(node))
            yield from (name for key in ("name", "arg", "asname", "rest") if isinstance(name := fields.get(key), str))


#: Public by contract in spite of their names.
_NAMED_TUPLES = {"_replace", "_asdict", "_fields"}


def private_attributes(source: Source) -> Iterator[str]:
    """For rooms above the vault: what begins with an underscore is taken from oneself only, whatever a comment says.

    A client holds its token source behind such names."""
    for line, name in _taken_unseen(source.tree):
        if name.startswith("_"):
            yield f"{line}: {name} is private, and taken without a dot"
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr in _NAMED_TUPLES:
            continue
        is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        if not is_own and not node.attr.endswith("__") and ast.unparse(node) != "os._exit":
            yield f"{node.lineno}: {ast.unparse(node)} is private"
