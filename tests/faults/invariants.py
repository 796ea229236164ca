"""I1 to I10 of docs/vault.md as functions: evidence in, sentences about what is violated out. Changes nothing."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from organizations.models import AuditEntry
from organizations.privacy.shapes import shapes_of
from providers.base import Secret
from simulators.ledger import digest
from tests.faults.evidence import Evidence, Stored, digests
from vault import answers, cipher, grants, keys, renewal, revocation
from vault.errors import KeyGone, TokenTampered
from vault.models import Connection, State

#: Between the last byte of an answer and the simulator's note that it was delivered.
_TOLERANCE = 0.05
_LOCAL_END = timedelta(seconds=5)
_VISIBLE = timedelta(seconds=60)
_ENDED = ("connection.disconnected", "connection.needs_reconnect")
_STARTED = ("connection.connected", "token.renewed")
#: Where a grant is ended, which needs no lease and comes after all else.
_ENDS = frozenset({"/services/oauth2/revoke", "/revoke"})
#: Where a provider is asked whether a token works: under a lease like any use, but for a late answer that is weighed.
_ASKS = frozenset({"/services/oauth2/userinfo", "/v1/userinfo", "/v1.0/me"})
#: How an attempt ends whose answer was weighed, since the grant had moved on.
_LATE = (answers.REPLACED, answers.QUARANTINED)


def one_refresh_at_a_time(evidence: Evidence) -> Iterator[str]:
    """I1: no two refreshes of a grant overlap at the provider."""
    by_grant: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in evidence.ledger.refreshes:
        by_grant[entry["grant"] or entry["presented"]].append(entry)
    for calls in by_grant.values():
        for one, other in itertools.pairwise(sorted(calls, key=lambda call: call["began"])):
            if one["ended"] is None or other["began"] < one["ended"] - _TOLERANCE:
                yield f"two refreshes of one grant at the same time, {other['began'] - one['began']:.3f} s apart"


def no_refresh_token_lost(evidence: Evidence) -> Iterator[str]:
    """I2: what the provider considers the newest is stored and opens, or it is on record that an answer was lost, or
    that the grant was let go here and could not be ended there."""
    kept = digests(evidence.stored, "refresh_token")
    seen = {entry["grant"] for entry in (*evidence.ledger.refreshes, *evidence.ledger.uses)}
    missing: dict[str, list[str]] = defaultdict(list)
    for grant in evidence.ledger.grants:
        if grant["grant"] in seen and grant["refresh"] not in kept and not _recorded_lost(evidence, grant["subject"]):
            missing[grant["subject"]].append(grant["grant"])
    for subject, names in missing.items():
        for name in names[_let_go(evidence, subject) :]:
            yield f"the newest refresh token of grant {name} is neither stored nor recorded as lost"


def _let_go(evidence: Evidence, subject: str) -> int:
    """How many grants of this person were wiped without being ended at the provider."""
    ended = (entry for row in _rows(evidence, subject) for entry in evidence.rows_of(row, revocation.REVOKED))
    return sum(entry.result in (revocation.STILL_USED, revocation.NOT_OFFERED) for entry in ended)


def _recorded_lost(evidence: Evidence, subject: str) -> bool:
    return any(_last_is_unknown(evidence, row) for row in _rows(evidence, subject))


def _rows(evidence: Evidence, subject: str) -> list[Connection]:
    """By the provider's id of the person; Microsoft's subject is the tenant's id, a point, and that."""
    mine = {subject, subject[:15]} if subject else set()
    return [row for row in evidence.connections if mine & {row.subject, row.subject.rpartition(".")[2]}]


def _same_person(evidence: Evidence, row: Connection) -> list[Connection]:
    """Who is connected in two organizations has two rows; a ledger knows him once."""
    return [each for each in evidence.connections if (each.provider, each.subject) == (row.provider, row.subject)]


def _last_is_unknown(evidence: Evidence, row: Connection) -> bool:
    """An attempt of the newest generation whose answer nobody has seen: open, unknown, or from before a restore."""
    newest = [a for a in evidence.attempts if a.connection_id == row.pk and a.generation >= row.generation]
    return any(attempt.outcome in ("", answers.UNKNOWN, answers.RESTORED) for attempt in newest)


def no_reuse(evidence: Evidence, expected: int) -> Iterator[str]:
    """I3: as many re-use reports at the provider as lost answers make unavoidable."""
    found = sum(entry["outcome"] == "reuse" for entry in evidence.ledger.refreshes)
    if found != expected:
        yield f"{found} rotated-out refresh tokens were presented, expected {expected}"


