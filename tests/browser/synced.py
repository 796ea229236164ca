"""Mail that came and was decided about, for pictures of the email sync page: one of each kind."""

import base64
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import uuid4

from celery import Celery

from tests.journeys.people import AddIn
from tests.journeys.test_connecting import Accounts, connect, switch
from tests.running import Stack

#: Sender and subject.
MAILS = (
    ("Ngozi Okafor <ngozi.okafor@savannah-foods.example>", "Spring offer"),
    ("Sofia Rossi <sofia.rossi@rossi-vini.example>", "Delivery dates"),
    ("Somebody <somebody@unheard-of.example>", "Introduction"),
    ("Shop <no-reply@shop.example>", "Your verification code is 123456"),
    ("Bob Brown <bob@acme.example>", "Lunch"),
    ("Jane Doe <jane.doe@northwind.example>", "Contract, signed"),
)


def synced(stack: Stack, alice: AddIn) -> None:
    """Once: Alice's mailbox at Google is followed, and each of MAILS has its decision."""
    if _decided(alice) >= len(MAILS):
        return
    switch(alice, "email.sync.enabled", True)
    connect(alice, "google", "alice")
    with Celery(broker=stack.facts["redis_url"]) as queue:
        queue.send_task("sync.tasks.follow_settings")
    time.sleep(35)  # until it is followed: what came before is not looked at
    body = {"messages": [{"raw": _encoded(*each), "folder": "inbox"} for each in MAILS]}
    accounts = Accounts(stack, "google")
    assert accounts.session.post(f"{accounts.url}/_sim/mail/alice/deliver", json=body, timeout=30).ok
    began = time.monotonic()
    while _decided(alice) < len(MAILS):
        assert time.monotonic() - began < 120, "they were not decided about"
        time.sleep(1)


def _decided(alice: AddIn) -> int:
    return len(alice.call("GET", "sync/decisions/", fresh=True).json()["decisions"])


def _encoded(sender: str, subject: str) -> str:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "alice@acme.example", subject
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), f"<{uuid4()}@customer.example>"
    mail.set_content("Good morning,\n\nas we said.\n")
    return base64.b64encode(bytes(mail)).decode()
