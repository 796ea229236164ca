"""`python -m tests.config.leaking_product prove_privacy ...`: as manage.py, with journeys that leave a canary wherever
one could be left, and one that fails."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from config.privacy import throw_away
from organizations.privacy.visits import Visit

_HOLDS_OPEN = """
import sys, tempfile, time
file = tempfile.TemporaryFile()
file.write(bytes.fromhex(sys.stdin.read()))
file.flush()
print("held", flush=True)
time.sleep(300)
"""


def leak(visit: Visit) -> Iterator[str]:
    """As it is, in base64 once and twice, hex and UTF-16; each somewhere else."""
    text, stage = visit.canary("a leak").encode(), throw_away.current
    assert stage is not None
    with psycopg.connect(str(stage.facts["database_url"]), autocommit=True) as database:
        database.execute("CREATE TABLE leaking (kept bytea)")
        database.execute("INSERT INTO leaking VALUES (%s)", [base64.b64encode(b"ab" + text)])
    redis.Redis.from_url(str(stage.facts["redis_url"])).rpush("leaking", text.hex())
    with (Path(stage.facts["log"]) / "web.log").open("ab") as log:
        log.write(text.decode().encode("utf-16-le"))
    (stage.temporary / "attachment").write_bytes(base64.encodebytes(base64.encodebytes(text)))
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_OPEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(stage.temporary)},
    )
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write(text.hex().encode())
    holder.stdin.close()
    try:
        assert holder.stdout.readline() == b"held\n"
        yield "while it leaks"
    finally:
        holder.kill()
        holder.wait()


def fail(visit: Visit) -> Iterator[str]:
    yield "before it fails"
    visit.expect("what never comes", lambda: False, seconds=0.1)


def main() -> None:
    with throw_away.around(sys.argv):
        import django
        from django.core.management import execute_from_command_line

        django.setup()
        from organizations.registries import privacy_journeys

        privacy_journeys._parts.clear()
        privacy_journeys.register("leaking")(leak)
        privacy_journeys.register("failing")(fail)
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    main()