def no_secret_in_clear(evidence: Evidence) -> Iterator[str]:
    """I4: raw, hex, UTF-16, URL form or base64, in tables, queue, files and logs."""
    shapes = [(number, shape) for number, secret in enumerate(evidence.secrets) for shape in shapes_of(secret)]
    for name, text in evidence.texts.items():
        found = {number for number, shape in shapes if shape in text}
        if found:
            yield f"{len(found)} secrets in {name}"


def opens_in_its_place_only(evidence: Evidence) -> Iterator[str]:
    """I5: every sealed value opens where it is, and nowhere else; a grant is that of the member whom its row names."""
    for row in evidence.connections:
        newest = evidence.newest(row)
        if newest is not None and newest.opened is not None and newest.token("member") != str(row.member_id):
            yield f"the {newest.where} is another member's than its row says"
    for each in evidence.stored:
        if each.opened is None and not each.quarantined:
            yield f"the {each.where} does not open: {each.error}"
    for one, other in itertools.pairwise(each for each in evidence.stored if each.opened is not None):
        if _opens(one, other) or _opens(other, one):
            yield f"the {one.where} opens in the place of the {other.where}"


def _opens(blob_of: Stored, place_of: Stored) -> bool:
    try:
        key = keys.key_by_id(cipher.key_id_of(blob_of.blob), blob_of.place.organization_id)
        cipher.unseal(blob_of.blob, place_of.place, key)
    except (TokenTampered, KeyGone):
        return False
    return True


def dead_by_verdict_only(evidence: Evidence) -> Iterator[str]:
    """I6: NEEDS_RECONNECT by refusal has a refusal of the newest refresh token behind it; one of an access token is
    no verdict."""
    refused = {e["presented"] for e in evidence.ledger.refreshes if e["outcome"] in ("refused", "reuse")}
    for row in evidence.connections:
        last = _last(evidence.rows_of(row, "connection.needs_reconnect"))
        newest = evidence.newest(row)
        if row.state != State.NEEDS_RECONNECT or newest is None or newest.opened is None:
            continue
        token = newest.token("refresh_token")
        if last is None:
            yield f"connection {row.pk} is dead without an audit row"
        elif last.result == "refused" and token and digest(token) not in refused:
            yield f"connection {row.pk} is dead, but no provider has refused its newest refresh token"


def _last(rows: list[AuditEntry]) -> AuditEntry | None:
    return max(rows, key=lambda row: row.at, default=None)


def ended_means_no_call(evidence: Evidence) -> Iterator[str]:
    """I7: five seconds after a grant was ended here or refused there, nothing is called with it."""
    first_seen = _first_seen(evidence)
    for row in evidence.connections:
        for end in evidence.rows_of(row, *_ENDED):
            until = min((e.at for e in evidence.rows_of(row, *_STARTED) if e.at > end.at), default=evidence.now)
            late = [
                call
                for call in _calls(evidence, row)
                if end.at + _LOCAL_END < call[0] < until and first_seen[call[1]] < end.at
            ]
            if late:
                yield f"{len(late)} calls with connection {row.pk} more than 5 s after {end.action}"


def _calls(evidence: Evidence, row: Connection) -> Iterator[tuple[datetime, str]]:
    """When and with which grant; revocation and asking whether a late answer works are no use of it."""
    for entry in evidence.ledger.refreshes:
        if row in _rows(evidence, entry["subject"]):
            yield _at(entry["began"]), entry["grant"]
    for use in evidence.ledger.uses:
        if row in _rows(evidence, use["subject"]) and not _is_no_use(evidence, row, use):
            yield _at(use["at"]), use["grant"]


def _is_no_use(evidence: Evidence, row: Connection, use: dict[str, Any]) -> bool:
    """It ends the grant, or weighs an answer that came late: between the start of its attempt and the end of it."""
    if use["path"] not in _ASKS:
        return use["path"] in _ENDS
    mine = [a for a in evidence.attempts if a.connection_id == row.pk]
    late = [a for a in mine if a.outcome in _LATE or (a.sealed_answer is not None and a.ended_at is None)]
    return any(a.started_at <= _at(use["at"]) <= (a.ended_at or evidence.now) for a in late)


