"""What no room but the vault may do, read off the source: reach its ciphers, tokens, models or tables. Runs nothing.

Each rule takes a parsed module and yields sentences. import-linter sees imports only; these see names and strings."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOMS = ("config", "providers", "organizations", "sync", "tracking", "reports", "sidebar", "dashboard")
#: The vault's doors: module -> the names that other rooms may use of it; None: everything it defines itself.
DOORS: dict[str, frozenset[str] | None] = {
    "checks": None,
    "clients": None,
    "clock": None,
    "consent": None,
    "days": None,
    "dialects": frozenset({"SIGNS_IN", "label", "of"}),
    "entrusted": None,
    "errors": None,
    "farewell": None,
    "frames": frozenset({"emptied"}),
    "heartbeat": None,
    "incidents": None,
    "mailboxes": None,
    "models": frozenset({"SALESFORCE", "Connection", "State"}),
    "policies": None,
    "purposes": None,
    "pushes": frozenset({"connections_of", "is_googles"}),
    "revocation": frozenset({"Ending", "disconnect"}),
    "schedule": None,
    "sealed": None,
    "standing": None,
    "states": frozenset({"USABLE", "WAITS_FOR_PERSON"}),
    "suspicion": None,
    "underway": None,
    "upkeep": frozenset({"import_spool"}),
}
_RELATIONS = ("ForeignKey", "OneToOneField", "ManyToManyField")
_BY_NAME = ("get_model", "get_app_config", "import_module", "__import__", "import_string")
#: What holds a token; a client's public face must neither be nor return one.
_HOLDERS = frozenset({"Secret", "Access", "TokenSource", "TokenSet", "Lease", "Grant", "ConnectionTokens", "RawAnswer"})
_TELLING = re.compile(r"token|secret|credential|bearer|password|lease|grant", re.IGNORECASE)
#: A one-time link to a record, for the person's browser; a Secret so that it is not logged.
_EXCEPTIONS = frozenset({"open_url"})


@dataclass(frozen=True)
class Source:
    path: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        return cls(path, ast.parse(text))


def imports_of_the_vault(source: Source) -> Iterator[str]:
    """Only through its doors, and only what a door defines itself: a re-exported name is no door."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (_no_door(node, each.name) for each in node.names if each.name.split(".")[0] == "vault")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vault" and not node.level:
            module = (node.module or "").partition(".")[2]
            for each in node.names:
                yield from _used(node, module or each.name, each.name if module else "")
    yield from _attributes(source)


def _no_door(node: ast.stmt, name: str) -> str:
    return f"{node.lineno}: `import {name}`; name what you need: from vault.clients import ..."


def _used(node: ast.AST, module: str, name: str) -> Iterator[str]:
    line = getattr(node, "lineno", 0)
    if module not in DOORS:
        yield f"{line}: vault.{module} is no door of the vault"
        return
    allowed = DOORS[module]
    if name and (name not in allowed if allowed is not None else name not in defined_in(module)):
        yield f"{line}: vault.{module}.{name} is not for other rooms"


def _attributes(source: Source) -> Iterator[str]:
    """`from vault import clients` and then `clients.leases`."""
    modules = {
        (each.asname or each.name, each.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "vault"
        for each in node.names
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for name, module in modules:
                if name == node.value.id and module in DOORS:
                    yield from _used(node, module, node.attr)


@cache
def defined_in(module: str) -> frozenset[str]:
    """Top-level names that a module of the vault makes itself, imports left out."""
    path = Path(f"vault/{module}.py")
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body if path.exists() else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found.update(target.id for target in targets if isinstance(target, ast.Name))
    return frozenset(name for name in found if not name.startswith("_"))


def models_by_name(source: Source) -> Iterator[str]:
    """get_model("vault", ...), import_module("vault.tokens"), Connection._meta: round the doors."""
    ours = _names_from_the_vault(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in _BY_NAME and _may_mean_the_vault(node):
            yield f"{node.lineno}: {_called(node)} may reach the vault"
        if isinstance(node, ast.Attribute) and node.attr == "_meta" and getattr(node.value, "id", "") in ours:
            yield f"{node.lineno}: _meta of a model of the vault"


def _names_from_the_vault(source: Source) -> set[str]:
    froms = (node for node in ast.walk(source.tree) if isinstance(node, ast.ImportFrom))
    return {a.asname or a.name for node in froms if (node.module or "").startswith("vault") for a in node.names}


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _may_mean_the_vault(node: ast.Call) -> bool:
    """A name that is put together at run time may mean anything."""
    first = [*node.args, *(each.value for each in node.keywords)][:1]
    if not first:
        return False
    return not isinstance(first[0], ast.Constant) or str(first[0].value).lower().startswith("vault")


def raw_sql(source: Source) -> Iterator[str]:
    """No string of another room names a table of the vault."""
    tables = _tables()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode(errors="replace")
            if found := tables.search(text):
                yield f"{node.lineno}: {found.group()} is a table of the vault"


@cache
def _tables() -> re.Pattern[str]:
    """vault_<model>, of every class in the vault's models."""
    tree = ast.parse(Path("vault/models.py").read_text())
    names = [node.name.lower() for node in tree.body if isinstance(node, ast.ClassDef)]
    return re.compile(rf"\bvault_({'|'.join(names)})\b", re.IGNORECASE)


def reverse_relations(source: Source) -> Iterator[str]:
    """For the vault's own modules: no relation may be walked backwards, as in `organization.connections`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _called(node) in _RELATIONS:
            names = [each.value for each in node.keywords if each.arg == "related_name"]
            if not (names and isinstance(names[0], ast.Constant) and names[0].value == "+"):
                yield f'{node.lineno}: a {_called(node)} of the vault without related_name="+"'


def token_attributes(source: Source) -> Iterator[str]:
    """For clients: no public attribute, method or field is, or returns, what holds a token."""
    for owner in (node for node in ast.walk(source.tree) if isinstance(node, ast.ClassDef)):
        for line, name, kind in _public_face(owner):
            if name not in _EXCEPTIONS and (_TELLING.search(name) or kind & _HOLDERS):
                yield f"{line}: {owner.name}.{name} lets a token out"


def _public_face(owner: ast.ClassDef) -> Iterator[tuple[int, str, frozenset[str]]]:
    for node in owner.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield from _if_public(node.lineno, node.target.id, _types(node.annotation))
        if isinstance(node, ast.FunctionDef):
            yield from _if_public(node.lineno, node.name, _types(node.returns))
            given = {each.arg: _types(each.annotation) for each in (*node.args.args, *node.args.kwonlyargs)}
            yield from (found for each in ast.walk(node) for found in _kept(each, given))


def _kept(node: ast.AST, given: dict[str, frozenset[str]]) -> Iterator[tuple[int, str, frozenset[str]]]:
    """`self.name = value`, with the annotation of the argument that it is."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            value = getattr(node, "value", None)
            yield from _if_public(target.lineno, target.attr, given.get(getattr(value, "id", ""), frozenset()))


def _if_public(line: int, name: str, kind: frozenset[str]) -> Iterator[tuple[int, str, frozenset[str]]]:
    if not name.startswith("_"):
        yield line, name, kind


def _types(annotation: ast.expr | None) -> frozenset[str]:
    """Every name in an annotation, quoted ones too."""
    text = ast.unparse(annotation) if annotation else ""
    return frozenset(re.findall(r"\w+", text))
