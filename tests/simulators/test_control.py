"""/_sim of the simulated Salesforce, what its log says, its limits, and starting it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from tests.simulators.running import ROOT, Running, simulated_salesforce


def get(running: Running, token: str, path: str = "/limits", **options: float) -> requests.Response:
    url = f"{running.org()['api_url']}/services/data/v60.0{path}"
    return running.http.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=options.get("timeout", 10))


@pytest.fixture(scope="module")
def tokens(salesforce_process: Running) -> dict[str, str]:
    salesforce_process.reset(grants=True)
    return {user: salesforce_process.tokens(user)["access_token"] for user in ("alice", "bob", "dana")}


def test_the_log_of_calls(salesforce: Running, tokens: dict[str, str]) -> None:
    get(salesforce, tokens["alice"])
    since = time.time()
    get(salesforce, tokens["bob"], "/query?q=SELECT+Id+FROM+Contact+LIMIT+1")
    salesforce.http.get(salesforce.org()["api_url"] + "/services/data", timeout=10)
    calls = salesforce.sim(f"calls?since={since}")
    assert [(c["method"], c["path"], c["user"], c["counted"], c["status"]) for c in calls["calls"]] == [
        ("GET", "/services/data/v60.0/query", "bob", True, 200),
        ("GET", "/services/data", "", False, 200),
    ]
    assert calls["counted"] == 1
    assert len(salesforce.calls()) == 2


def test_one_composite_counts_once(salesforce: Running, tokens: dict[str, str]) -> None:
    url = f"{salesforce.org()['api_url']}/services/data/v60.0/composite"
    requests_ = [
        {"method": "GET", "referenceId": f"r{n}", "url": "/services/data/v60.0/sobjects/Contact/describe"}
        for n in range(25)
    ]
    before = get(salesforce, tokens["alice"]).headers["Sforce-Limit-Info"]
    answer = salesforce.http.post(
        url, json={"compositeRequest": requests_}, headers={"Authorization": f"Bearer {tokens['alice']}"}, timeout=30
    )
    assert (before, answer.headers["Sforce-Limit-Info"]) == ("api-usage=1/100000", "api-usage=2/100000")


def test_the_header_is_on_errors_but_not_on_versions_or_204(salesforce: Running, tokens: dict[str, str]) -> None:
    bad = get(salesforce, tokens["alice"], "/query?q=nonsense")
    assert (bad.status_code, bad.headers["Sforce-Limit-Info"]) == (400, "api-usage=1/100000")
    org = salesforce.org()
    assert "Sforce-Limit-Info" not in salesforce.http.get(org["api_url"] + "/services/data", timeout=10).headers
    bearer = {"Authorization": f"Bearer {tokens['alice']}"}
    lead = f"{org['api_url']}/services/data/v60.0/sobjects/Lead"
    made = salesforce.http.post(lead, json={"LastName": "x", "Company": "y"}, headers=bearer, timeout=10).json()["id"]
    gone = salesforce.http.delete(f"{lead}/{made}", headers=bearer, timeout=10)
    assert gone.status_code == 204
    assert "Sforce-Limit-Info" not in gone.headers
    assert gone.content == b""


def test_the_daily_limit(salesforce: Running, tokens: dict[str, str]) -> None:
    salesforce.sim("limits", {"used": 9, "max": 10})
    assert get(salesforce, tokens["alice"]).status_code == 200
    refused = get(salesforce, tokens["alice"])
    assert refused.status_code == 403
    assert refused.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=10/10"


def test_no_api_right(salesforce: Running, tokens: dict[str, str]) -> None:
    refused = get(salesforce, tokens["dana"])
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "API_CURRENTLY_DISABLED")


def test_faults_answer_instead(salesforce: Running, tokens: dict[str, str]) -> None:
    salesforce.sim(
        "faults",
        {
            "times": 2,
            "status": 503,
            "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}],
            "headers": {"Retry-After": "7"},
            "path": "/services/data",
            "user": "bob",
        },
    )
    assert get(salesforce, tokens["alice"]).status_code == 200
    for _ in range(2):
        refused = get(salesforce, tokens["bob"])
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "7")
    assert get(salesforce, tokens["bob"]).status_code == 200
    salesforce.sim("faults", {"status": 200, "body": "<html>Log in</html>"})
    assert get(salesforce, tokens["alice"]).text == "<html>Log in</html>"


def test_faults_delay_cut_and_crawl(salesforce: Running, tokens: dict[str, str]) -> None:
    salesforce.sim("faults", {"delay": 0.5, "path": "/services/data"})
    start = time.monotonic()
    assert get(salesforce, tokens["alice"]).status_code == 200
    assert time.monotonic() - start > 0.5
    salesforce.sim("faults", {"cut_after": 10})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        get(salesforce, tokens["alice"])
    salesforce.sim("faults", {"bytes_per_second": 200})
    start = time.monotonic()
    assert len(get(salesforce, tokens["alice"]).content) > 300
    assert time.monotonic() - start > 1
    url = f"{salesforce.org()['api_url']}/_sim/faults"
    assert salesforce.http.post(url, json={"nonsense": 1}, timeout=10).status_code == 400


def test_a_fault_may_come_after_the_work_was_done(salesforce: Running, tokens: dict[str, str]) -> None:
    url = f"{salesforce.org()['api_url']}/services/data/v60.0/sobjects"
    bearer = {"Authorization": f"Bearer {tokens['alice']}"}
    salesforce.sim(
        "faults", {"status": 502, "body": "<html>", "is_late": True, "method": "POST", "path": "/services/data"}
    )
    refused = salesforce.http.post(f"{url}/Lead", json={"LastName": "Late", "Company": "X"}, headers=bearer, timeout=10)
    assert (refused.status_code, refused.text) == (502, "<html>")
    leads = salesforce.sim("state?object=Lead")["records"]["Lead"]
    assert [row["Company"] for row in leads if row["LastName"] == "Late"] == ["X"]


def test_a_fault_may_meet_a_share_of_the_requests(salesforce: Running, tokens: dict[str, str]) -> None:
    salesforce.sim("faults", {"status": 503, "times": 1_000, "share": 0.3, "path": "/services/data"})
    statuses = [get(salesforce, tokens["alice"]).status_code for _ in range(100)]
    assert set(statuses) == {200, 503}
    assert 5 < statuses.count(503) < 60


def test_changing_a_user(salesforce: Running, tokens: dict[str, str]) -> None:
    query = "/query?q=SELECT+Title+FROM+Contact+LIMIT+1"
    assert get(salesforce, tokens["bob"], query).status_code == 200
    salesforce.sim("users/bob", {"hide": ["Contact.Title"]})
    assert get(salesforce, tokens["bob"], query).json()[0]["errorCode"] == "INVALID_FIELD"
    salesforce.sim("users/bob", {"show": ["Contact.Title"], "objects": {"Contact": ""}})
    assert get(salesforce, tokens["bob"], query).json()[0]["errorCode"] == "INVALID_TYPE"
    salesforce.sim("users/bob", {"profile": "Read Only", "objects": {"Contact": "r"}})
    assert get(salesforce, tokens["bob"], "/query?q=SELECT+Amount+FROM+Opportunity+LIMIT+1").status_code == 200
    assert salesforce.sim("users/bob", {"revoke": True})["revoked"] == 1
    assert get(salesforce, tokens["bob"]).status_code == 401


def test_reset_brings_records_back(salesforce: Running, tokens: dict[str, str]) -> None:
    def contacts() -> list[dict[str, str]]:
        return list(salesforce.sim("state?object=Contact")["records"]["Contact"])

    before = contacts()
    url = f"{salesforce.org()['api_url']}/services/data/v60.0/sobjects/Contact/{before[0]['Id']}"
    bearer = {"Authorization": f"Bearer {tokens['alice']}"}
    assert salesforce.http.patch(url, json={"Title": "Changed"}, headers=bearer, timeout=10).status_code == 204
    assert contacts() != before
    salesforce.reset()
    assert [(row["Id"], row.get("Email"), row.get("Title")) for row in contacts()] == [
        (row["Id"], row.get("Email"), row.get("Title")) for row in before
    ]
    assert get(salesforce, tokens["alice"]).status_code == 200


def test_grants_outlive_a_restart(tmp_path: Path) -> None:
    """And what is kept of them are hashes: no token is in any file."""
    with simulated_salesforce(directory=tmp_path) as first:
        tokens = first.tokens("alice")
    files = "".join(file.read_text() for file in tmp_path.iterdir())
    assert tokens["refresh_token"] not in files
    assert tokens["access_token"] not in files
    with simulated_salesforce(directory=tmp_path) as second:
        assert get(second, tokens["access_token"]).status_code == 200
        client = {"client_id": "sidebar-demo", "client_secret": second.org()["client_secret"]}
        form = {**client, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        assert second.http.post(second.org()["api_url"] + "/services/oauth2/token", data=form, timeout=10).ok


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])  # noqa: S104 - refused is the point
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    command = [sys.executable, "-m", "simulators.salesforce", "--directory", str(tmp_path), "--host", host]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "loopback only" in done.stderr


def test_a_taken_port_is_one_plain_line(tmp_path: Path, salesforce_process: Running) -> None:
    taken = salesforce_process.org()["api_url"].rpartition(":")[2]
    command = [sys.executable, "-m", "simulators.salesforce", "--directory", str(tmp_path), "--ports-from", taken]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert f"port {taken}" in done.stderr


def test_the_seed_is_the_same_each_time_and_big_enough(salesforce: Running) -> None:
    counts = {name: len(rows) for name, rows in salesforce.sim("state")["records"].items()}
    assert counts["Account"] >= 300
    assert counts["Contact"] >= 2000
    assert min(counts[name] for name in ("Lead", "Opportunity", "Case", "Task", "Event")) >= 300
    assert counts["Project__c"] > 0


def test_somebody_who_was_hired_works_until_the_reset(salesforce: Running) -> None:
    """As whoever was there from the start; afterwards his grant is none."""
    person = {"key": "hired", "first": "Hal", "last": "Hired", "email": "hal@acme.example"}
    (user_id,) = salesforce.sim("people", {"people": [person]})["ids"]
    token = salesforce.tokens("hired")["access_token"]
    found = get(salesforce, token, "/query?q=SELECT+Id,Email+FROM+User+WHERE+Alias='hired'").json()["records"]
    assert [(each["Id"], each["Email"]) for each in found] == [(user_id, "hal@acme.example")]
    salesforce.reset()
    assert get(salesforce, token).status_code == 401
