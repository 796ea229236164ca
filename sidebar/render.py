"""What Salesforce told of a person, as the JSON that the mail client gets: rendered once, cached, joined as bytes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from providers.base import Field, Form, Group, Person, PersonMatch, Record
from sidebar.signature.fields import field_values
from sidebar.signature.shapes import Signature


def now() -> str:
    """This moment as RFC 3339 in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def card(address: str, match: PersonMatch, as_of: str) -> bytes:
    """One person's card. `as_of` is when Salesforce was asked."""
    return to_json(
        {
            "address": address,
            "as_of": as_of,
            "records": [_person(person) for person in match.people],
            "notes": match.notes,
            "creatable": match.creatable,
        }
    )


def people(cards: Iterable[bytes], skipped: Iterable[str], invalid: Iterable[int]) -> bytes:
    """The answer of a look-up, of cards rendered before."""
    return b'{"people":[%b],"skipped":%b,"invalid":%b}' % (
        b",".join(cards),
        orjson.dumps([{"address": address, "reason": "own_domain"} for address in skipped]),
        orjson.dumps([{"input_index": index} for index in invalid]),
    )


def found(record: Record) -> dict[str, Any]:
    """One hit of a search."""
    return {**_record(record), "label": record.label or record.object}


def saved(object_name: str, record_id: str, url: str) -> bytes:
    """A record that was written."""
    return to_json({"object": object_name, "id": record_id, "url": url})


def form(form: Form) -> dict[str, Any]:
    """A create or edit form; `value` is what the field holds now."""
    return {
        "object": form.object,
        "label": form.label,
        "fields": [
            {
                "name": field.name,
                "label": field.label,
                "type": field.type,
                "required": field.required,
                "max_length": field.max_length,
                "options": [{"value": value, "label": label} for value, label in field.options],
                "help": field.help,
                "value": field.value,
            }
            for field in form.fields
        ],
    }


def signature(signature: Signature) -> dict[str, Any]:
    """What a signature says, and the same as values of a new Lead or Contact, where it says anything."""
    return {
        "name": {"full": signature.name.full, "first": signature.name.first, "last": signature.name.last},
        "title": signature.title,
        "company": signature.company,
        "phones": [{"number": phone.number, "kind": phone.kind.value} for phone in signature.phones],
        "emails": signature.emails,
        "address": signature.address,
        "links": signature.links,
        "lines": signature.lines,
        "confidence": signature.confidence,
        "values": {name: value for name, value in field_values(signature).items() if value},
    }


def to_json(value: Any) -> bytes:
    """Compact JSON. What orjson refuses is mended: half a surrogate pair (cut off by Salesforce), a huge integer."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        return orjson.dumps(_mended(value), default=str)


def _person(person: Person) -> dict[str, Any]:
    return {
        **_record(person.record),
        "kind": person.kind,
        "editable": person.editable,
        "groups": [_group(group) for group in person.groups],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "object": group.object,
        "label": group.label,
        "more": group.more,
        "records": [_record(record) for record in group.records],
    }


def _record(record: Record) -> dict[str, Any]:
    return {
        "object": record.object,
        "id": record.id,
        "name": record.name,
        "url": record.url,
        "fields": [_field(field) for field in record.fields],
    }


def _field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "value": field.value,
        "type": field.type,
        "editable": field.editable,
    }


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(inner) for inner in value]
    return str(value) if isinstance(value, int) and value.bit_length() > 63 else value
