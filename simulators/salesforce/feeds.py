"""What Salesforce keeps to about posts in a record's feed. Asks no object rights.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_feeditem.htm"""

from simulators.salesforce.junctions import Lists
from simulators.salesforce.profiles import Access
from simulators.salesforce.records import refuse
from simulators.salesforce.store import Row


def before_create(access: Access, row: Row, lists: Lists) -> None:  # noqa: ARG001 - all rules are called alike
    row["Type"] = row.get("Type") or ("LinkPost" if row.get("LinkUrl") else "TextPost")
    if row["Type"] == "LinkPost" and not row.get("LinkUrl"):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "LinkUrl is required for a link post", "LinkUrl")
    if row["Type"] == "TextPost" and not row.get("Body"):
        raise refuse("REQUIRED_FIELD_MISSING", "Required fields are missing: [Body]", "Body")
    if row.get("LinkUrl") and not row["LinkUrl"].startswith(("http://", "https://")):
        raise refuse("FIELD_INTEGRITY_EXCEPTION", "LinkUrl must be an address of the web", "LinkUrl")
