"""After thousands of requests with injected failures no secret lies anywhere in clear (C22, I4; docs/vault.md 8).

A product of its own, as `make run` starts it: PostgreSQL's heap and WAL, Valkey, logs, terminal, answers. All three
providers fail, at their token endpoints too, and tasks fail with tokens in their hands."""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
import requests

from organizations.privacy.needles import CHUNK
from organizations.privacy.shapes import shapes_of
from tests.faults.leaking import KEPT, KINDS, TOKENS, Scan
from tests.journeys.people import AddIn, Salesforce, forms_in, sign_in_anew, submit
from tests.journeys.test_connecting import PROVIDERS, Accounts, connect
from tests.running import Stack, whole_stack
from tests.servers import ROOT
from tests.vault.accounts import TOKEN_PATH

_BOOM = "<html><body>Something went wrong</body></html>"
_USERINFO = {"google": "/v1/userinfo", "microsoft": "/oidc/userinfo"}
#: A week passes for the grants: whatever is done daily or weekly is due, and no provider is being waited for.
_A_WEEK = (
    "UPDATE vault_connection SET connected_at = connected_at - interval '8 days', last_success_at = NULL",
    "UPDATE vault_connection SET probe_at = NULL, retry_at = NULL, failures = 0",
    "UPDATE vault_objectaccess SET fetched_at = fetched_at - interval '8 days'",
)


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    with whole_stack() as stack:
        yield stack


@contextmanager
def without(stack: Stack, table: str) -> Iterator[None]:
    """A table is away: whatever needs it fails in the middle, with tokens in its hands."""
    with psycopg.connect(stack.facts["database_url"], autocommit=True) as database:
        database.execute(psycopg.sql.SQL("ALTER TABLE {} RENAME TO away").format(psycopg.sql.Identifier(table)))
        try:
            yield
        finally:
            database.execute(psycopg.sql.SQL("ALTER TABLE away RENAME TO {}").format(psycopg.sql.Identifier(table)))


# -- trouble ------------------------------------------------------------------------------------------------------


def inject(desk: Salesforce) -> None:
    """The next answers of Salesforce: errors, pages, halves; of the token endpoint, too. Earlier ones that nobody has
    met are taken back, or they would pile up until nothing is renewed any more."""
    desk.desk("reset", {"only": ["faults"]})
    data, token = "/services/data", "/services/oauth2/token"
    for fault in (
        {"path": data, "status": 500, "body": _BOOM, "times": 4},
        {"path": data, "cut_after": 20, "times": 4},
        {"path": data, "status": 200, "body": _BOOM, "times": 4},
        {"path": token, "status": 500, "body": [{"error": "boom"}], "times": 1},
        {"path": token, "status": 200, "body": _BOOM, "times": 1},
    ):
        desk.desk("faults", fault)
    desk.desk("tokens/expire")


def inject_at(mail: Accounts) -> None:
    """At Google or Microsoft: the same, and half an answer to a renewal, which may be asked for again there."""
    token = TOKEN_PATH[mail.name]
    desk(mail, "reset", {"only": ["faults"]})
    for fault in (
        {"path": token, "status": 500, "body": {"error": "boom"}},
        {"path": token, "cut_after": 20},
        {"path": token, "status": 200, "body": _BOOM},
        {"path": _USERINFO[mail.name], "status": 500, "body": _BOOM},
        {"path": _USERINFO[mail.name], "cut_after": 5},
    ):
        desk(mail, "faults", fault)
    desk(mail, "tokens/expire", {})


def desk(mail: Accounts, path: str, body: dict[str, object]) -> None:
    answer = mail.session.post(f"{mail.url}/_sim/{path}", json=body, timeout=30)
    assert answer.status_code < 300, answer.text


def ask(scan: Scan, caller: AddIn, number: int) -> None:
    """One of several kinds of request; whatever comes back is kept."""
    url, canary = caller.url, secrets.token_urlsafe(32)
    kind = number % 7
    if kind < 3:
        scan.note(caller.people([f"{canary[:12]}@nobody{number}.example"], fresh=True))
    elif kind < 5:
        query = {"state": canary, "code": scan.a_token(), "error": "boom"}
        where = ("salesforce", *PROVIDERS)[number % 3]
        scan.note(requests.get(f"{url}/connect/{where}/callback/", params=query, timeout=30))
    elif kind == 5:
        scan.note(caller.call("GET", "sidebar/search/", fresh=True, params={"q": canary[:20]}))
    else:
        scan.note(caller.call("GET", "connections/", fresh=True))


def work_in_the_background(stack: Stack) -> None:
    """Celery tasks whose work fails: their names and ids only may be told."""
    with psycopg.connect(stack.facts["database_url"]) as database:
        for statement in _A_WEEK:
            database.execute(statement)
        rows = database.execute("SELECT id::text, generation::text FROM vault_connection").fetchall()
    code = "import django, sys; django.setup(); from vault import tasks as t\n"
    code += "for each in sys.argv[1:]:\n    i, _, g = each.partition(':')\n    t.renew_grant.delay(i, int(g))\n"
    code += "    for task in (t.prove_grant, t.keep_grant_alive, t.refresh_object_access_of): task.delay(i)\n"
    environment = {**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "-c", f"{code}\nt.refresh_object_access_of.delay('no id')", *map(":".join, rows)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, capture_output=True)


def make_trouble(scan: Scan, count: int, callers: list[AddIn], salesforce: Salesforce, mail: list[Accounts]) -> None:
    batch = max(20, count // 40)
    for start in range(0, count, batch):
        inject(salesforce)
        for each in mail:
            inject_at(each)
        work_in_the_background(scan.stack)
        numbers = range(start, min(start + batch, count))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: ask(scan, callers[number % len(callers)], number), numbers))
        if start % (4 * batch) == 0:
            lose_the_attempts(scan, callers, salesforce)
        scan.learn()


