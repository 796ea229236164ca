"""The whole OpenAPI description against the running product, by Schemathesis: all checks, all phases, good and bad
data, five seeds. CI runs 20 examples for each operation, and what hangs little on the seed once; FULL=1 runs 300, and
all at each seed."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.journeys.people import AddIn, Salesforce, sign_in_anew
from tests.running import Stack

SEEDS = (1, 2, 3, 4, 5)
#: Seconds of an answer; beside other tests a busy machine takes some of them.
SLOWEST = "2" if os.environ.get("FULL") else "5"
EXAMPLES = 300 if os.environ.get("FULL") else 20
#: What varies with the seed; before it come the description's examples and its bounds, one by one (`coverage`).
VARYING = "fuzzing,stateful"
WHOLE = f"examples,coverage,{VARYING}"
#: Ends what all other calls need: the grant, the caller's tokens or his own role. Fuzzed last, and by themselves.
ENDINGS = ("connections_list", "connections_delete", "members_list", "members_change", "devices_list", "devices_delete")
#: Who the sandbox's records are asked for.
PEOPLE = ["jane.doe@northwind.example", "priya.raman@kestrel-labs.example", "sofia.rossi@rossi-vini.example"]

pytestmark = pytest.mark.timeout(6 * 3600 if os.environ.get("FULL") else 240)


@pytest.fixture(scope="module")
def config(stack: Stack) -> Path:
    """Our settings, and ids of records that exist, so that calls get beyond 404. Nobody else uses the sandbox."""
    sign_in_anew(stack, "sandbox", "bob")
    alice = sign_in_anew(stack, "sandbox", "alice")
    # 503 is the right answer where a day's calls are used up, so that there shall be enough of them.
    Salesforce(stack, "sandbox").desk("limits", {"maximum": 10_000_000})
    path = servers.folder() / "schemathesis.toml"
    path.write_text(
        (Path(__file__).parent / "schemathesis.toml").read_text() + known_records(alice) + known_messages(alice)
    )
    return path


def known_messages(caller: AddIn) -> str:
    """The same for the ids of tracked messages, in an organization that tracks."""
    on = {"track.opens": True, "track.clicks": True}
    assert caller.call("PATCH", "policy/?level=organization", json={"values": on}).status_code == 200
    wanted = {"recipients": PEOPLE, "singly": True, "links": []}
    ids = [caller.call("POST", "tracking/messages/", json=wanted).json()["id"] for _ in range(3)]
    return (
        f"[dictionaries.messages]\nvalues = {json.dumps(ids)}\n"
        "[[operations]]\ninclude-path-regex = 'messages/\\{message_id\\}/'\n"
        'parameters."path.message_id" = { dictionary = "messages", probability = 0.5 }\n'
    )


def known_records(caller: AddIn) -> str:
    """Schemathesis settings that offer ids from `caller`'s cards for three calls in ten."""
    found: dict[str, set[str]] = defaultdict(set)
    for card in caller.people(PEOPLE).json()["people"]:
        for record in card["records"]:
            found[record["object"]].add(record["id"])
            for group in record["groups"]:
                for related in group["records"]:
                    found[related["object"]].add(related["id"])
    assert {"Contact", "Account"} <= set(found)
    names = "".join(f"[dictionaries.{name}]\nvalues = {json.dumps(sorted(ids))}\n" for name, ids in found.items())
    return names + "".join(
        f'[[operations]]\ninclude-path-regex = "/{name}/\\\\{{id\\\\}}/"\n'
        f'parameters."path.id" = {{ dictionary = "{name}", probability = 0.3 }}\n'
        for name in found
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_no_check_fails(seed: int, stack: Stack, config: Path) -> None:
    """G13: every operation answers as it is described, whatever is sent."""
    left_out = [part for name in ENDINGS for part in ("--exclude-operation-id", name)]
    is_whole = phases_of(seed) == WHOLE
    report = schemathesis(stack, config, seed, *left_out)
    assert report["operations"]["selected"] == report["operations"]["total"] - len(ENDINGS)
    assert report["test_cases"]["generated"] > (30 if is_whole else 10) * report["operations"]["selected"]
    if is_whole:
        assert_much_is_served(report)


def phases_of(seed: int) -> str:
    return WHOLE if seed == SEEDS[0] or os.environ.get("FULL") else VARYING


def assert_much_is_served(report: dict[str, Any]) -> None:
    served = {name for name, phases in report["valid_rates"].items() if any(p["accepted"] for p in phases.values())}
    known = {"POST /api/v1/sidebar/people/", "PATCH /api/v1/policy/", "POST /api/v1/domains/"}
    assert known | {"POST /api/v1/tracking/messages/", "GET /api/v1/tracking/messages/{message_id}/"} <= served
    assert len(served) >= report["operations"]["selected"] / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_no_check_fails_where_access_ends(seed: int, stack: Stack, config: Path) -> None:
    only = [part for name in ENDINGS for part in ("--include-operation-id", name)]
    assert schemathesis(stack, config, seed, *only)["operations"]["selected"] == len(ENDINGS)


def schemathesis(stack: Stack, config: Path, seed: int, *options: str) -> dict[str, Any]:
    """One run; returns its report once that says that each operation was tested and none failed."""
    report = config.parent / f"schemathesis-{seed}.json"
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    command += [f"{stack.public_url}/api/v1/schema/", "--url", stack.public_url, "--seed", str(seed), *options]
    command += ["--checks", "all", "--phases", phases_of(seed), "--mode", "all"]
    command += ["--continue-on-failure", "--max-response-time", SLOWEST, "--max-examples", str(EXAMPLES), "--no-shrink"]
    command += ["--generation-database", "none", "--no-color", "--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(command, cwd=config.parent, env=_environment(stack), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(report.read_text())
    assert found["complete"]
    assert found["operations"]["tested"] == found["operations"]["selected"]
    assert not found["failures"]
    assert not found["errors"]
    return found


def _environment(stack: Stack) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(servers.ROOT),
        "SCHEMATHESIS_HOOKS": "tests.hardening.bearer",
        "STACK_STATE": str(stack.state),
        "STACK_PERSON": "sandbox/alice",
    }
