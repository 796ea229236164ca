"""C63: attachments pass through the worker and the web process in bounded memory, with no file of ours in between, and
arrive whole or not at all. The same at full size: bench/attachments.py."""

from collections.abc import Iterator

import pytest

from tests.journeys.test_email_sync import ARCHIVE, until
from tests.journeys.transfers import MIB, PROVIDERS, Sent, Transfers
from tests.memory import growth
from tests.running import whole_stack
from tests.traced import Traces, is_possible

LARGE, SMALL = 24 * MIB, 2 * MIB
#: KiB that the transfers of two mailboxes at once may take: less than one attachment.
MOST = 16 * 1024

pytestmark = pytest.mark.skipif(not is_possible(), reason="strace is not installed: apt-get install strace")


@pytest.fixture(scope="module")
def transfers() -> Iterator[Transfers]:
    with whole_stack(module="tests.traced") as stack:
        made = Transfers(stack)
        made.begin()
        for provider in PROVIDERS:  # what the first one imports and connects
            first = made.deliver(provider, SMALL, ARCHIVE)
            assert made.log_now(first).json()["saved"] is True
        made.look()
        yield made


def in_the_worker(transfers: Transfers) -> list[Sent]:
    sent = [transfers.deliver(provider, LARGE) for provider in PROVIDERS]
    transfers.look()
    until(lambda: all(each.rule() for each in sent))
    return sent


def in_the_web_process(transfers: Transfers) -> list[Sent]:
    sent = [transfers.deliver(provider, LARGE, ARCHIVE) for provider in PROVIDERS]
    for each in sent:
        answer = transfers.log_now(each)
        assert answer.json()["saved"] is True, answer.text
    return sent


@pytest.mark.parametrize(("program", "transfer"), [("worker", in_the_worker), ("web", in_the_web_process)])
def test_nothing_of_an_attachment_is_held_or_written(transfers: Transfers, program: str, transfer: object) -> None:
    assert callable(transfer)
    before = Traces.of(transfers.stack)
    with growth(transfers.stack.facts["pids"][program]) as grown:
        sent = transfer(transfers)
    assert all(each.has_arrived() for each in sent)
    assert before.written() == []
    assert grown.kibibytes < MOST


@pytest.mark.parametrize("side", ["provider", "salesforce"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_cut_half_way_leaves_nothing_and_a_repeat_completes_it(
    transfers: Transfers, provider: str, side: str
) -> None:
    getattr(transfers, f"cut_at_{side}")(provider, SMALL)
    sent = transfers.deliver(provider, SMALL, ARCHIVE)
    assert not transfers.log_now(sent).ok  # nobody knows (409), or it shall be tried again (503)
    assert sent.is_without_file()
    assert transfers.log_now(sent).json()["saved"] is True
    assert sent.has_arrived()


@pytest.mark.parametrize("side", ["provider", "salesforce"])
def test_the_worker_tries_again_what_was_cut(transfers: Transfers, side: str) -> None:
    getattr(transfers, f"cut_at_{side}")("microsoft", SMALL)
    sent = transfers.deliver("microsoft", SMALL)
    transfers.look()
    until(sent.tries)
    assert not sent.rule()
    assert sent.is_without_file()
    transfers.hurry()
    until(sent.rule)
    assert sent.has_arrived()
