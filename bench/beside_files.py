"""Somebody's single mail while as many others as the worker has threads have attachments that take their time."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from bench.results import Results
from bench.sync_house import OPEN, House, opened
from tests.sync import bulk
from tests.sync.company import ORG, Employee

#: Seconds that each upload takes.
UPLOAD = 20.0
#: Seconds in which everybody else's mail is there all the same.
TARGET = 10
_UPLOADS = "/services/data/v62.0/sobjects/ContentVersion"
_DECIDED = "SELECT count(*) FROM sync_decision WHERE mailbox_id = %s"


@contextmanager
def beside(threads: int, upload: float) -> Iterator[tuple[House, float]]:
    """`upload`: seconds that each takes. Yields the seconds from when we are told of the single mail to its decision;
    the files are still on their way. Raises AssertionError where they are not."""
    with opened(threads, people=threads + 1, also=["attach.enabled"]) as house:
        *busy, other = house.staff
        customers = house.world.customers(other)
        slow = {"path": _UPLOADS, "method": "POST", "delay": upload, "times": threads}
        house.world.salesforce.sim("faults", slow, ORG)
        for employee in busy:
            house.world.deliver(employee, [_with_a_file(employee, customers[0])])
        house.poll(busy)
        house.until(lambda: house.world.written_by().total() == threads)
        house.world.deliver(other, bulk.messages(other, 1, customers))
        began = time.monotonic()
        house.poll([other])
        house.until(lambda: house.count(_DECIDED, other.mailbox))
        seconds = time.monotonic() - began
        assert seconds > upload or house.count(OPEN) == threads, "no upload was under way"
        yield house, seconds


def _with_a_file(employee: Employee, sender: str) -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, employee.email, f"A file for {employee.key}"
    message["Date"], message["Message-ID"] = format_datetime(datetime.now(UTC)), f"<file-{employee.key}@bulk.example>"
    message.set_content("Please see the file.")
    message.add_attachment(employee.key.encode() * 1_000, maintype="application", subtype="pdf", filename="offer.pdf")
    return base64.b64encode(message.as_bytes()).decode()


def _files(house: House) -> int:
    return len(house.world.salesforce.sim("state?object=ContentVersion", org=ORG)["records"]["ContentVersion"])


def measure(results: Results) -> None:
    for threads in (2, 4):
        with beside(threads, UPLOAD) as (house, seconds):
            name = f"a single mail while {threads} others have files of {UPLOAD:.0f} s, {threads} at once"
            results.add(name, seconds, "s", target=f"<= {TARGET}")
            house.settled(threads + 1, 10 * UPLOAD)
            results.add("  files that are missing", threads - _files(house), "", target="0")


if __name__ == "__main__":
    measure(Results())
