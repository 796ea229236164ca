"""What became of the mails, against what must have: every copy decided, every record there as often as it must be."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.sync.soak.plan import JUNK, SYNCED, Box, Mail, expected_files, expected_records, token
from tests.sync.soak.way import BOXES, ORGS, Way

_TOKEN = re.compile(r"mail-\d{6}\.")
#: What a mail becomes in each organization's Salesforce.
RECORD = {"acme": "EmailMessage", "globex": "Task"}
_MADE = ("EmailMessage", "EmailMessageRelation", "Task", "ContentVersion")
_DECISIONS = """
SELECT d.id, c.provider, m.salesforce_user_id AS whose, d.message_id, d.outcome, d.rule, d.error_code, d.activity_id
FROM sync_decision d JOIN sync_syncedmailbox b ON b.id = d.mailbox_id JOIN vault_connection c ON c.id = b.connection_id
JOIN organizations_member m ON m.id = b.member_id
"""


@dataclass(frozen=True)
class Outcome:
    copies: int
    decided: int
    records: int
    lost: int
    doubled: int
    wrong: int  # decisions that say something else than they must
    given_up: int  # after eight tries, and had done once more by their person


class Judge:
    """Made before the first mail: what lies in Salesforce then does not count."""

    def __init__(self, way: Way) -> None:
        self._way, self._given_up = way, 0
        self._before = {org: {row["Id"] for name in _MADE for row in way.rows_of(org, name)} for org in ORGS}
        users = {org: way.users(org) for org in ORGS}
        self._users = users
        self._boxes = {(box.provider, users[box.org][box.account]): box for box in BOXES}

    def await_decided(self, seconds: float) -> float:
        """Until every message was looked at and nothing waits. Returns how long it took."""
        began = time.monotonic()
        while not self._is_over() or self._retry_given_up():
            assert time.monotonic() - began < seconds, self._standing()
            time.sleep(0.5)
        return time.monotonic() - began

    def _is_over(self) -> bool:
        with suppress(psycopg.Error):
            waiting = self._way.execute("SELECT count(*) AS n FROM sync_job WHERE state NOT IN ('done', 'dead')")
            return waiting[0]["n"] == 0 and not self._undecided()
        return False

    def _retry_given_up(self) -> bool:
        """What failed eight times in a row is a dead letter, and its person's to retry. Whether there were any."""
        given_up: dict[Box, list[str]] = defaultdict(list)
        for (box, _), row in self._decisions().items():
            if row["rule"] == "gave_up":
                given_up[box].append(str(row["id"]))
        for box, ids in given_up.items():
            self._way.retry(box, ids)
            self._given_up += len(ids)
        return bool(given_up)

    def _undecided(self) -> set[tuple[Box, str]]:
        seen = {key for key, mail in self._way.delivered.items() if _is_told(mail)}
        return seen - self._decisions().keys()

    def _decisions(self) -> dict[tuple[Box, str], dict[str, Any]]:
        rows = self._way.execute(_DECISIONS)
        return {(self._boxes[row["provider"], row["whose"]], row["message_id"]): row for row in rows}

    def _standing(self) -> str:
        jobs = self._way.execute("SELECT state, crashes, tries, file_tries, count(*) FROM sync_job GROUP BY 1, 2, 3, 4")
        boxes = self._way.execute("SELECT parked_for, parked_at_provider, failures FROM sync_syncedmailbox")
        left = Counter(
            (box.provider, box.account, self._way.delivered[box, each].kind) for box, each in self._undecided()
        )
        return f"undecided: {left}; {jobs}; {boxes}"

    # -- the verdict --------------------------------------------------------------------------------------------------

    def judge(self, mails: Sequence[Mail]) -> Outcome:
        """Raises AssertionError with what is wrong, by kind of mail."""
        decisions = self._decisions()
        wrong = self._wrongly_decided(decisions)
        lost, doubled = Counter[str](), Counter[str]()
        for org in ORGS:
            wanted, found = expected_records(mails, org), self._found(org)
            lost += wanted - found
            doubled += found - wanted
        kinds = {token(mail.number): mail.kind for mail in mails}
        told = {"lost": _by_kind(lost, kinds), "doubled": _by_kind(doubled, kinds), "decided wrongly": wrong}
        assert not any(told.values()), told
        self._judge_files(mails)
        self._judge_people(mails)
        records = sum(sum(expected_records(mails, org).values()) for org in ORGS)
        return Outcome(
            len(self._way.delivered),
            len(decisions),
            records,
            lost.total(),
            doubled.total(),
            wrong.total(),
            self._given_up,
        )

    def _wrongly_decided(self, decisions: dict[tuple[Box, str], dict[str, Any]]) -> Counter[tuple[str, ...]]:
        """(Kind, what must have been, outcome, rule, error) of each."""
        wrong: Counter[tuple[str, ...]] = Counter()
        for key, mail in self._way.delivered.items():
            row = decisions.get(key)
            said = row["outcome"] if row else "nothing"
            if said != mail.outcome and (row is not None or _is_told(mail)):
                wrong[mail.kind, mail.outcome, said, row["rule"] if row else "", row["error_code"] if row else ""] += 1
        return wrong

    def _found(self, org: str) -> Counter[str]:
        """Records that were made meanwhile, by their mail's token; one that has none under its own id."""
        return Counter(_token_of(row) or row["Id"] for row in self._new(org, RECORD[org]))

    def _new(self, org: str, name: str) -> list[dict[str, Any]]:
        return [row for row in self._way.rows_of(org, name) if row["Id"] not in self._before[org]]

    def _judge_files(self, mails: Sequence[Mail]) -> None:
        for org in ORGS:
            found = Counter(row["PathOnClient"] for row in self._new(org, "ContentVersion"))
            wanted = expected_files(mails, org)
            assert wanted == found, {
                "files lost": wanted - found,
                "what is said of their mails": self._said_of(wanted - found),
                "doubled": found - wanted,
            }

    def _said_of(self, files: Counter[str]) -> Counter[tuple[str, ...]]:
        """(Outcome, rule, error) of each copy that has one of these."""
        decisions = self._decisions()
        rows = [decisions.get(key, {}) for key, mail in self._way.delivered.items() if files.keys() & set(mail.files)]
        return Counter(tuple(str(row.get(name)) for name in ("outcome", "rule", "error_code")) for row in rows)

    def _judge_people(self, mails: Sequence[Mail]) -> None:
        """Each record names whom it must, and every member who has the mail once, and nobody else; one of these members
        has written it, and owns it."""
        wanted = {token(mail.number): mail for mail in mails if mail.outcome == SYNCED}
        relations = self._new("acme", "EmailMessageRelation")
        named = Counter((row["EmailMessageId"], row["RelationId"]) for row in relations if row.get("RelationId"))
        assert set(named.values()) == {1}, "somebody stands twice on a mail"
        missing, strangers = Counter[tuple[str, str]](), Counter[str]()
        for row in self._new("acme", RECORD["acme"]):
            mail = wanted[_token_of(row)]
            those = {"person": mail.person_id} | {each: self._users["acme"][each] for each in mail.colleagues}
            there = {who for email, who in named if email == row["Id"]} | {row["CreatedById"]}
            missing.update((mail.kind, who) for who, record in those.items() if record not in there)
            strangers.update(mail.kind for who in there if who not in those.values())
        assert not missing, missing
        assert not strangers, strangers
        for row in self._new("globex", RECORD["globex"]):
            mail = wanted[_token_of(row)]
            assert row["WhoId"] == mail.person_id
            assert row["OwnerId"] == row["CreatedById"]
            assert row["OwnerId"] in {self._users["globex"][each] for each in mail.colleagues}


def _by_kind(tokens: Counter[str], kinds: Mapping[str, str]) -> Counter[str]:
    return Counter(kinds.get(each, "of no mail of ours") for each in tokens.elements())


def _token_of(row: dict[str, Any]) -> str:
    found = _TOKEN.search(str(row.get("Subject")))
    return found[0] if found else ""


def _is_told(mail: Mail) -> bool:
    """Graph tells of chosen folders only, and no listing names junk: that may be seen or not."""
    return mail.folder != JUNK
