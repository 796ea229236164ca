"""C57, C59: what the sidebar shows is on no disk, in no table, queue or log. Looked for in the raw files themselves."""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from organizations.privacy.needles import CHUNK, Needles
from organizations.privacy.shapes import shapes_of
from tests.faults.evidence import valkey_dump
from tests.journeys.people import AddIn, Salesforce
from tests.running import Stack

JANE = "jane.doe@northwind.example"


def test_a_canary_is_nowhere_after_a_thousand_look_ups(stack: Stack, alice: AddIn, acme: Salesforce) -> None:
    canary = f"Canary{secrets.token_hex(10)}"
    rename_jane(alice, canary)
    for number in range(1000):
        answer = alice.people([JANE], fresh=number % 10 == 0, refresh=number % 100 == 0)
        assert canary in answer.text
    assert alice.call("GET", "sidebar/search/", params={"q": canary}).status_code == 200
    needles = needles_of(canary)
    assert not [str(path) for path in files_of(stack) if needles.in_file(path)]
    assert not needles.in_text(valkey_dump(stack.facts["redis_url"]))
    assert not list(tables_with(stack, canary))


def rename_jane(alice: AddIn, name: str) -> None:
    record = alice.people([JANE]).json()["people"][0]["records"][0]
    answer = alice.call(
        "PATCH",
        f"sidebar/records/Contact/{record['id']}/",
        json={"values": {"LastName": name}},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 5
    while not all(name in alice.people([JANE], fresh=True).text for _ in range(8)):
        assert time.monotonic() < deadline  # the other process hears of a write with its next poll
        time.sleep(0.2)


def files_of(stack: Stack) -> Iterator[Path]:
    """Everything the running product keeps: PostgreSQL's heap and WAL, Valkey's folder, key store, logs."""
    yield from (path for path in stack.state.rglob("*") if path.is_file())


def tables_with(stack: Stack, canary: str) -> Iterator[str]:
    with psycopg.connect(stack.facts["database_url"]) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            query = psycopg.sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE %s").format(
                psycopg.sql.Identifier(name)
            )
            if database.execute(query, [f"%{canary}%"]).fetchone() != (0,):
                yield name


def needles_of(canary: str) -> Needles:
    return Needles(dict.fromkeys(shapes_of(canary), "canary"))


def test_the_search_itself_finds_what_is_there(tmp_path: Path) -> None:
    """The test above can fail: each shape is found wherever it lies, also across two reads."""
    needles = needles_of("Canary0123456789")
    for shape in shapes_of("Canary0123456789"):
        path = tmp_path / "file"
        for start in (*range(9), *range(CHUNK - 40, CHUNK + 9)):
            path.write_bytes(b"." * start + shape)
            assert needles.in_file(path) == {"canary"}
        path.write_bytes(b"." * (CHUNK - 5) + shape[:-1] + b".")
        assert not needles.in_file(path)
