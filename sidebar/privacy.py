"""What `prove_privacy` does in the sidebar: searches, look-ups, records, and the same while things go wrong (C57, C61).

Sends canaries only, to a product that is thrown away."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from organizations.privacy.visits import AddIn, Visit
from organizations.registries import privacy_journeys

_RECORDS = "sidebar/records/Contact/"


@privacy_journeys.register("search, look-ups and records")
def look_up_and_write(visit: Visit) -> Iterator[str]:
    add_in = visit.add_in()
    name, address = visit.canary("the name on a record"), f"{visit.canary('the address on a record')}@customer.example"
    made = _write(add_in, {"LastName": name, "Email": address}, visit.canary("a key of the API"))
    visit.expect("a record was created", lambda: made.status == 201)
    visit.expect("the simulated Salesforce holds it", lambda: _holds(visit, name))
    visit.expect("a look-up shows it", lambda: name.encode() in _people(add_in, address).body)
    visit.expect("a search finds it", lambda: name.encode() in add_in.call("GET", f"sidebar/search/?q={name}").body)
    add_in.call("GET", f"sidebar/search/?q={visit.canary('words that were searched for')}")
    _people(add_in, f"{visit.canary('an address nobody knows')}@stranger.example")
    changed = {"values": {"Title": visit.canary("a changed field")}}
    answer = add_in.call("PATCH", f"{_RECORDS}{made.json['id']}/", changed, {"Idempotency-Key": "prove-privacy-1"})
    visit.expect("the record was changed", lambda: answer.status == 200)
    yield "after a search, look-ups and two writes"


@privacy_journeys.register("what was done offline")
def replay(visit: Visit) -> Iterator[str]:
    """C46: a record made, changed, and changed in vain, in one batch; the same once more while Salesforce refuses."""
    add_in, name = visit.add_in(), visit.canary("the name on a record made offline")
    keys = [visit.canary("a key of the API") for _ in range(3)]
    at = datetime.now(UTC).isoformat()
    record = {"action": "create", "object": "Contact", "values": {"LastName": name}}
    title = {"Title": visit.canary("a field changed offline")}
    wrong = {"Nonsense__c": visit.canary("a field that is not there")}
    change = {"action": "update", "object": "Contact", "id_of": keys[0]}
    actions = [record, {**change, "values": title}, {**change, "values": wrong}]
    batch = {"actions": [{**each, "key": key, "at": at} for each, key in zip(actions, keys, strict=True)]}
    answer = add_in.call("POST", "sidebar/replay/", batch)
    visit.expect("what was done offline was taken", lambda: answer.status == 200)
    visit.expect("the simulated Salesforce holds it", lambda: _holds(visit, name) and _holds(visit, title["Title"]))
    refusal = {"message": f"bad value: {visit.canary('an error that Salesforce told')}", "errorCode": "INVALID_FIELD"}
    visit.desk("salesforce", "faults", {"path": "/services/data", "times": 9, "status": 400, "body": [refusal]})
    record["values"] = {"LastName": visit.canary("the name on a record that was refused")}
    again = {"actions": [{**record, "key": visit.canary("a key of the API"), "at": at}]}
    add_in.call("POST", "sidebar/replay/", again)
    visit.desk("salesforce", "reset", {"only": ["faults"]})
    yield "after what was done offline"


@privacy_journeys.register("signatures of mails")
def read_signatures(visit: Visit) -> Iterator[str]:
    add_in, name = visit.add_in(), visit.canary("a name in a signature").capitalize()
    text = f"{visit.canary('the text of a mail')} is attached.\n\nKind regards,\nJane {name}\nHead of Sales\n"
    mail = {"text": text, "sender": f"Jane {name} <{visit.canary('who sent a mail')}@customer.example>"}
    refused = add_in.call("POST", "sidebar/signature/", mail)
    visit.expect("no signature was read before it was switched on", lambda: refused.status == 403)
    on = add_in.call("PATCH", "policy/?level=organization", {"values": {"signature.extract": True}})
    visit.expect("it was switched on", lambda: on.status == 200)
    visit.expect("the name was read", lambda: name.encode() in add_in.call("POST", "sidebar/signature/", mail).body)
    html = {"html": f"<p>{visit.canary('the HTML of a mail')}</p><p>Kind regards,<br>Jane</p>"}
    visit.expect("HTML was read", lambda: b"Jane" in add_in.call("POST", "sidebar/signature/", html).body)
    add_in.call("POST", "sidebar/signature/", {"text": visit.canary("a mail in a refused request"), "x": 1})
    yield "after reading signatures"


@privacy_journeys.register("failures at Salesforce")
def fail_at_salesforce(visit: Visit) -> Iterator[str]:
    """Its refusals quote what was sent; its answers break off, are no JSON, or never come."""
    add_in, seen = visit.add_in(), []
    for fault in _faults(visit.canary("an error that Salesforce told")):
        visit.desk("salesforce", "faults", {"path": "/services/data", "times": 3, **fault})
        address = f"{visit.canary('an address in a failing look-up')}@customer.example"
        values = {"LastName": visit.canary("a name in a failing write"), "Email": address}
        seen += [_people(add_in, address).status, _write(add_in, values, values["LastName"]).status]
        visit.desk("salesforce", "reset", {"only": ["faults"]})
    visit.expect("look-ups and writes failed", lambda: sum(status >= 400 for status in seen) > len(seen) // 2)
    yield "after failures at Salesforce"


@privacy_journeys.register("requests that are refused")
def send_nonsense(visit: Visit) -> Iterator[str]:
    add_in, text = visit.add_in(), visit.canary("what a refused request held")
    large = json.dumps({"addresses": [text], "more": text * 40_000}).encode()
    part = f'Content-Disposition: form-data; name="a"; filename="{text}.txt"\r\n\r\n{text}'
    upload = f"--{text}\r\n{part}\r\n--{text}--\r\n"
    refused = [
        add_in.call("POST", "sidebar/people/", f'{{"addresses": ["{text}"'.encode()),
        add_in.call("POST", "sidebar/people/", large),
        add_in.call("POST", "sidebar/people/", {"addresses": [text] * 500, text: text}),
        add_in.call("POST", "sidebar/people/", text.encode(), {"Content-Type": text}),
        add_in.call("POST", _RECORDS, upload.encode(), {"Content-Type": f"multipart/form-data; boundary={text}"}),
        add_in.call("PATCH", f"{_RECORDS}{text}/", {"values": {text: text}}, {"Idempotency-Key": text}),
        add_in.call("GET", f"sidebar/{text}/?{text}={text}", headers={"Referer": f"https://{text}.example/"}),
        add_in.call("GET", "sidebar/search/?q=x1", headers={"Authorization": f"Bearer {text}", "User-Agent": text}),
    ]
    visit.expect("malformed requests were refused", lambda: all(400 <= answer.status < 500 for answer in refused))
    yield "after requests that were refused"


def _faults(text: str) -> list[dict[str, Any]]:
    refusal = {"message": f"bad value: {text}", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": [text]}
    return [
        {"status": 500, "body": f"<html><body>{text}</body></html>"},
        {"status": 400, "body": [refusal]},
        {"status": 503, "body": {"error": text, "error_description": text}, "headers": {"X-Told": text}},
        {"status": 200, "body": f'{{"compositeResponse": [{{"{text}"'},
        {"cut_after": 40},
    ]


def _write(add_in: AddIn, values: dict[str, str], key: str) -> Any:
    return add_in.call("POST", _RECORDS, {"values": values}, {"Idempotency-Key": key})


def _people(add_in: AddIn, address: str) -> Any:
    return add_in.call("POST", "sidebar/people/", {"addresses": [address]})


def _holds(visit: Visit, name: str) -> bool:
    return name in json.dumps(visit.desk("salesforce", "state?object=Contact"))
