"""Who was created or changed in Salesforce since a moment: the addresses of contacts and leads, and nothing else."""

from datetime import UTC, datetime
from typing import Any

from providers.activities import Newcomers
from providers.addresses import fold
from providers.salesforce import failures, soql
from providers.salesforce.access import ObjectAccess
from providers.salesforce.transport import Wire

#: Of one kind; a page of a query, so that both kinds come in one call.
MOST = 2000
_STAMP = "SystemModstamp"


def find(wire: Wire, access: ObjectAccess, since: datetime) -> Newcomers:
    """By SystemModstamp, which moves whoever or whatever changes a record, and is indexed ("System Fields", Object
    Reference for the Salesforce Platform). None are asked for where this person sees neither kind. Raises from
    providers.errors."""
    queries = {name: _query(access, name, since) for name in ("Contact", "Lead")}
    parts = [
        {"method": "GET", "url": wire.path(soql.query_resource(query)), "referenceId": name}
        for name, query in queries.items()
        if query
    ]
    answers = [_answer(wire, *answer) for answer in wire.composite(parts).values()] if parts else []
    return Newcomers(frozenset[str]().union(*(each for each, _ in answers)), any(is_cut for _, is_cut in answers))


def _answer(wire: Wire, status: int, body: Any) -> tuple[set[str], bool]:
    if status != 200:
        raise failures.failure_of(status, body, is_write=False)
    return wire.call(lambda _: _read(body), is_write=False)


def _read(body: Any) -> tuple[set[str], bool]:
    """The addresses, and whether there are more: a page may end early. Raises what `Wire.call` understands."""
    rows = body["records"]
    return {fold(str(row["Email"])) for row in rows}, body.get("done") is not True or len(rows) >= MOST


def _query(access: ObjectAccess, name: str, since: datetime) -> str:
    rights = access.queryable(name)
    if rights is None or "Email" not in rights.fields:
        return ""
    where = f"{_STAMP} >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} AND Email != null"
    where += " AND IsConverted = false" if name == "Lead" else ""
    return soql.select(name, ["Id", "Email"], where=where, limit=MOST)
