"""One mail as the values of a Salesforce record: an EmailMessage, or a Task that stands for one. Pure.

Only fields that this person may set are named; texts are trimmed to their fields' lengths, by code points."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from providers.activities import Correspondent, EmailRecord, Link, Role
from providers.addresses import fold
from providers.salesforce.access import ObjectRights

#: EmailMessage.Status: 1 is Read, 3 is Sent. https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-emailmessage.html
_READ, _SENT = "1", "3"
_LISTS = {Role.TO: "ToIds", Role.CC: "CcIds", Role.BCC: "BccIds"}
#: What Salesforce accepts in a field of type email: no quoted local part, a dotted domain.
_PLAIN_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")
#: Control characters but tab and line ends, and lone surrogates: neither JSON nor XML carries them to the end.
_UNSAYABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_MARK = "Sync reference: "


@dataclass(frozen=True, slots=True, repr=False)
class People:
    """Who stands on a mail, each once. `contacts` and `leads` in the order of the mail."""

    listed: dict[str, list[str]]
    sender_id: str
    contacts: tuple[str, ...]
    leads: tuple[str, ...]
    left_out: tuple[str, ...]


def people_of(record: EmailRecord, most: int) -> People:
    """By id prefix: 003 contacts, 00Q leads, 005 users. Whoever stands in two places stands in the first."""
    seen: dict[str, Correspondent] = {}
    for each in record.correspondents:
        if each.person_id:
            seen.setdefault(each.person_id, each)
    kept = dict(list(seen.items())[:most])
    listed = {name: [i for i, each in kept.items() if each.role is role] for role, name in _LISTS.items()}
    sender = next((i for i, each in kept.items() if each.role is Role.FROM), "")
    return People(
        {name: ids for name, ids in listed.items() if ids},
        sender,
        tuple(i for i in kept if i.startswith("003")),
        tuple(i for i in kept if i.startswith("00Q")),
        tuple(i for i in seen if i not in kept),
    )


def email_values(record: EmailRecord, people: People, rights: ObjectRights, mark: str) -> dict[str, Any]:
    """`mark`: what the mail is recognised by where no field holds its key, else ""."""
    values = {
        "Subject": _one_line(record.subject),
        "TextBody": with_links(record.text, record.links),
        "HtmlBody": _whole(_html_with_links(record.html, record.links), _length(rights, "HtmlBody")),
        "Headers": mark,
        "Incoming": record.is_incoming,
        "Status": _READ if record.is_incoming else _SENT,
        "MessageDate": record.sent_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RelatedToId": record.related_to,
        **_identifiers(record, rights),
        **_addresses(record, rights),
    }
    return {**_fitting(values, rights), **people.listed}


def _identifiers(record: EmailRecord, rights: ObjectRights) -> dict[str, str]:
    """Whole or not at all: half an id is another's."""
    named = {"MessageIdentifier": record.message_id, "ThreadIdentifier": record.thread_id}
    return {name: value for name, value in named.items() if len(value) <= _length(rights, name)}


def _addresses(record: EmailRecord, rights: ObjectRights) -> dict[str, str]:
    """The sender, and recipients whom nobody in Salesforce is behind: those who are there stand in the lists, and
    would stand on the mail twice."""
    sender = next((each for each in record.correspondents if each.role is Role.FROM), None)
    values = {}
    if sender is not None:
        is_plain = bool(_PLAIN_ADDRESS.fullmatch(sender.address))
        values["FromAddress"] = sender.address if is_plain else ""
        values["FromName"] = _one_line(sender.name or ("" if is_plain else sender.address))
    for role in _LISTS:
        bare = [each.address for each in record.correspondents if each.role is role and not each.person_id]
        values[role.value] = _joined(bare, _length(rights, role.value))
    return values


def _joined(addresses: Iterable[str], most: int) -> str:
    """As many whole addresses as fit, each once."""
    out = ""
    for address in {fold(each): each for each in addresses if _PLAIN_ADDRESS.fullmatch(each)}.values():
        longer = f"{out}; {address}" if out else address
        if len(longer) > most:
            break
        out = longer
    return out


def task_values(
    record: EmailRecord, who: Sequence[str], rights: ObjectRights, mark: str, *, has_list: bool
) -> dict[str, Any]:
    """A completed task of subtype Email, the same as Salesforce's own mail makes. `who`: contacts, or one lead."""
    values: dict[str, Any] = {
        "Subject": f"Email: {_one_line(record.subject)}",
        "Status": closed_status(rights),
        "TaskSubtype": "Email",
        "ActivityDate": record.sent_at.date().isoformat(),
        "Description": _description(record, _length(rights, "Description"), mark),
    }
    is_lead = bool(who) and who[0].startswith("00Q")
    if record.related_to and not is_lead:  # a task of a lead is related to nothing else
        values["WhatId"] = record.related_to
    values = _fitting(values, rights)
    if has_list and not is_lead:
        return {**values, "TaskWhoIds": list(who)} if who else values
    return {**values, "WhoId": who[0]} if who else values


def closed_status(rights: ObjectRights) -> str:
    """Statuses are each organization's own; "" leaves it to Salesforce's default."""
    field = rights.fields.get("Status")
    known = [value for value, _ in field.picklist] if field else []
    return "Completed" if "Completed" in known else ""


def _description(record: EmailRecord, most: int, mark: str) -> str:
    """The mark stays whatever is cut."""
    lines = [f"{word}: {', '.join(found)}" for word, found in _heads(record).items() if found]
    body = "\n".join([*lines, "", with_links(record.text, record.links)])
    tail = f"\n\n{mark}" if mark else ""
    return body[: most - len(tail)] + tail if most else body


def _heads(record: EmailRecord) -> dict[str, list[str]]:
    words = {Role.FROM: "From", Role.TO: "To", Role.CC: "Cc", Role.BCC: "Bcc"}
    return {
        word: [
            f"{_one_line(each.name)} <{each.address}>" if each.name else each.address
            for each in record.correspondents
            if each.role is role
        ]
        for role, word in words.items()
    }


def with_links(text: str, links: Sequence[Link]) -> str:
    """Files that stay where they are, at the beginning, where no trimming reaches them."""
    named = "\n".join(f"{_one_line(link.name)}: {link.url}" for link in links)
    return f"{named}\n\n{text}" if named else text


def _whole(text: str, most: int) -> str:
    """Markup is not cut; the text stands for it."""
    return text if len(text) <= most else ""


def _html_with_links(body: str, links: Sequence[Link]) -> str:
    if not body or not links:
        return body
    items = (f'<li><a href="{html.escape(link.url)}">{html.escape(_one_line(link.name))}</a></li>' for link in links)
    return f"<ul>{''.join(items)}</ul>{body}"


def mark_of(key: str) -> str:
    return f"{_MARK}{key}"


def is_marked(text: str) -> bool:
    """Whether some mark of ours stands in it, whatever its key."""
    return any(line.startswith(_MARK) for line in text.splitlines())


def _fitting(values: dict[str, Any], rights: ObjectRights) -> dict[str, Any]:
    """What this person may set, and what is not empty; texts cleaned and trimmed."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        field = rights.fields.get(name)
        if field is None or not field.createable or value == "":
            continue
        out[name] = _cleaned(value)[: field.length or None] if isinstance(value, str) else value
    return out


def _length(rights: ObjectRights, name: str) -> int:
    field = rights.fields.get(name)
    return field.length if field else 0


def _cleaned(text: str) -> str:
    return _UNSAYABLE.sub("", text)


def _one_line(text: str) -> str:
    return " ".join(text.split())
