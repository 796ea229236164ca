"""Which folders of a mailbox somebody has chosen (email.filter.folders), by kind, id or path. Pure.

Asked where changes are read and again before anything is written, so that a choice holds whatever happens between."""

import unicodedata
from collections.abc import Collection, Mapping

from providers.mail import Folder, FolderKind

ANY, SENT, ARCHIVE = "*", FolderKind.SENT.value, FolderKind.ARCHIVE.value
_WITH_ALL_BELOW = "/*"


def is_chosen(folder: Folder, chosen: Collection[str], all_folders: Collection[Folder]) -> bool:
    """Whether an entry names this folder: its kind ("inbox"), its provider's id, its whole path ("Clients/Acme"), or
    one of these with "/*" behind, which names all that lies within as well. Upper and lower case are one in paths."""
    return any(_names(entry, folder, all_folders) for entry in chosen)


def lies_in_chosen(folder_ids: Collection[str], folders: Mapping[str, Folder], chosen: Collection[str]) -> bool:
    """Whether a message that lies in these folders is to be looked at. A folder nobody has heard of is not chosen; in
    none at all lies what was put into Gmail's archive."""
    if ANY in chosen or (ARCHIVE in chosen and not folder_ids):
        return True
    return any(is_chosen(folders[each], chosen, folders.values()) for each in folder_ids if each in folders)


def is_put_away(folder_ids: Collection[str], folders: Mapping[str, Folder]) -> bool:
    """Whether a message lies in the archive alone, which at Gmail is no folder at all."""
    return all(each in folders and folders[each].kind is FolderKind.ARCHIVE for each in folder_ids)


def _names(entry: str, folder: Folder, all_folders: Collection[Folder]) -> bool:
    if not entry.endswith(_WITH_ALL_BELOW):
        return entry == ANY or _is(entry, folder)
    top = entry.removesuffix(_WITH_ALL_BELOW)
    return _is(top, folder) or any(_lies_below(folder, other) for other in all_folders if _is(top, other))


def _is(entry: str, folder: Folder) -> bool:
    is_kind = entry == folder.kind.value and folder.kind is not FolderKind.OTHER  # which people's own folders are
    return is_kind or entry == folder.id or _path(entry) == _path(folder.name)


def _lies_below(folder: Folder, top: Folder) -> bool:
    return _path(folder.name).startswith(_path(top.name) + "/")


def _path(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().strip("/")
