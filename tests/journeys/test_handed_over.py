"""A message that the mail client hands over whole: read as it comes, saved within the request, once, or not at all."""

import base64
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from tests.journeys.people import HEARD, AddIn, Salesforce
from tests.journeys.test_email_sync import activities, files
from tests.running import Stack

#: A contact that no other journey looks at.
NGOZI = "ngozi.okafor@savannah-foods.example"
MIB = 1024 * 1024
Send = Callable[..., requests.Response]


@pytest.fixture
def send(alice: AddIn) -> Send:
    return sender(alice)


def sender(person: AddIn) -> Send:
    def post(body: Any, key: str = "", query: str = "", **headers: str) -> requests.Response:
        about = {"Content-Type": "message/rfc822", "Idempotency-Key": key or str(uuid4()), **headers}
        return person.call("POST", f"sync/emails/{query}", data=body, headers=about, fresh=True)

    return post


def mail(subject: str, *, sender: str = NGOZI, attached: bytes = b"", text: str = "Hello") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, "alice@acme.example", subject
    made["Message-ID"], made["Date"] = f"<{uuid4()}@northwind.example>", "Sun, 22 Nov 2026 09:12:41 +0100"
    made.set_content(text)
    if attached:
        made.add_attachment(attached, maintype="application", subtype="pdf", filename=f"{subject}.pdf")
    return bytes(made)


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def in_pieces(body: bytes, length: int = 7_000) -> Iterator[bytes]:
    """requests sends a generator in chunks, without a length."""
    return (body[at : at + length] for at in range(0, len(body), length))


def test_it_is_saved_once_whatever_is_repeated(send: Send, acme: Salesforce) -> None:
    raw, key = mail("Handed over", text="What it says"), str(uuid4())
    first = send(raw, key)
    assert first.status_code == 200, first.text
    assert (first.json()["saved"], first.json()["rule"], first.json()["notes"]) == (True, "asked_for", [])
    assert send(raw, key).json() == first.json()
    assert send(raw).json()["activity_id"] == first.json()["activity_id"]
    assert send(mail("Another"), key).status_code == 422
    (activity,) = activities(acme, "Handed over")
    assert (activity["Id"], activity["Incoming"]) == (first.json()["activity_id"], True)
    assert "What it says" in activity["TextBody"]
    assert activity["MessageDate"].startswith("2026-11-22T08:12:41")
    assert not activities(acme, "Another")


def test_in_chunks_it_is_taken_with_its_digest_alone(send: Send, acme: Salesforce) -> None:
    raw = mail("In chunks", text="line\n" * 20_000)
    assert send(in_pieces(raw)).status_code == 411
    assert send(in_pieces(raw), **{"Content-Digest": digest_of(raw + b"x")}).status_code == 400
    assert not activities(acme, "In chunks")
    assert send(in_pieces(raw), **{"Content-Digest": digest_of(raw)}).json()["saved"] is True
    assert len(activities(acme, "In chunks")) == 1


def status_of(stack: Stack, person: AddIn, body: bytes, key: str, *headers: str) -> int:
    """What is answered when nothing more comes than `body`, whatever the headers have announced."""
    host = urlsplit(stack.public_url)
    token = person.headers["Authorization"]
    head = ["POST /api/v1/sync/emails/ HTTP/1.1", f"Host: {host.netloc}", f"Authorization: {token}", *headers]
    about = [f"Idempotency-Key: {key}", "Content-Type: message/rfc822", "", ""]
    with socket.create_connection((host.hostname, stack.facts["port"]), timeout=30) as line:
        line.sendall("\r\n".join([*head, *about]).encode() + body)
        line.shutdown(socket.SHUT_WR)
        return int(line.recv(4_000).split()[1])


