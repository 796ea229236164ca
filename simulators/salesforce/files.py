"""What Salesforce keeps to about files: a version makes its document, and its links. A file's bytes are not kept: the
row has their number and digests.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contentversion.htm"""

import base64
import binascii
import hashlib
from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.junctions import Lists
from simulators.salesforce.profiles import Access
from simulators.salesforce.records import add_record, refuse
from simulators.salesforce.store import Row

#: Of a file that is not sent as multipart.
MOST_BASE64 = 37_500_000
BLOB = "VersionData"


def taken(values: dict[str, Any]) -> tuple[Row, dict[str, Any]]:
    """What a row keeps of the file, and the other values. `_uploaded` is what `uploads` made of a multipart body."""
    plain = {name: value for name, value in values.items() if name not in (BLOB, "_uploaded")}
    if "_uploaded" in values:
        return dict(values["_uploaded"]), plain
    return (_of_base64(values[BLOB]) if values.get(BLOB) else {}), plain


def _of_base64(text: Any) -> Row:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise refuse("INVALID_BASE64", "VersionData is not base64", BLOB) from None
    if len(data) > MOST_BASE64:
        raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", "send larger files as multipart/form-data")
    return digests(hashlib.md5(data, usedforsecurity=False), hashlib.sha256(data), len(data))


def digests(md5: Any, sha256: Any, size: int) -> Row:
    return {"ContentSize": size, "Checksum": md5.hexdigest(), "_sha256": sha256.hexdigest()}


def before_version(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001 - all rules are called alike
    if not row.get("PathOnClient") and not row.get("ContentDocumentId"):
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [PathOnClient]", "PathOnClient")
    if "_sha256" not in row:
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [VersionData]", BLOB)
    name = str(row.get("PathOnClient") or "").rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    row["Title"] = row.get("Title") or stem or name
    row["FileExtension"], row["FileType"] = extension or None, (extension or "unknown").upper()[:20]
    row["IsLatest"] = True


def after_version(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    if row.get("ContentDocumentId"):
        return
    document = {name: row.get(name) for name in ("Title", "FileExtension", "ContentSize", "OwnerId")}
    made = add_record(access, "ContentDocument", {**document, "LatestPublishedVersionId": row["Id"]})
    access.store.put("ContentVersion", {**row, "ContentDocumentId": made["Id"]})
    places = dict.fromkeys([row["OwnerId"], row.get("FirstPublishLocationId")])
    for place in filter(None, places):
        share = "I" if place == row["OwnerId"] else "V"
        values = {
            "ContentDocumentId": made["Id"],
            "LinkedEntityId": place,
            "ShareType": share,
            "Visibility": "AllUsers",
        }
        add_record(access, "ContentDocumentLink", values)


def before_link(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001
    table = access.store.tables["ContentDocumentLink"]
    for other in table.where("LinkedEntityId", row["LinkedEntityId"]):
        there = table.rows[other]
        if there["ContentDocumentId"] == row["ContentDocumentId"] and not there.get("IsDeleted"):
            raise refuse("DUPLICATE_VALUE", "duplicate value found: the document is linked to this record already")
    row["ShareType"] = row.get("ShareType") or "V"
    row["Visibility"] = row.get("Visibility") or "AllUsers"
