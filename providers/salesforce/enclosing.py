"""What comes with a mail: files onto its record, and links to files elsewhere into a feed. Each once for its key."""

from collections.abc import Sequence
from typing import Any

from providers.activities import Attached, FileToAttach, Link
from providers.errors import NotFound, PermissionMissing, Rejected
from providers.http import Session
from providers.salesforce import attachments, graphs, ids, layout, lookups, soql
from providers.salesforce.email_nodes import in_ledger
from providers.salesforce.email_values import mark_of
from providers.salesforce.filing import EMAIL, Ways
from providers.salesforce.graphs import Outcome
from providers.salesforce.transport import Wire

_VERSION, _POST = "ContentVersion", "FeedItem"
_MOST_ROWS = 200
_LONGEST_NAME = 255
#: Of an object that takes no files, or none any more (a mail that is no draft, in some organizations).
_NO_PLACE = frozenset({"INSUFFICIENT_ACCESS_OR_READONLY", "MALFORMED_ID", "FIELD_INTEGRITY_EXCEPTION"})


def attach(
    wire: Wire, http: Session, ways: Ways, parents: Sequence[str], file: FileToAttach, key: str, *, is_repeat: bool
) -> Attached:
    """Sent again as a whole where a record takes no files. Raises what the last of `parents` is refused with."""
    places = [ids.record_id(parent) for parent in parents]
    if is_repeat or not ways.is_attachment_keyed:
        there = _attached(wire, ways, places, key)
        if there:
            return Attached(there, was_there=True)
    for place in places[:-1]:
        try:
            return _upload(wire, http, ways, place, file, key)
        except (PermissionMissing, Rejected) as error:
            if not any(detail.code in _NO_PLACE for detail in error.details):
                raise
    if not places:
        raise NotFound("There is no record to attach a file to.", provider="salesforce")
    return _upload(wire, http, ways, places[-1], file, key)


def _upload(wire: Wire, http: Session, ways: Ways, place: str, file: FileToAttach, key: str) -> Attached:
    try:
        return Attached(attachments.upload(wire, http, _values(ways, place, file, key), file))
    except Rejected as error:
        refused = Outcome(None, _VERSION, error)
        if not (ways.is_attachment_keyed and refused.is_duplicate() and refused.names(layout.KEY_FIELD)):
            raise
    there = refused.duplicated(layout.KEY_FIELD) or _attached(wire, ways, [place], key)
    return Attached(there, was_there=True)


def _values(ways: Ways, place: str, file: FileToAttach, key: str) -> dict[str, Any]:
    name = file.name[:_LONGEST_NAME]
    held = {layout.KEY_FIELD: key} if ways.is_attachment_keyed else {"Description": mark_of(key)}
    return {"Title": name, "PathOnClient": name, "FirstPublishLocationId": place, **held}


def _attached(wire: Wire, ways: Ways, places: Sequence[str], key: str) -> str:
    """The id of the version with this key, "" where there is none that this person may see."""
    if ways.is_attachment_keyed:
        return lookups.by_key(wire, _VERSION, layout.KEY_FIELD, [key]).get(key, "")
    where = f"FirstPublishLocationId IN {soql.literals(places)} AND IsLatest = true"
    query = soql.select(
        _VERSION, ["Id", "Description"], where=where, order="CreatedDate DESC, Id DESC", limit=_MOST_ROWS
    )
    rows = lookups.rows_of(wire, {"files": query})["files"]
    return next((str(row["Id"]) for row in rows if row.get("Description") == mark_of(key)), "")


def post_link(wire: Wire, ways: Ways, parent_id: str, link: Link, key: str) -> str:
    """Posts have no field for a key: it stands in the ledger, or else the feed is looked through for the link.

    https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_feeditem.htm"""
    parent = _with_feed(wire, ways, ids.record_id(parent_id))
    if not ways.has_ledger:
        there = _posted(wire, parent, link)
        if there:
            return there
    values = {"ParentId": parent, "Type": "LinkPost", "LinkUrl": link.url, "Title": link.name[:_LONGEST_NAME]}
    nodes = [graphs.post(wire, _POST, _POST, values)]
    (outcome,) = graphs.carry_out(wire, [in_ledger(wire, key, _POST, nodes) if ways.has_ledger else nodes])
    if outcome.is_duplicate():
        rows = lookups.by_key(wire, layout.LEDGER, layout.LEDGER_KEY, [key], layout.LEDGER_RECORD)
        return rows.get(key, "")
    return outcome.made()[_POST]


def _with_feed(wire: Wire, ways: Ways, record: str) -> str:
    """A mail has no feed of its own; the task that Salesforce made for it has one."""
    if not record.startswith(ways.rights[EMAIL].key_prefix or "02s"):
        return record
    query = soql.select(EMAIL, ["ActivityId"], where=f"Id = {soql.literal(record)}", limit=1)
    found = [row["ActivityId"] for row in lookups.rows_of(wire, {"mail": query})["mail"]]
    return ids.record_id(found[0] if found else "")


def _posted(wire: Wire, parent: str, link: Link) -> str:
    """LinkUrl can be read, but not asked for."""
    where = f"ParentId = {soql.literal(parent)} AND Type = 'LinkPost'"
    query = soql.select(_POST, ["Id", "LinkUrl"], where=where, order="CreatedDate DESC", limit=_MOST_ROWS)
    rows = lookups.rows_of(wire, {"posts": query})["posts"]
    return next((str(row["Id"]) for row in rows if row.get("LinkUrl") == link.url), "")
