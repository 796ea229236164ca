"""Actions queued offline, sent again and again over a line that breaks: each comes about once (C46, row 22).

CI sends 60 of them; FULL=1 sends 1,000."""

import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.journeys.people import AddIn, Salesforce, sign_in_anew
from tests.running import Stack

COUNT = 1_000 if os.environ.get("FULL") else 60
BATCH = 10
AT = "2026-11-22T10:00:00+01:00"
Batch = Sequence[dict[str, Any]]

pytestmark = pytest.mark.timeout(1_800 if os.environ.get("FULL") else 240)


def tasks_in(acme: Salesforce, subject: str) -> list[str]:
    found = acme.session.get(f"{acme.url}/_sim/state", params={"object": "Task"}, timeout=60).json()
    names = (str(each.get("Subject")) for each in found["records"]["Task"])
    return [name for name in names if name.startswith(subject)]


def test_each_action_comes_about_once_whatever_breaks(stack: Stack, alice: AddIn, acme: Salesforce) -> None:
    """Each batch is sent one to five times, several at once; one call in five is given up before its answer comes."""
    seed = random.randrange(2**32)
    chance, mark = random.Random(seed), f"Offline {uuid4().hex[:8]}"
    actions = [create(f"{mark} {number}") for number in range(COUNT)]
    batches = [actions[at : at + BATCH] for at in range(0, COUNT, BATCH)]
    sendings = [(each, chance.random() < 0.2) for each in batches for _ in range(chance.randint(1, 5))]
    chance.shuffle(sendings)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda sending: send(alice, *sending), sendings))
    for batch in batches:
        until_done(alice, batch)
    assert Counter(tasks_in(acme, mark)) == Counter(f"{mark} {number}" for number in range(COUNT)), f"seed {seed}"


def create(subject: str, **about: Any) -> dict[str, Any]:
    values = {"Subject": subject, "Status": "Not Started", "Priority": "Normal"}
    return {"action": "create", "key": str(uuid4()), "at": AT, "object": "Task", "values": values, **about}


def send(person: AddIn, batch: Batch, is_cut: bool) -> None:
    url, body = f"{person.url}/api/v1/sidebar/replay/", {"actions": list(batch)}
    try:
        answer = requests.post(url, json=body, headers=person.headers, timeout=(30, 0.05 if is_cut else 60))
    except (requests.ConnectionError, requests.Timeout):
        return
    assert answer.status_code == 200, answer.text


def until_done(person: AddIn, batch: Batch) -> None:
    """What another call is carrying out just now is `later` here."""
    for _ in range(60):
        answer = person.call("POST", "sidebar/replay/", json={"actions": list(batch)}, fresh=True).json()
        if not answer["left"]:
            break
        time.sleep(0.5)
    assert {each["state"] for each in answer["results"]} == {"done"}


def test_a_colleague_who_was_faster_is_told_of(stack: Stack, alice: AddIn, acme: Salesforce) -> None:
    mark = f"Race {uuid4().hex[:8]}"
    made = replayed(alice, create(mark))[0]
    path, theirs = f"sidebar/records/Task/{made['id']}/", {"values": {"Status": "Completed"}}
    bob = sign_in_anew(stack, "acme", "bob")
    answer = bob.call("PATCH", path, json=theirs, headers={"Idempotency-Key": str(uuid4())})
    assert answer.status_code == 200, answer.text
    mine = {"action": "update", "at": AT, "object": "Task", "id": made["id"], "values": {"Status": "In Progress"}}
    for was in ({}, {"was": {"Status": "Not Started"}}):
        (told,) = replayed(alice, {**mine, **was, "key": str(uuid4())})
        assert told["state"] == "conflict"
        assert told["conflicts"] == [{"field": "Status", "yours": "In Progress", "theirs": "Completed"}]
    (told,) = replayed(alice, {**mine, "was": {"Status": "Completed"}, "key": str(uuid4())})
    assert told["state"] == "done"


def replayed(person: AddIn, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = person.call("POST", "sidebar/replay/", json={"actions": list(actions)}, fresh=True)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def test_salesforces_refusal_is_ones_own_and_no_end_of_the_others(alice: AddIn, acme: Salesforce) -> None:
    mark = f"Refused {uuid4().hex[:8]}"
    bad = create(f"{mark} 1")
    bad["values"]["Status"] = "x" * 5_000
    results = replayed(alice, bad, create(f"{mark} 2"), create(f"{mark} 3", after=[bad["key"]]))
    assert [each["state"] for each in results] == ["refused", "done", "skipped"]
    assert results[0]["problem"]["errors"][0]["code"]
    assert tasks_in(acme, mark) == [f"{mark} 2"]


def test_signed_out_nothing_is_looked_at(stack: Stack, acme: Salesforce) -> None:
    body = {"actions": [create(f"Nobody {uuid4().hex[:8]}")]}
    url = f"{stack.public_url}/api/v1/sidebar/replay/"
    assert requests.post(url, json=body, headers={"Authorization": "Bearer gone.x"}, timeout=30).status_code == 401
    assert not tasks_in(acme, body["actions"][0]["values"]["Subject"])
