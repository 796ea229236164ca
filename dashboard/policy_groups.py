"""Under which heading each setting stands on the policy page. Knows keys, and neither values nor rights."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """`keys`: of settings, or the beginnings of keys (with a dot at the end), in the order they are shown in."""

    name: str
    title: str
    keys: tuple[str, ...] = ()

    def place_of(self, key: str) -> int | None:
        return next((place for place, mine in enumerate(self.keys) if _fits(key, mine)), None)


GROUPS = (
    Group("sidebar", "Sidebar", ("search.", "signature.")),
    Group(
        "email-sync",
        "Email sync",
        ("email.sync.enabled", "email.sync.try_out", "email.autolog.", "sync.backfill", "sync.", "notify."),
    ),
    Group(
        "which-emails",
        "Which emails are saved",
        (
            "email.sync.contact", "email.sync.lead", "email.sync.person_accounts", "email.filter.folders",
            "email.filter.blocked_domains", "email.filter.keep_private", "email.sync.sensitive",
            "email.sync.replies_only", "email.filter.",
        ),
    ),
    Group("what-is-saved", "What is saved of an email", ("email.record_type", "email.sync.text", "attach.")),
    Group("calendar", "Calendar", ("cal.",)),
    Group("opens-and-clicks", "Opens and clicks", ("track.opens", "track.clicks", "track.notify", "track.")),
    Group("access", "Who may sign in", ("access.",)),
)  # fmt: skip
#: Whatever was given no heading is shown all the same.
OTHERS = Group("others", "Other settings")


def _fits(key: str, mine: str) -> bool:
    return key.startswith(mine) if mine.endswith(".") else key == mine


def group_of(key: str) -> tuple[Group, int]:
    """And the place in it. A key of its own goes before the beginning of a key, wherever that stands."""
    for exactly in (True, False):
        for group in GROUPS:
            place = group.place_of(key)
            if place is not None and (group.keys[place] == key or not exactly):
                return group, place
    return OTHERS, 0


def grouped(rows: Iterable[Row]) -> list[tuple[Group, list[Row]]]:
    """Groups that have rows, each in its order."""
    found: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        group, place = group_of(row["key"])
        found.setdefault(group.name, []).append((place, row))
    ordered = {name: [row for _, row in sorted(held, key=_order)] for name, held in found.items()}
    return [(group, ordered[group.name]) for group in (*GROUPS, OTHERS) if group.name in ordered]


def _order(held: tuple[int, Row]) -> tuple[int, str]:
    return held[0], held[1]["key"]