def lose_the_attempts(scan: Scan, callers: list[AddIn], salesforce: Salesforce) -> None:
    with without(scan.stack, "vault_attempt"):
        salesforce.desk("tokens/expire")
        work_in_the_background(scan.stack)
        for number in range(15):
            ask(scan, callers[number % len(callers)], 7 * number)
        time.sleep(1)


# -- who and what there is ----------------------------------------------------------------------------------------


def register_an_own_app(stack: Stack) -> None:
    """A client secret that only the vault holds; nobody signs in there."""
    command = [sys.executable, "manage.py", "salesforce_app", "--client-id", "own-app"]
    command += ["--login-url", stack.org("sandbox")["api_url"]]
    secret = secrets.token_urlsafe(32)
    subprocess.run(
        command, cwd=ROOT, env=stack.environment, input=secret, text=True, check=True, timeout=60, capture_output=True
    )


def begin_and_stay_away(who: AddIn) -> None:
    """Leaves for Google and does not come back: the code verifier stays sealed."""
    browser = who.browser.session
    page = browser.get(f"{who.url}/connect/google/", timeout=30)
    submit(browser, page, next(form for form in forms_in(page) if "next" in form.fields))


def run(stack: Stack, count: int) -> Scan:
    scan, mail = Scan(stack), [Accounts(stack, name) for name in PROVIDERS]
    register_an_own_app(stack)
    callers = [sign_in_anew(stack, "acme", key) for key in ("alice", "bob", "rita")]
    for who, key in zip(callers, ("alice", "bob", "rita"), strict=True):
        for each in mail:
            scan.note(connect(who, each.name, key))
    begin_and_stay_away(callers[0])
    scan.learn()
    make_trouble(scan, count, callers, Salesforce(stack, "acme"), mail)
    return scan


def judge(scan: Scan, renewed: int) -> None:
    """`renewed`: how many access tokens each provider has given out at least."""
    assert {kind for kind in KINDS if not all(map(len, scan.secrets[kind] or {""}))} == set(), "not known"
    assert scan.found() == []
    log = "".join(path.read_text(errors="replace") for path in Path(scan.stack.facts["log"]).glob("*.log"))
    assert "ProgrammingError" in log, "nothing failed in the middle"
    assert "task vault.tasks." in log, "no task failed"
    assert scan.statuses[500] > 0
    given = {kind: len(scan.secrets[kind]) for kind in TOKENS if "access" in kind}
    assert min(given.values()) >= renewed, given


@pytest.mark.timeout(400)
def test_a_few_hundred_failures_leave_no_secret(own: Stack) -> None:
    judge(run(own, 120), renewed=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_failures_leave_no_secret(own: Stack) -> None:
    began = time.monotonic()
    scan = run(own, 10_000)
    asked = time.monotonic()
    found = scan.found()
    tell(scan, asked - began, time.monotonic() - asked)
    assert found == []
    judge(scan, renewed=5)


def tell(scan: Scan, asking: float, searching: float) -> None:
    known = {kind: len(each) for kind, each in sorted(scan.secrets.items())}
    with psycopg.connect(scan.stack.facts["database_url"]) as database:
        ends = database.execute("SELECT provider, state, cause, reason FROM vault_connection ORDER BY 1, 2").fetchall()
    sys.stdout.write(
        f"\n{len(scan.answers)} answers {dict(scan.statuses)}; {sum(known.values())} secrets {known}; "
        f"{scan.scanned} bytes; asked for {asking:.0f} s, searched for {searching:.0f} s; the connections: {ends}\n"
    )


# -- the scan itself ----------------------------------------------------------------------------------------------


def test_the_scan_finds_what_is_there(own: Stack) -> None:
    """The tests above can fail: in a log, and across two reads of a file."""
    canary, key = f"canary-{secrets.token_hex(16)}", secrets.token_bytes(32)
    scan = Scan(own)
    scan.secrets["canary"] = {canary, key}
    assert scan.found() == []
    place = own.state / "log" / "planted.log"
    for shape in (*shapes_of(canary), *shapes_of(key)):
        place.write_bytes(b"." * (CHUNK - 9) + shape + b".")
        assert scan.found() == [f"canary in {place}"]
    place.unlink()
    scan.answers.append(canary.encode())
    assert scan.found() == ["canary in answer 0"]


def test_what_is_kept_on_purpose_is_all_that_is_left_out(own: Stack) -> None:
    """Each exception is needed, and its file is searched for everything else."""
    scan = Scan(own)
    scan.learn()
    needles, kept = scan.needles(), {(kind, file) for kind, files in KEPT.items() for file in files}
    assert {(kind, file) for _, file in kept for kind in needles.in_file(own.state / file)} == kept


def test_what_is_compressed_is_unpacked_first(own: Stack) -> None:
    """In the queue and in tables; a token would lie there in pieces."""
    scan, canary = Scan(own), f"canary-{secrets.token_hex(16)}"
    scan.secrets["canary"] = {canary}
    text = f"{'a' * 4000}{canary}{'b' * 4000}"
    client = redis.Redis.from_url(own.facts["redis_url"])
    for name, write in (("text", client.set), ("list", client.lpush)):
        write(f"planted {name}", text)
        assert "canary in valkey" in scan.found()  # and in its file, which keeps what was written, as it was
        client.delete(f"planted {name}")
    with psycopg.connect(own.facts["database_url"], autocommit=True) as database:
        database.execute("CREATE TABLE planted (told text)")
        database.execute("INSERT INTO planted VALUES (%s)", [text])
        assert "canary in the tables" in scan.found()
        database.execute("DROP TABLE planted")
