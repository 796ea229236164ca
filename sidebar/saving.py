"""Saving an email once per key, and what a repeat of that is told: codes and ids, nothing of the email."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from organizations.models import Member
from sidebar import idempotency
from sidebar.bulkhead import bulkhead
from sync.asked import Saved, Whence, log_email_now, log_letter_now
from sync.letters import Letter, Undecipherable
from sync.reasons import Note, Outcome, Rule, Verdict, say_note, say_ranked, verdict

_ROUTE = "emails.log"
#: With its attachments, as long as the entry in the ledger is held for it (sync.holds.LONGEST).
_LONGEST = timedelta(minutes=15)


class Body(NamedTuple):
    """`sha256`: of all of it. `whole`: its bytes, () where they are gone."""

    sha256: bytes
    whole: tuple[bytes, ...]


def save_fetched(member: Member, wanted: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """One that the person's mailbox gives. `wanted`: as AskedRequest makes it; the answer: as AskedShape has it.

    Raises Transient where too many wait for Salesforce already."""

    def write() -> idempotency.Ids:
        with bulkhead.waiting(str(member.organization_id)):
            return _kept(log_email_now(member, wanted["provider"], wanted["message_id"], chosen=wanted["record_ids"]))

    return _told(idempotency.once(member, _ROUTE, key, wanted, write, longest=_LONGEST))


def save_handed(
    member: Member,
    letter: Letter | Undecipherable,
    body: Body,
    query: Mapping[str, str],
    key: str | None,
) -> dict[str, Any]:
    """One that was handed over, and read to its end. `query`: as HandedQuery makes it."""

    def write() -> idempotency.Ids:
        if isinstance(letter, Undecipherable):
            return _kept(Saved(verdict(Rule.UNDECIPHERABLE, code=letter.code)))
        whence = Whence(query.get("provider", ""), query.get("thread_id", ""))
        chosen = list(filter(None, query.get("record_ids", "").split(",")))
        return _kept(log_letter_now(member, letter, whence, chosen=chosen, whole=body.whole))

    said = {**query, "sha256": body.sha256.hex()}
    return _told(idempotency.once(member, _ROUTE, key, said, write, longest=_LONGEST))


def _kept(saved: Saved) -> idempotency.Ids:
    return {
        "rule": saved.verdict.rule.value,
        "values": json.dumps(dict(saved.verdict.values)),
        "activity_id": saved.activity_id,
        "record_ids": " ".join(saved.person_ids),
        "asked_why": json.dumps(dict(saved.asked_why)),
        "notes": json.dumps(dict(saved.notes)),
    }


def _told(kept: idempotency.Ids) -> dict[str, Any]:
    decided = Verdict(Rule(kept["rule"]), json.loads(kept["values"]))
    notes: dict[str, int] = json.loads(kept["notes"])
    why: dict[str, list[str]] = json.loads(kept["asked_why"])
    return {
        "saved": decided.outcome is Outcome.SYNCED,
        "outcome": decided.outcome.value,
        "rule": decided.rule.value,
        "sentence": decided.sentence,
        "activity_id": kept["activity_id"],
        "record_ids": kept["record_ids"].split(),
        "asked_why": {id_: sentences for id_, codes in why.items() if (sentences := say_ranked(codes))},
        "notes": [say_note(Note(note), count) for note, count in sorted(notes.items())],
    }
