"""A running product with several synced mailboxes, whose mail arrives while everything around it fails."""

import base64
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import requests
from psycopg.rows import dict_row

from tests.journeys.people import AddIn, Salesforce, sign_in_anew
from tests.journeys.test_connecting import Accounts, connect
from tests.running import Stack
from tests.sync.soak.plan import Box, Mail, People
from tests.tracking.asking import await_true

ORGS = ("acme", "globex")
BOXES = (
    Box("google", "alice", "acme"),
    Box("microsoft", "alice", "acme"),
    Box("google", "bob", "acme"),
    Box("microsoft", "erin", "acme"),
    Box("google", "charlie", "globex"),
    Box("microsoft", "gina", "globex"),
)
#: People whom everybody of the organization may see.
_KNOWN = {
    "acme": (
        "zoe.vanderberg@northwind.example",
        "kenji.watanabe@kestrel-labs.example",
        "ngozi.okafor@savannah-foods.example",
        "elodie.lefevre@atelier-lumiere.example",
        "d.volkov@aurora-hydro.example",
        "aisha.rahman@delta-textiles.example",
    ),
    "globex": (
        "priya.raman@kestrel-labs.example",
        "hank.scorpio@cypress-creek.example",
        "meiling.chen@jade-mountain.example",
        "jane.doe@northwind.example",
    ),
}
_SHARED = {"acme": "robert.fischer@helvetia-bau.example"}
#: Where the providers' work is asked for. Renewals of tokens have a soak of their own (tests/faults).
_PATHS = {"google": ("/gmail/", "/batch"), "microsoft": ("/v1.0/",), "salesforce": ("/services/data/",)}
#: Not carried out; carried out, and the answer lost. One after the other equally often.
_FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 503, "body": "<html><body>Service Unavailable</body></html>"},
    {"status": 500, "body": {"error": "internal"}},
    {"status": 502, "body": "<html><body>Bad Gateway</body></html>", "is_late": True},
    {"cut_after": 0},
    {"cut_after": 40},
)
_FOR_EVER = 1_000_000_000


