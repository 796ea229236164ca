"""A warm look-up, with the full production middleware, beside a bare Django "hello" on the same server.

Both run as granian WSGI with one worker of four threads on core 0, the load generator on core 1; rounds interleaved,
medians of five."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

from bench import cores, load
from bench.results import Results
from config.embedded import ports
from tests.journeys.people import AddIn, Browser
from tests.running import Stack

ROUNDS, SECONDS, CONNECTIONS = 5, 2.0, 64
THREADS = 4
CONVERSATION = ["jane.doe@northwind.example"]
TARGET = 0.25


@contextlib.contextmanager
def server(target: str, environment: dict[str, str]) -> Iterator[str]:
    """granian on core 0. Yields its URL."""
    port = ports.free()
    command = [
        *(sys.executable, "-m", "granian", target, "--interface", "wsgi", "--http", "1", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--blocking-threads", str(THREADS)),
        *("--log-level", "error"),
    ]
    process = subprocess.Popen(command, env=environment, preexec_fn=lambda: cores.pin(cores.SERVER))
    try:
        await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def await_port(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("a server did not come up in 20 s")


def lookup_request(url: str, add_in: AddIn, addresses: list[str]) -> bytes:
    """Host is the public one, as behind a proxy that passes it on."""
    body = json.dumps({"addresses": addresses}).encode()
    headers = {**add_in.headers, "Content-Type": "application/json", "Host": add_in.url.split("//")[1]}
    request = load.request_bytes(f"{url}/api/v1/sidebar/people/", method="POST", body=body, headers=headers)
    first_host = request.index(b"Host: ")
    return request[:first_host] + request[request.index(b"\r\n", first_host) + 2 :]


def measure(results: Results, stack: Stack) -> None:
    user = stack.org("acme")["users"][0]
    add_in = AddIn(Browser(stack, "acme", user["username"], user["password"])).sign_in()
    environment = stack.environment
    with (
        server("config.wsgi:application", environment) as ours,
        server("bench.hello:application", environment) as bare,
        cores.kept_on(cores.OTHERS),
    ):
        asked = [lookup_request(ours, add_in, CONVERSATION)]
        hello = [load.request_bytes(f"{bare}/")]
        size = warm_up(ours, asked)
        rounds = [one_round(ours, asked, bare, hello) for _ in range(ROUNDS)]
        single = (
            load.run(bare, hello, seconds=SECONDS, connections=1),
            load.run(ours, asked, seconds=SECONDS, connections=1),
        )
    report(results, rounds, single, size)


def warm_up(url: str, requests: list[bytes]) -> int:
    outcome = load.run(url, requests, seconds=1.5, connections=4)
    assert set(outcome.statuses) == {200}, outcome.statuses
    return outcome.last_size


def one_round(ours: str, asked: list[bytes], bare: str, hello: list[bytes]) -> tuple[load.Outcome, load.Outcome]:
    yardstick = load.run(bare, hello, seconds=SECONDS, connections=CONNECTIONS)
    outcome = load.run(ours, asked, seconds=SECONDS, connections=CONNECTIONS)
    assert set(outcome.statuses) == {200}, outcome.statuses
    return yardstick, outcome


def report(
    results: Results,
    rounds: list[tuple[load.Outcome, load.Outcome]],
    single: tuple[load.Outcome, load.Outcome],
    size: int,
) -> None:
    hello_rate = median(hello.rate for hello, _ in rounds)
    ratio = median(ours.rate / hello.rate for hello, ours in rounds)
    results.add("bare Django hello, one core", hello_rate, "req/s")
    rate = median(ours.rate for _, ours in rounds)
    results.add(f"warm look-up ({size / 1000:.1f} kB), one core", rate, "req/s", "hello", ratio, f">= {TARGET}")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        base = median(hello.percentile(share) for hello, _ in rounds)
        value = median(ours.percentile(share) for _, ours in rounds)
        results.add(f"warm look-up {name} at {CONNECTIONS} connections", value, "ms", "hello", value / base)
        alone, ours = single[0].percentile(share), single[1].percentile(share)
        results.add(f"warm look-up {name} at one connection", ours, "ms", "hello", ours / alone)
