"""Mails with large attachments at both simulated providers, and whether the attachments arrive at the simulated
Salesforce: once, and as they were sent. Nothing here holds a whole attachment but for its digest."""

import hashlib
from typing import Any
from uuid import uuid4

import requests

from simulators.mail.messages import attachment
from tests.journeys.people import Salesforce, sign_in_anew
from tests.journeys.test_email_sync import Mailbox, until
from tests.running import Stack

PROVIDERS = ("google", "microsoft")
MIB = 1024 * 1024
#: Where whole messages are read, one by one.
_MESSAGES = {"google": "/gmail/v1/users/me/messages/", "microsoft": "/v1.0/me/messages/"}


class Transfers:
    """Of one stack of its own: attachments are switched on for its first organization."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.acme = stack, Salesforce(stack, "acme")
        self.mailboxes = {name: Mailbox(stack, name) for name in PROVIDERS}
        self._seed = 0

    def begin(self) -> None:
        admin = sign_in_anew(self.stack, "acme", "alice")
        on = {"values": {"attach.enabled": True}}
        assert admin.call("PATCH", "policy/?level=organization", json=on).status_code == 200
        for each in self.mailboxes.values():
            each.begin()
        any_of_them = self.mailboxes["google"]
        any_of_them.enqueue("follow_settings")
        until(lambda: len(any_of_them.rows("SELECT 1 FROM sync_syncedmailbox WHERE is_on")) == len(PROVIDERS))
        any_of_them.look()
        until(lambda: all(each.is_followed() for each in self.mailboxes.values()))
        quota = f"{any_of_them.accounts.url}/_sim/mail/{any_of_them.user}/quota"
        assert any_of_them.accounts.session.post(quota, json={"units": 0}, timeout=30).ok

    def sign_in_again(self) -> None:
        """An access token lives ten minutes."""
        for each in self.mailboxes.values():
            each.person = sign_in_anew(self.stack, "acme", each.user)

    def deliver(self, provider: str, size: int, folder: str = "inbox") -> "Sent":
        """A mail with an attachment of `size` bytes that nobody sent before."""
        self._seed += 1
        mailbox = self.mailboxes[provider]
        body = {"messages": [{"attachment": {"size": size, "seed": self._seed}, "folder": folder}]}
        url = f"{mailbox.accounts.url}/_sim/mail/{mailbox.user}/deliver"
        answer = mailbox.accounts.session.post(url, json=body, timeout=30)
        assert answer.ok, answer.text
        return Sent(self, provider, str(answer.json()["ids"][0]), self._seed, size)

    def look(self) -> None:
        self.mailboxes["google"].look()

    def hurry(self) -> None:
        """What waits for another try has waited."""
        rows = self.mailboxes["google"].rows
        rows("UPDATE sync_syncedmailbox SET parked_until = NULL, hinted_at = NULL")
        rows("UPDATE sync_job SET next_at = now() WHERE state = 'due'")
        for row in rows("SELECT id FROM sync_syncedmailbox WHERE is_on"):
            self.mailboxes["google"].enqueue("work", str(row["id"]))

    def log_now(self, sent: "Sent") -> requests.Response:
        """Asked for by its person: fetched and written by the web process."""
        person = self.mailboxes[sent.provider].person
        body = {"provider": sent.provider, "message_id": sent.message_id}
        url, headers = f"{person.url}/api/v1/sync/emails/", {**person.headers, "Idempotency-Key": str(uuid4())}
        return requests.post(url, json=body, headers=headers, timeout=600)

    def cut_at_provider(self, provider: str, size: int) -> None:
        """Of the next message the second answer, in which its attachment is read, breaks off half way."""
        fault = {"path": _MESSAGES[provider], "skip": 1, "cut_after": size * 2 // 3}
        accounts = self.mailboxes[provider].accounts
        assert accounts.session.post(f"{accounts.url}/_sim/faults", json=fault, timeout=30).ok

    def cut_at_salesforce(self, provider: str, size: int) -> None:
        """The next upload's connection breaks off half way."""
        self.acme.desk("uploads", {"cut_after": size // 2})

    def records(self, kind: str) -> list[dict[str, Any]]:
        answer = self.acme.session.get(f"{self.acme.url}/_sim/state", params={"object": kind}, timeout=60)
        return list(answer.json()["records"][kind])


class Sent:
    """One of these mails. Its subject and the name of its file say its seed."""

    def __init__(self, transfers: Transfers, provider: str, message_id: str, seed: int, size: int) -> None:
        self.transfers, self.provider, self.message_id, self.size = transfers, provider, message_id, size
        self._seed = seed

    def rule(self) -> str:
        """By which it was decided, "" where nobody has looked yet."""
        query = "SELECT rule FROM sync_decision WHERE message_id = %s"
        found = self.transfers.mailboxes[self.provider].rows(query, self.message_id)
        return str(found[0]["rule"]) if found else ""

    def tries(self) -> int:
        query = "SELECT tries + file_tries AS tries FROM sync_job WHERE message_id = %s"
        found = self.transfers.mailboxes[self.provider].rows(query, self.message_id)
        return int(found[0]["tries"]) if found else 0

    def files(self) -> list[dict[str, Any]]:
        name = f"drawings-{self._seed}.bin"
        return [row for row in self.transfers.records("ContentVersion") if row["PathOnClient"] == name]

    def activities(self) -> list[dict[str, Any]]:
        subject = f"Drawings, part {self._seed}"
        return [row for row in self.transfers.records("EmailMessage") if row["Subject"] == subject]

    def has_arrived(self) -> bool:
        """The mail once, its attachment once, and of that each bit."""
        files = self.files()
        if len(files) != 1 or len(self.activities()) != 1:
            return False
        return (files[0]["ContentSize"], files[0]["_sha256"]) == (self.size, self.sha256())

    def is_without_file(self) -> bool:
        kinds = ("ContentVersion", "ContentDocument")
        title = f"drawings-{self._seed}"
        return not any(str(row["Title"]).startswith(f"{title}.") for k in kinds for row in self.transfers.records(k))

    def sha256(self) -> str:
        digest, left = hashlib.sha256(), self.size
        block = attachment(min(left, 57 * 4096), self._seed)
        while left > 0:
            digest.update(block[:left])
            left -= len(block)
        return digest.hexdigest()
