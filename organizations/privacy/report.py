"""What `prove_privacy` reports: JSON to sign, and the same as a page to read. Never holds a canary."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from organizations.privacy.search import MOST_TOLD, Looked

KIND = "privacy_report"
#: So many places are named on the page, each; the signed report names more.
_NAMED = 3
#: What no search of this kind sees, whatever it finds.
LIMITS = (
    "the memory of running processes: cards are there for up to ten minutes, and a mail while it is worked on",
    "blocks of a disk that were freed, snapshots, backups and replicas",
    "what providers, proxies and other machines keep",
    "texts that were encrypted before they were written",
)


@dataclass(frozen=True, slots=True)
class Control:
    """A leak made on purpose, at the end: whether the search would have found one in this store."""

    store: str
    is_found: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """`subject`: "a product made for it" or "a running product"; times in UTC, ISO 8601; `failed`: what stopped a
    journey, if anything did; `commit`: of the source, where it is known."""

    subject: str
    began: str
    ended: str
    commit: str
    canaries: int
    looked: Sequence[Looked]
    journeys: Sequence[str] = ()
    confirmed: Sequence[str] = ()
    controls: Sequence[Control] = ()
    failed: str = ""

    @property
    def findings(self) -> int:
        return sum(len(looked.found) for looked in self.looked)

    @property
    def is_good(self) -> bool:
        return not self.findings and not self.failed and all(control.is_found for control in self.controls)

    def content(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "kind": KIND,
            "subject": self.subject,
            "began_at": self.began,
            "ended_at": self.ended,
            "commit": self.commit,
            "canaries": self.canaries,
            "journeys": list(self.journeys),
            "confirmed": list(self.confirmed),
            "failed": self.failed,
            "looked": [_looked(looked) for looked in self.looked],
            "bytes": sum(looked.size for looked in self.looked),
            "controls": [asdict(control) for control in self.controls],
            "limits": list(LIMITS),
            "findings": self.findings,
            "verdict": "nothing was found" if self.is_good else "see findings, failed and controls",
        }


def _looked(looked: Looked) -> dict[str, Any]:
    return {
        "store": looked.store,
        "moment": looked.moment,
        "pieces": looked.pieces,
        "bytes": looked.size,
        "found": [asdict(found) for found in looked.found[:MOST_TOLD]],
        "found_in_all": len(looked.found),
        "not_checked": [asdict(each) for each in looked.not_checked[:MOST_TOLD]],
        "not_checked_in_all": len(looked.not_checked),
    }


def as_page(content: Mapping[str, Any]) -> str:
    """Markdown."""
    source = content["commit"] or "unknown"
    lines = [
        "# Report on what is left of mails",
        "",
        f"{content['subject'].capitalize()}, source {source}, {content['began_at']} to {content['ended_at']}.",
        f"{content['canaries']} texts that stand nowhere else were looked for in {content['bytes']:,} bytes.",
        f"**Found: {content['findings']}.**",
        *_section("What was done", content["journeys"]),
        *_section("What was seen to arrive", content["confirmed"]),
        *_section("When it was looked", list(dict.fromkeys(each["moment"] for each in content["looked"]))),
        *_section("What went wrong", [content["failed"]] if content["failed"] else []),
        *_section("Findings", _found(content)),
        *_section("Not checked", [*_not_checked(content), *content["limits"]]),
        *_table(content),
        *_section("Leaks made on purpose at the end", [_control(each) for each in content["controls"]]),
        "",
    ]
    return "\n".join(lines)


def _section(title: str, entries: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {entry}" for entry in entries)] if entries else []


def _found(content: Mapping[str, Any]) -> list[str]:
    return [
        f"{found['what']}: in {looked['store']}, {found['where']}, {looked['moment']}"
        for looked in content["looked"]
        for found in looked["found"]
    ]


def _not_checked(content: Mapping[str, Any]) -> list[str]:
    """A line for each store and reason: where, and when unless that was always."""
    where, when = dict[tuple[str, str], dict[str, None]](), dict[tuple[str, str], dict[str, None]]()
    for looked in content["looked"]:
        for place, reason in _unread(looked):
            where.setdefault((looked["store"], reason), {})[place] = None
            when.setdefault((looked["store"], reason), {})[looked["moment"]] = None
    always = len({looked["moment"] for looked in content["looked"]})
    return [
        f"{store}{_places(store, [*where[store, reason]])}: {reason}"
        + ("" if len(moments) == always else f" ({'; '.join(moments)})")
        for (store, reason), moments in when.items()
    ]


def _unread(looked: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = [(each["where"], each["reason"]) for each in looked["not_checked"]]
    more = looked["not_checked_in_all"] - len(told)
    return [*told, ("", f"and {more} more")] if more else told


def _places(store: str, places: Sequence[str]) -> str:
    named = [place for place in places if place not in ("", store)]
    if len(named) > _NAMED:
        return f", {len(named)} places such as {named[0]}"
    return "".join(f", {place}" for place in named)


def _table(content: Mapping[str, Any]) -> list[str]:
    """A line for each store: how often it was looked through, the most that was there, all that was found."""
    stores: dict[str, list[Mapping[str, Any]]] = {}
    for looked in content["looked"]:
        stores.setdefault(looked["store"], []).append(looked)
    head = ["| where | times | pieces | bytes | found |", "|---|--:|--:|--:|--:|"]
    return ["", "## Where it was looked", "", *head, *(_row(store, looked) for store, looked in stores.items())]


def _row(store: str, looked: Sequence[Mapping[str, Any]]) -> str:
    pieces, size = (max(each[name] for each in looked) for name in ("pieces", "bytes"))
    found = sum(each["found_in_all"] for each in looked)
    return f"| {store} | {len(looked)} | {pieces:,} | {size:,} | {found} |"


def _control(control: Mapping[str, Any]) -> str:
    return f"{control['store']}: {'found' if control['is_found'] else 'NOT FOUND'}"
