"""Reads the tree of mail folders: every level, every page, and what the well-known ones are for.

Sources, at learn.microsoft.com/graph/api: user-list-mailfolders (top level only, no hidden ones),
mailfolder-list-childfolders, resources/mailfolder#well-known-folder-names (no property of v1.0 tells a folder's
kind, so they are asked for by name), resources/mailsearchfolder (a saved search: its messages live elsewhere)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from providers.mail import Folder, FolderKind
from providers.microsoft.mail_wire import ROOT, Wire, entries, text

_KINDS = {
    "inbox": FolderKind.INBOX,
    "sentitems": FolderKind.SENT,
    "drafts": FolderKind.DRAFTS,
    "deleteditems": FolderKind.TRASH,
    "junkemail": FolderKind.JUNK,
    "archive": FolderKind.ARCHIVE,
}
_QUERY = "$select=displayName,childFolderCount&$top=100"
_SEARCH = "#microsoft.graph.mailSearchFolder"
#: Exchange itself allows 300 levels; a cycle must not keep us.
_DEEPEST = 300


def read(wire: Wire) -> tuple[Folder, ...]:
    kinds = _kinds(wire)
    found: list[Folder] = []
    level = _rest(wire, wire.read(f"{ROOT}/me/mailFolders?{_QUERY}"))
    parents = dict.fromkeys((text(each, "id") for each in level), "")
    for _ in range(_DEEPEST):
        named = [(each, _path(parents[text(each, "id")], text(each, "displayName"))) for each in level]
        found += [Folder(text(each, "id"), name, kinds.get(text(each, "id"), FolderKind.OTHER)) for each, name in named]
        level, parents = _children(
            wire, {text(each, "id"): name for each, name in named if each.get("childFolderCount")}
        )
        if not level:
            break
    return tuple(found)


def _kinds(wire: Wire) -> dict[str, FolderKind]:
    """A mailbox need not have an archive."""
    parts = wire.batch([f"/me/mailFolders/{name}?$select=id" for name in _KINDS])
    return {
        text(part.checked(), "id"): kind for part, kind in zip(parts, _KINDS.values(), strict=True) if not part.is_gone
    }


def _children(wire: Wire, names: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The folders right below these (id to path), and the path of each one's parent by its id."""
    parts = wire.batch([f"/me/mailFolders/{quote(id_, safe='')}/childFolders?{_QUERY}" for id_ in names])
    level: list[dict[str, Any]] = []
    parents: dict[str, str] = {}
    for part, name in zip(parts, names.values(), strict=True):
        if not part.is_gone:  # else it went while we were reading
            children = _rest(wire, part.checked())
            level += children
            parents |= dict.fromkeys((text(each, "id") for each in children), name)
    return level, parents


def _rest(wire: Wire, first: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A collection with all its further pages, without saved searches."""
    found, page = entries(first), first
    while link := text(page, "@odata.nextLink"):
        page = wire.read(link)
        found = found + entries(page)
    return _folders(found)


def _folders(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in found if text(each, "id") and each.get("@odata.type") != _SEARCH]


def _path(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
