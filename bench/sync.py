"""Email sync of a company: calls of Salesforce, mails a second, memory, and who has to wait for whom.

The worker is a process as it is deployed; simulators and servers are others, and its processor time is counted apart.
FULL=1: 50 people, a bulk day of 20,000 mails, 50,000 in all, 30,000 changes in one mailbox; else a tenth."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median

from bench import footprint
from bench.results import Results
from bench.sync_house import House, opened
from tests.sync import bulk
from tests.sync.company import Employee

#: Seconds for anything that has an end: a limit for a machine that does other things beside, not a promise.
PATIENCE = 3_600.0
#: Of single mails that arrive while another mailbox is full.
SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Size:
    """`warm`: mails for each before anything is measured; `day`: on the bulk day; `more`: afterwards. `changes`: of one
    mailbox, while others have a single mail."""

    people: int
    warm: int
    day: int
    more: int
    changes: int


WHOLE = Size(people=50, warm=20, day=400, more=580, changes=30_000)
TENTH = Size(people=10, warm=100, day=200, more=200, changes=3_000)


def measure(results: Results, size: Size | None = None) -> None:
    size = size or (WHOLE if os.environ.get("FULL") else TENTH)
    with opened(concurrency=2, people=size.people) as house:
        customers = house.world.customers(house.staff[0])
        _carried(house, size.warm, customers)
        base = footprint.held(house.pid)
        results.add(f"worker after {house.decided():,} mails", base, "KiB")
        _bulk_day(results, house, size.day, customers)
        _grown(results, house, base)
        _live(results, house, customers)
        _carried(house, size.more, customers)
        _grown(results, house, base)
    for concurrency in (2, 1):
        _neighbours(results, size.changes, concurrency)


def _carried(house: House, each: int, customers: list[str]) -> int:
    """So many mails for everybody, from delivery to decision; how many in all."""
    until = house.decided() + house.deliver(each, customers)
    house.poll(house.staff)
    house.settled(until, PATIENCE)
    return each * len(house.staff)


def _grown(results: Results, house: House, base: int) -> None:
    more = footprint.held(house.pid) - base
    results.add(f"worker after {house.decided():,} mails", more, "KiB more", target="flat")


# -- a bulk day ------------------------------------------------------------------------------------------------------


def _bulk_day(results: Results, house: House, each: int, customers: list[str]) -> None:
    """Everybody's mail of a day at once."""
    before, first = house.world.written_by(), house.delivered
    until = house.decided() + house.deliver(each, customers)
    house.world.forget_calls()
    used, began = footprint.processor(house.pid), time.monotonic()
    house.poll(house.staff)
    house.settled(until, PATIENCE)
    used, took = footprint.processor(house.pid) - used, time.monotonic() - began
    seen = each * len(house.staff)
    matching = bulk.matching(each, first=first)
    named = f"bulk day, {len(house.staff)} mailboxes of {each} mails"
    results.add(f"{named}, per second and core of the worker", seen / used, "mails/s")
    results.add(f"{named}, per second, all on this machine", seen / took, "mails/s")
    calls = len(house.world.calls())
    results.add("Salesforce calls per mail seen", calls / seen, "calls", target="<= 0.1")
    results.add("Salesforce calls per mail written", calls / (matching * len(house.staff)), "calls", target="<= 0.6")
    _whose(results, house, house.world.written_by() - before, matching)


def _whose(results: Results, house: House, written: Counter[str], matching: int) -> None:
    """Each mail once, with its own member's grant; nobody asks for a colleague."""
    staff = {each.key for each in house.staff}
    results.add("mails missing", sum(max(matching - written[key], 0) for key in staff), "", target="0")
    results.add("mails doubled", sum(max(written[key] - matching, 0) for key in staff), "", target="0")
    strangers = written.keys() | {call["user"] for call in house.world.calls()}
    results.add(
        "people by whose grant something was asked or written, and who had no mail",
        len(strangers - staff),
        "",
        target="0",
    )


def _live(results: Results, house: House, customers: list[str]) -> None:
    """One mail of a customer, for one person at each provider. Each person's hourly question who has appeared in
    Salesforce (`sync.appearing`) is no mail's, so all have been asked first."""
    house.until(lambda: not house.count(_TO_ASK), PATIENCE)
    for employee in house.staff[:2]:
        house.world.forget_calls()
        until = house.decided() + 1
        (message,) = bulk.messages(employee, 1, customers, first=10**6)
        house.world.deliver(employee, [message])
        house.poll([employee])
        house.settled(until, PATIENCE)
        name = f"Salesforce calls for one live mail, {employee.provider}"
        results.add(name, len(house.world.calls()), "calls", target="<= 2")


_TO_ASK = (
    "SELECT count(*) FROM sync_syncedmailbox m WHERE m.asked_until IS NULL"
    " AND EXISTS (SELECT 1 FROM sync_waiting w JOIN sync_decision d ON d.id = w.decision_id WHERE d.mailbox_id = m.id)"
)


# -- neighbours ------------------------------------------------------------------------------------------------------


def _neighbours(results: Results, changes: int, concurrency: int) -> None:
    """Somebody's single mail, from when we are told to its decision, while one mailbox has its changes read and
    carried out."""
    with opened(concurrency, people=2) as house:
        full, other = house.staff
        customers = house.world.customers(full)
        house.world.deliver(full, bulk.messages(full, changes, customers))
        house.poll([full])
        house.until(house.decided)
        waits: list[float] = []
        while len(waits) < SAMPLES and (not waits or house.decided() < changes):
            waits.append(_single(house, other, customers, len(waits)))
    named = f"a single mail beside {changes:,} changes, {concurrency} at once"
    results.add(f"{named}, longest of {len(waits)}", max(waits), "s", target="<= 10")
    results.add(f"{named}, median", median(waits), "s")


def _single(house: House, employee: Employee, customers: list[str], number: int) -> float:
    house.world.deliver(employee, bulk.messages(employee, 1, customers, first=number * bulk.SHARE))
    mine = "SELECT count(*) FROM sync_decision WHERE mailbox_id = %s"
    began = time.monotonic()
    house.poll([employee])
    house.until(lambda: house.count(mine, employee.mailbox) > number, PATIENCE)
    return time.monotonic() - began


def main() -> None:
    """`python -m bench.sync`: this measurement alone."""
    measure(Results())


if __name__ == "__main__":
    main()
