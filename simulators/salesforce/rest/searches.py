"""search (SOSL) and parameterizedSearch, whose term is plain text that needs no braces."""

from typing import Any

from simulators.salesforce import sosl
from simulators.salesforce.errors import ApiError
from simulators.salesforce.rest.call import Answer, Call, mapping, names_in, whole_number
from simulators.salesforce.rest.sobjects import values_of


def search(call: Call) -> Answer:
    text = call.query.get("q", "")
    if not text:
        raise ApiError(400, "MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces.")
    return Answer(body={"searchRecords": sosl.run(text, call.access, call.base)})


def parameterized(call: Call) -> Answer:
    wish = _from_body(call) if call.method == "POST" else _from_query(call)
    term = str(wish.get("q") or "")
    if len(term.strip()) < 2:
        raise ApiError(400, "MALFORMED_SEARCH", f"search term must be longer than one character: {term}")
    objects = wish["sobjects"] or [{"name": name} for name in sosl.EVERYWHERE if _reads(call, name)]
    if not isinstance(objects, list):
        raise ApiError(400, "JSON_PARSER_ERROR", "sobjects must be a list")
    returning = ", ".join(_returning(mapping(entry, "An entry of sobjects"), wish["fields"]) for entry in objects)
    scope = str(wish.get("in") or "ALL").upper()
    escaped = "".join("\\" + c if c in "?&|!{}[]()^~*:\\\"'+-" else c for c in term)
    limit = wish.get("overallLimit") or 2000
    found = sosl.run(
        f"FIND {{{escaped}}} IN {scope} FIELDS RETURNING {returning} LIMIT {limit}", call.access, call.base
    )
    return Answer(body={"searchRecords": found})


def _reads(call: Call, name: str) -> bool:
    kind = call.access.store.schema.get(name)
    return kind is not None and call.access.reads(kind)


def _from_body(call: Call) -> dict[str, Any]:
    body = values_of(call.body)
    return {**body, "sobjects": body.get("sobjects") or [], "fields": body.get("fields") or ["Id"]}


def _from_query(call: Call) -> dict[str, Any]:
    names = [n for n in call.query.get("sobject", "").split(",") if n]
    fields = [n for n in call.query.get("fields", "").split(",") if n]
    objects = [
        {
            "name": n,
            "fields": call.query.get(f"{n}.fields", "").split(",") if f"{n}.fields" in call.query else None,
            "limit": call.query.get(f"{n}.limit"),
            "where": call.query.get(f"{n}.where"),
        }
        for n in names
    ]
    return {**call.query, "sobjects": objects, "fields": fields or ["Id"]}


def _returning(entry: dict[str, Any], fields: list[str]) -> str:
    inner = ", ".join(names_in(entry.get("fields") or fields, "fields"))
    where = f" WHERE {entry['where']}" if entry.get("where") else ""
    limit = whole_number(str(entry.get("limit") or ""))
    return f"{entry.get('name', '')}({inner}{where}{'' if limit is None else f' LIMIT {limit}'})"
