"""Carries a correction's steps out at Salesforce, one by one. Every step may be repeated: whoever dies over one leaves
it to the next, which finds what was done already."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from organizations.models import Member
from providers.activities import Activities, Logged, Removed
from providers.errors import NeedsReconnect, NotFound, ProviderError
from sync import corrections, holds, parking, policies, retries
from sync.corrections import Action, Result
from sync.models import Correction, CorrectionStep, Decision, NotedMail
from sync.retries import SALESFORCE, Answer, Ruling
from vault import clients
from vault.errors import ConnectRequired, VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.correct"
#: Seconds of one turn, as work.SLICE.
SLICE = 2.0


class _Nobody(Exception):
    """Nobody who may change this activity is connected to Salesforce."""


def proceed(correction_id: UUID) -> bool:
    """One turn. Whether there is more to do now."""
    until = time.monotonic() + SLICE
    while (step := corrections.claim(correction_id)) is not None:
        if not _tried(step):
            return False
        if time.monotonic() >= until:
            return True
    corrections.end_whole(correction_id)
    return False


def _tried(step: CorrectionStep) -> bool:
    """Whether the next one may be tried at once."""
    if corrections.is_worn_out(step):
        return corrections.end(step, Result.GAVE_UP)
    with holds.beating(lambda: corrections.prolong(step)):
        try:
            result = _carried_out(step)
        except _Nobody:
            result = Result.NOBODY
        except Exception as error:  # noqa: BLE001  whatever one step brings about is no end of the others
            return _failed(step, error)
    corrections.end(step, result)
    return True


def _failed(step: CorrectionStep, error: Exception) -> bool:
    """The name of an error and no more: its text may quote what it met."""
    is_known = isinstance(error, ProviderError | VaultError)
    log.log(logging.INFO if is_known else logging.ERROR, "a correction was not carried out: %s", type(error).__name__)
    ruling = retries.rule(error, SALESFORCE)
    if ruling.answer is Answer.GIVE_UP:
        return corrections.end(step, Result.REFUSED, ruling.error_code)
    return _put_off(step, ruling)


def _put_off(step: CorrectionStep, ruling: Ruling) -> bool:
    if ruling.answer is Answer.PAUSE:
        parking.pause(step.correction.organization_id, ruling)
    is_ours = ruling.answer is Answer.RETRY
    corrections.put_off(step, retries.back_off(step.tries, ruling.wait) if is_ours else ruling.wait, counts=is_ours)
    return is_ours


def _carried_out(step: CorrectionStep) -> Result:
    hand, is_writers = _hand(step)
    logged = Logged(step.entry.object_name, step.entry.salesforce_id)
    if step.action == Action.LEAVE:
        return _left(hand, logged, step.correction)
    if step.action == Action.MOVE:
        return _moved(hand, logged, step)
    return _deleted(hand, logged, step, is_writers=is_writers)


def _left(hand: Activities, logged: Logged, correction: Correction) -> Result:
    if correction.asked_by is not None:
        hand.unlink(logged, correction.asked_by.salesforce_user_id)
    return Result.LEFT


def _moved(hand: Activities, logged: Logged, step: CorrectionStep) -> Result:
    try:
        left_out = hand.move(logged, step.entry.key, step.former_ids, step.correction.person_ids)
    except NotFound:
        return Result.NOT_SEEN
    return Result.NO_PLACE if left_out else Result.MOVED


def _deleted(hand: Activities, logged: Logged, step: CorrectionStep, *, is_writers: bool) -> Result:
    """What its writer does not see is gone; what another does not see may well be there."""
    notes = NotedMail.objects.filter(
        organization_id=step.entry.organization_id, message_mark=bytes(step.entry.message_mark)
    )
    beside = tuple(row.beside_id for row in notes if row.beside_id)
    whole = Logged(logged.object, logged.id, others=beside)
    removed = hand.take_back(whole, step.entry.key, _known(step, [row.noted_at for row in notes if row.noted_at]))
    if removed is Removed.GONE and not is_writers and step.tries == 1:
        return Result.NOT_SEEN
    return Result(removed.value)


def _known(step: CorrectionStep, noted: Sequence[datetime]) -> list[datetime]:
    """When we wrote to it: as each copy of it came, as it was moved, as its opens were noted."""
    entry = step.entry
    looks = Decision.objects.filter(organization_id=entry.organization_id, activity_id=entry.salesforce_id)
    moves = CorrectionStep.objects.filter(entry=entry, result=Result.MOVED).values_list("ended_at", flat=True)
    moments = [entry.written_at, *looks.values_list("decided_at", flat=True), *moves, *noted]
    return [each for each in moments if each is not None]


# -- in whose name ----------------------------------------------------------------------------------------------------


def _hand(step: CorrectionStep) -> tuple[Activities, bool]:
    """Whoever asks, with his own rights; for an administrator, as long as he is one, the writer while he is connected.
    With whether it is the writer. Raises _Nobody, and what `vault.clients` does."""
    writer = step.entry.mailbox.member if step.entry.mailbox else None
    asks, is_for_all = step.correction.asked_by, step.correction.is_for_all
    if is_for_all and (asks is None or not asks.is_active or not asks.is_administrator):
        raise _Nobody
    for member in [writer, asks] if is_for_all else [asks]:
        if member is not None and member.is_active and (hand := _hand_of(member)) is not None:
            return hand, member == writer
    raise _Nobody


def _hand_of(member: Member) -> Activities | None:
    try:
        connection = clients.salesforce_connection_of(member)
        return clients.activities_for(connection, PURPOSE, prefers_task=policies.prefers_task(member))
    except (ConnectRequired, NeedsReconnect):
        return None