def _first_seen(evidence: Evidence) -> dict[str, datetime]:
    times: dict[str, datetime] = {}
    seen = [(e["grant"], e["began"]) for e in evidence.ledger.refreshes]
    for grant, at in [*seen, *((use["grant"], use["at"]) for use in evidence.ledger.uses)]:
        times[grant] = min(times.get(grant, _at(at)), _at(at))
    return times


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def every_use_is_audited(evidence: Evidence) -> Iterator[str]:
    """I8: chains verify; each refresh and each use of a token has its row in the audit log."""
    yield from (f"broken audit chain: {each}" for each in evidence.broken_chains)
    names = {digest(secret): grants.fingerprint(Secret(secret)) for secret in evidence.secrets}
    for row in evidence.connections:
        yield from _unaudited_refreshes(evidence, row, names)
        yield from _unaudited(evidence, row, names)


def _unaudited_refreshes(evidence: Evidence, row: Connection, names: dict[str, str]) -> Iterator[str]:
    """More than there are rows that say so, of this very refresh token; in all, where nobody knows it any more.
    A restored database has forgotten those from before."""
    mine = _same_person(evidence, row)
    since = max((_restored_at(evidence, each) for each in mine), default=0.0)
    refreshes = [e for e in evidence.ledger.refreshes if row in _rows(evidence, e["subject"])]
    asked = [entry["presented"] for entry in refreshes if entry["began"] > since]
    told = [entry for each in mine for entry in evidence.rows_of(each, renewal.PRESENTED)]
    written = Counter(str(entry.facts["token"]) for entry in told)
    known = Counter(names[each] for each in asked if each in names)
    if len(asked) > len(told) or known - written:
        yield f"{len(asked)} refreshes of connection {row.pk} at the provider, {len(told)} of them in the audit log"


def _restored_at(evidence: Evidence, row: Connection) -> float:
    restored = [a for a in evidence.attempts if a.connection_id == row.pk and a.outcome == answers.RESTORED]
    return max((attempt.started_at.timestamp() for attempt in restored), default=0.0)


def _unaudited(evidence: Evidence, row: Connection, names: dict[str, str]) -> Iterator[str]:
    """A use without the lease of that very token; of tokens that nobody knows any more, without any lease."""
    told = ("token.leased", "connection.connected", "token.renewed", "token.probed")
    rows = [entry for each in _same_person(evidence, row) for entry in evidence.rows_of(each, *told)]
    given_up = [entry for entry in evidence.entries if entry.action == "connection.refused"]
    recorded = {str(entry.facts.get("token", "")) for entry in (*rows, *given_up)}
    for use in evidence.ledger.uses:
        if row not in _rows(evidence, use["subject"]) or _is_no_use(evidence, row, use):
            continue
        name = names.get(use["access"])
        if (name not in recorded) if name else not rows:
            yield f"a token of connection {row.pk} was used without a lease in the audit log"


def every_process_opens_everything(evidence: Evidence) -> Iterator[str]:
    """I9: all was opened cold, with the key store and the KEK as a process that starts now finds them."""
    for each in evidence.stored:
        if each.error in ("KeyGone", "KekUnusable"):
            yield f"a process that starts now cannot open the {each.where}: {each.error}"


def death_is_visible(evidence: Evidence) -> Iterator[str]:
    """I10: a minute after the provider told us, the connection says so, with a reason."""
    for row in evidence.connections:
        newest = evidence.newest(row)
        told = _told_dead(evidence, newest) if newest else None
        if told is None:
            continue
        last = _last(evidence.rows_of(row, "connection.needs_reconnect"))
        dead_since = last.at if last and row.state == State.NEEDS_RECONNECT and row.reason else evidence.now
        if dead_since > told + _VISIBLE:
            yield f"connection {row.pk} was refused {(dead_since - told).seconds} s before anybody could see it"


def _told_dead(evidence: Evidence, newest: Stored) -> datetime | None:
    """When the refusal of the stored refresh token reached us."""
    presented = digest(newest.token("refresh_token"))
    told = [
        entry["ended"]
        for entry in evidence.ledger.refreshes
        if entry["presented"] == presented and entry["delivered"] and entry["outcome"] in ("refused", "reuse")
    ]
    return _at(min(told)) if told else None


def check(evidence: Evidence, reuses: int = 0) -> list[str]:
    """Every violation, each with the invariant's name."""
    judges: dict[str, Callable[[Evidence], Iterator[str]]] = {
        "I1": one_refresh_at_a_time,
        "I2": no_refresh_token_lost,
        "I3": lambda each: no_reuse(each, reuses),
        "I4": no_secret_in_clear,
        "I5": opens_in_its_place_only,
        "I6": dead_by_verdict_only,
        "I7": ended_means_no_call,
        "I8": every_use_is_audited,
        "I9": every_process_opens_everything,
        "I10": death_is_visible,
    }
    return [f"{name}: {sentence}" for name, judge in judges.items() for sentence in judge(evidence)]
