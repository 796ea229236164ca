"""Large attachments on their way from both simulated providers into the simulated Salesforce, with the worker and the
web process under strace: how fast, in how much memory, whether a file came to be, and whether each bit arrived.

A few of each; FULL=1: a hundred of 100 MB from Graph, and of 25 MB from Gmail. Needs strace."""

import os
import sys
import time

from bench.footprint import processor
from bench.results import Results
from tests.journeys.test_email_sync import ARCHIVE
from tests.journeys.transfers import MIB, Sent, Transfers
from tests.memory import growth
from tests.running import whole_stack
from tests.traced import Traces, is_possible

SIZES = {"google": 25_000_000, "microsoft": 100_000_000}
#: What is asked for at once from the sidebar is one message of at most 100 MB, as base64.
ASKED = {"google": 25_000_000, "microsoft": 70_000_000}
#: Seconds in which at least one more has to arrive.
PATIENCE = 300.0


def measure(results: Results) -> None:
    if not is_possible():
        print("attachments: not measured, since strace is not installed", file=sys.stderr)
        return
    with whole_stack(module="tests.traced") as stack:
        transfers = Transfers(stack)
        transfers.begin()
        _warm_up(transfers)
        count = 100 if os.environ.get("FULL") else 3
        _in_the_worker(results, transfers, count)
        transfers.sign_in_again()
        _in_the_web_process(results, transfers, max(1, count // 20))
        transfers.sign_in_again()
        _cut(results, transfers)


def _warm_up(transfers: Transfers) -> None:
    """What the first ones import and connect: in the worker, and in both web processes."""
    sent = [transfers.deliver(provider, MIB) for provider in SIZES]
    transfers.look()
    _await(sent)
    for provider in SIZES:
        for _ in range(4):
            assert transfers.log_now(transfers.deliver(provider, MIB, ARCHIVE)).ok


def _in_the_worker(results: Results, transfers: Transfers, count: int) -> None:
    sent = [transfers.deliver(provider, size) for _ in range(count) for provider, size in SIZES.items()]
    worker = transfers.stack.facts["pids"]["worker"]
    before, begun, used = Traces.of(transfers.stack), time.monotonic(), processor(worker)
    with growth(worker) as grown:
        transfers.look()
        _await(sent)
    seconds, used = time.monotonic() - begun, processor(worker) - used
    megabytes = sum(each.size for each in sent) / 1e6
    name = f"{count} attachments of 100 MB from Graph, {count} of 25 MB from Gmail"
    results.add(f"{name}: by the worker", megabytes / seconds, "MB/s")
    results.add("  its processor time for each gigabyte", used / megabytes * 1000, "s")
    results.add("  its memory meanwhile", grown.kibibytes / 1024, "MiB more", target="< 32")
    _judge(results, sent, before)


def _in_the_web_process(results: Results, transfers: Transfers, count: int) -> None:
    sent = [transfers.deliver(provider, size, ARCHIVE) for _ in range(count) for provider, size in ASKED.items()]
    before, begun = Traces.of(transfers.stack), time.monotonic()
    with growth(transfers.stack.facts["pids"]["web"]) as grown:
        for each in sent:
            answer = transfers.log_now(each)
            assert answer.ok, answer.text
    rate = sum(each.size for each in sent) / 1e6 / (time.monotonic() - begun)
    results.add(f"{count} of 70 MB, {count} of 25 MB, asked for from the sidebar", rate, "MB/s")
    results.add("  memory of the web processes meanwhile", grown.kibibytes / 1024, "MiB more", target="< 32")
    _judge(results, sent, before)


def _judge(results: Results, sent: list[Sent], before: Traces) -> None:
    results.add(
        "  attachments not there once and bit by bit", sum(not each.has_arrived() for each in sent), "", target="0"
    )
    written = before.written()
    for line in written[:20]:
        print(line, file=sys.stderr)
    results.add("  files that were created, or opened to write", len(written), "", target="0")


def _cut(results: Results, transfers: Transfers) -> None:
    """Each provider's answer, and each upload, breaks off half way; then the person asks again."""
    partial = missing = 0
    for provider, size in ASKED.items():
        for cut in (transfers.cut_at_provider, transfers.cut_at_salesforce):
            cut(provider, size)
            sent = transfers.deliver(provider, size, ARCHIVE)
            assert not transfers.log_now(sent).ok
            partial += not sent.is_without_file()
            missing += not (transfers.log_now(sent).ok and sent.has_arrived())
    results.add("4 cut at half: partial records", partial, "", target="0")
    results.add("  not completed by a repeat", missing, "", target="0")


def _await(sent: list[Sent]) -> None:
    """Until all are decided. Raises AssertionError where it stands still."""
    left, moved = list(sent), time.monotonic()
    while left:
        still = [each for each in left if not each.rule()]
        if len(still) < len(left):
            left, moved = still, time.monotonic()
        assert time.monotonic() - moved < PATIENCE, f"{len(left)} of {len(sent)} do not arrive"
        time.sleep(1.0)


def main() -> None:
    """`python -m bench.attachments`: this measurement alone."""
    measure(Results())


if __name__ == "__main__":
    main()