@pytest.mark.parametrize("in_chunks", [False, True])
def test_cut_at_half_nothing_is_saved_and_the_repeat_saves_it(
    stack: Stack, alice: AddIn, send: Send, acme: Salesforce, *, in_chunks: bool
) -> None:
    subject, key = f"Cut at half {in_chunks}", str(uuid4())
    raw = mail(subject, text="line\n" * 20_000)
    length = "Transfer-Encoding: chunked" if in_chunks else f"Content-Length: {len(raw)}"
    half = raw[: len(raw) // 2]
    body = b"%x\r\n%s\r\n" % (len(half), half) if in_chunks else half
    assert status_of(stack, alice, body, key, length, f"Content-Digest: {digest_of(raw)}") == 400
    assert not activities(acme, subject)
    assert send(raw, key).json()["saved"] is True
    assert len(activities(acme, subject)) == 1


def test_what_stays_out_says_why(send: Send, charlie: AddIn) -> None:
    """Nobody whom Salesforce knows; no message at all; one that cannot be read."""
    assert send(mail("To nobody", sender="somebody@unheard-of.example")).json()["rule"] == "nobody_found"
    assert send(b"").json()["rule"] == "no_address"
    deep = "".join(f"Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n" for n in range(100))
    assert send(f"From: {NGOZI}\r\n{deep}".encode()).json()["rule"] == "undecipherable"
    assert sender(charlie)(mail("Hers is no contact of Globex'")).json()["saved"] is False


@pytest.fixture
def with_files(alice: AddIn) -> Iterator[None]:
    """Attachments are switched on, and every process has heard of it."""
    for wanted in (True, False):
        values = {"values": {"attach.enabled": wanted}}
        assert alice.call("PATCH", "policy/?level=organization", json=values).status_code == 200
        time.sleep(HEARD)
        if wanted:
            yield


@pytest.mark.usefixtures("with_files")
def test_a_file_goes_along_unless_the_message_is_too_large_to_be_held(send: Send, acme: Salesforce) -> None:
    small, large = b"%PDF" * 1_000, os.urandom(9 * MIB)
    saved = send(mail("With a file", attached=small)).json()
    (file,) = files(acme, "With a file")
    assert (saved["saved"], saved["notes"]) == (True, [])
    assert (file["ContentSize"], file["Checksum"]) == (len(small), hashlib.md5(small).hexdigest())  # noqa: S324
    saved = send(mail("With a large one", attached=large)).json()
    assert saved["saved"] is True
    assert not files(acme, "With a large one")
    assert saved["notes"][0].endswith(": 1.")


def test_bad_requests(stack: Stack, send: Send, alice: AddIn) -> None:
    raw = mail("Never saved")
    for query in ("?provider=yahoo", "?record_ids=x", "?thread_id=", "?thread_id=a%20b", "?unknown=1"):
        assert send(raw, query=query).status_code == 400, query
    assert send(raw, **{"Content-Type": "text/plain"}).status_code == 415
    assert send(raw, **{"Content-Encoding": "gzip"}).status_code == 415
    about = {"Content-Type": "message/rfc822"}
    assert alice.call("POST", "sync/emails/", data=raw, headers=about, fresh=True).status_code == 400
    assert status_of(stack, alice, b"", "k-large", "Content-Length: 150000001") == 413
    assert alice.call("POST", "sync/dry-run/", data=bytes(2 * MIB), headers=about, fresh=True).status_code == 413


def test_memory_does_not_grow_with_the_message(stack: Stack, send: Send) -> None:
    raw = mail("Small enough", attached=b"x")
    assert send(raw).json()["saved"] is True
    before = peaks(stack)
    large = mail("Large", attached=os.urandom(45_000_000))
    assert send(large).json()["saved"] is True
    for pid, peak in peaks(stack).items():
        assert peak - before[pid] < 48 * MIB, f"{peak - before[pid]} bytes"


def peaks(stack: Stack) -> dict[int, int]:
    """Most memory that each web process ever had, in bytes."""
    web = stack.facts["pids"]["web"]
    children = Path(f"/proc/{web}/task/{web}/children").read_text().split()
    return {int(pid): _peak(pid) for pid in children}


def _peak(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except PermissionError:
        pytest.skip("another process' memory is not to be read here")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