class Way:
    """`delivered`: (mailbox, the provider's id) -> the mail."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack, self._random = stack, random.Random(seed)
        self.delivered: dict[tuple[Box, str], Mail] = {}
        self.providers = {name: Accounts(stack, name) for name in ("google", "microsoft")}
        self.salesforces = {org: Salesforce(stack, org) for org in ORGS}
        self.failed = Counter[str]()  # requests that failed since the faults wanted it, by provider
        self._members: dict[tuple[str, str], AddIn] = {}

    # -- before -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Everybody's mailbox is connected, and followed."""
        for desk in self.salesforces.values():
            desk.desk("limits", {"max": 10_000_000})
        for box in BOXES:
            key = (box.org, box.account)
            self._members.setdefault(key, sign_in_anew(self.stack, *key))
        for member in self._members.values():
            _switch_on(member, "member", "email.sync.enabled")
        for administrator in (("acme", "alice"), ("globex", "charlie")):
            _switch_on(self._members[administrator], "organization", "attach.enabled")
        time.sleep(2)  # every process has heard of it
        for box in BOXES:
            connect(self._members[box.org, box.account], box.provider, box.account)
            if box.provider == "google":
                self.desk(box, "quota", {"units": 0})
        await_true(lambda: self._count("is_on") == len(BOXES), 90)
        with self.hurried():
            await_true(lambda: self._count("is_on AND polled_at IS NOT NULL") == len(BOXES), 120)

    def people(self) -> dict[str, People]:
        found = {org: self._people_of(org) for org in ORGS}
        return {org: People({each: found[org][each] for each in _KNOWN[org]}, _SHARED.get(org, "")) for org in ORGS}

    def _people_of(self, org: str) -> dict[str, str]:
        """Address -> the one record that has it; those that several have are missing."""
        rows = [row for name in ("Contact", "Lead") for row in self.rows_of(org, name)]
        ids = defaultdict(list)
        for row in rows:
            ids[str(row.get("Email")).lower()].append(str(row["Id"]))
        return {address: found[0] for address, found in ids.items() if len(found) == 1}

    # -- meanwhile ----------------------------------------------------------------------------------------------------

    def desk(self, box: Box, word: str, body: Mapping[str, Any]) -> Any:
        accounts = self.providers[box.provider]
        answer = accounts.session.post(f"{accounts.url}/_sim/mail/{box.account}/{word}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def deliver(self, mails: Sequence[Mail]) -> None:
        """Each copy into its mailbox, in their order."""
        copies: dict[Box, list[Mail]] = defaultdict(list)
        for mail in mails:
            for box in mail.places:
                copies[box].append(mail)
        for box, theirs in copies.items():
            told = [{"raw": base64.b64encode(each.raw).decode(), "folder": each.folder} for each in theirs]
            ids = self.desk(box, "deliver", {"messages": told})["ids"]
            self.delivered |= {(box, each): mail for each, mail in zip(ids, theirs, strict=True)}

    def arrive(self, mails: Sequence[Mail], seconds: float) -> None:
        """All of them within about so long, with what providers do meanwhile."""
        parts = [mails[at : at + 40] for at in range(0, len(mails), 40)]
        began = time.monotonic()
        for number, part in enumerate(parts):
            self.deliver(part)
            self._misbehave()
            time.sleep(max(0.0, began + seconds * (number + 1) / len(parts) - time.monotonic()))

    def _misbehave(self) -> None:
        """Pages are told again; somebody is throttled."""
        box = self._random.choice(BOXES)
        self.desk(box, "repeat", {"times": 2})
        if self._random.random() < 0.2:
            self.desk(self._random.choice(BOXES), "throttle", {"times": 1, "seconds": 1})

    def expire_cursors(self) -> None:
        for box in BOXES:
            self.desk(box, "expire", {})

    @contextmanager
    def failing(self, share: float) -> Iterator[None]:
        """So many of all requests to the three providers fail, until the end of the block."""
        for _, url, session, paths in self._desks():
            for path in paths:
                made = [{**each, "path": path, "share": share / len(_FAULTS), "times": _FOR_EVER} for each in _FAULTS]
                assert session.post(f"{url}/_sim/faults", json={"faults": made}, timeout=30).ok
        try:
            yield
        finally:
            for name, url, session, _ in self._desks():
                self.failed[name] += self._failed(url, session)
                assert session.post(f"{url}/_sim/reset", json={"only": ["faults"]}, timeout=30).ok

    def _desks(self) -> Iterator[tuple[str, str, requests.Session, tuple[str, ...]]]:
        for name, accounts in self.providers.items():
            yield name, accounts.url, accounts.session, _PATHS[name]
        for org, desk in self.salesforces.items():
            yield f"salesforce of {org}", desk.url, desk.session, _PATHS["salesforce"]

    @staticmethod
    def _failed(url: str, session: requests.Session) -> int:
        found = session.get(f"{url}/_sim/faults", timeout=30).json()["faults"]
        return sum(_FOR_EVER - each["times"] for each in found)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        """Nobody waits five minutes for the next look: its time has come, again and again."""
        is_over = threading.Event()

        def hurry() -> None:
            while not is_over.wait(1.0):
                with suppress(psycopg.Error):
                    self.execute("UPDATE sync_syncedmailbox SET poll_at = now() WHERE is_on")

        thread = threading.Thread(target=hurry, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def retry(self, box: Box, decision_ids: Sequence[str]) -> None:
        """As its person does with what was given up."""
        member = sign_in_anew(self.stack, box.org, box.account)
        answer = member.call("POST", "sync/decisions/retry/", json={"ids": list(decision_ids)})
        assert answer.status_code == 200, answer.text

    # -- what there is ------------------------------------------------------------------------------------------------

    def rows_of(self, org: str, name: str) -> list[dict[str, Any]]:
        """All records of an object, without the deleted ones."""
        desk = self.salesforces[org]
        found = desk.session.get(f"{desk.url}/_sim/state", params={"object": name}, timeout=120).json()
        return [row for row in found["records"].get(name, []) if not row.get("IsDeleted")]

    def users(self, org: str) -> dict[str, str]:
        """Key -> id in Salesforce."""
        desk = self.salesforces[org]
        found = desk.session.get(f"{desk.url}/_sim/state", params={"object": "User"}, timeout=120).json()
        return {each["key"]: each["id"] for each in found["users"]}

    def _count(self, condition: str) -> int:
        return int(self.execute(f"SELECT count(*) AS n FROM sync_syncedmailbox WHERE {condition}")[0]["n"])  # noqa: S608

    def execute(self, statement: str) -> list[dict[str, Any]]:
        url = self.stack.facts["database_url"]
        with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5) as database:
            cursor = database.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def _switch_on(member: AddIn, level: str, key: str) -> None:
    answer = member.call("PATCH", f"policy/?level={level}", json={"values": {key: True}})
    assert answer.status_code == 200, answer.text
