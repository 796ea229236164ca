"""The audit chain: gapless, tamper-evident to the row, part of the transaction, and free of content."""

import base64
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from organizations import audit
from organizations.models import AuditEntry, AuditHead, Member, Organization

ORGANIZATION = UUID("11111111-1111-4111-8111-111111111111")


def write(count: int, organization: UUID = ORGANIZATION) -> None:
    Organization.objects.get_or_create(pk=organization, defaults={"salesforce_org_id": str(organization)[-18:]})
    more(count, organization)


def more(count: int, organization: UUID = ORGANIZATION) -> None:
    for number in range(count):
        audit.record(organization, "operator", "test.done", f"thing-{number}", number=number, name="Zoë", parts=["a"])


@pytest.mark.django_db
def test_a_whole_chain_verifies() -> None:
    write(20)
    assert audit.verify(ORGANIZATION) is None
    assert list(AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(1, 21))


@pytest.mark.django_db
def test_nothing_is_recorded_of_what_did_not_happen() -> None:
    """The record is in the caller's transaction, and the chain stays whole after a rollback."""
    write(2)
    with transaction.atomic():
        audit.record(ORGANIZATION, "operator", "test.undone")
        transaction.set_rollback(True)
    write(1)
    assert audit.verify(ORGANIZATION) is None
    assert AuditEntry.objects.count() == 3


@pytest.mark.django_db
def test_odd_texts_do_not_break_it() -> None:
    write(1)
    entry = audit.record(ORGANIZATION, "task:\0x", "a" * 500, "\ud800" * 200, text="\0\ud800é" + "x" * 9_000, none=None)
    assert len(entry.action) == 80
    assert audit.verify(ORGANIZATION) is None
    with pytest.raises(TypeError):
        audit.record(ORGANIZATION, "operator", "x", secret=b"bytes")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        audit.record(ORGANIZATION, "operator", "x", ratio=0.5)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_eight_writers_leave_no_gap() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            write(15)
        except BaseException as error:  # noqa: BLE001  a thread's failure must fail the test
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    sequences = list(AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, 121))
    assert audit.verify(ORGANIZATION) is None


def other(value: Any, dice: random.Random) -> Any:
    """Any value but the one that is there."""
    if isinstance(value, bytes | memoryview):
        flipped = bytearray(value)
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
        return bytes(flipped)
    if isinstance(value, dict):
        return {**value, "number": value.get("number", 0) + dice.randint(1, 9)}
    if isinstance(value, str):
        return value[:-1] if value and dice.random() < 0.5 else value + "x"
    return value + timedelta(microseconds=dice.randint(1, 10**6))


def edit(row: AuditEntry, dice: random.Random) -> int:
    name = dice.choice(["at", "actor", "action", "target", "result", "facts", "digest"])
    AuditEntry.objects.filter(pk=row.pk).update(**{name: other(getattr(row, name), dice)})
    return row.sequence


def remove(row: AuditEntry, dice: random.Random) -> int:
    row.delete()
    return row.sequence


def renumber(row: AuditEntry, dice: random.Random) -> int:
    AuditEntry.objects.filter(pk=row.pk).update(sequence=row.sequence + 1_000)
    return row.sequence


def duplicate(row: AuditEntry, dice: random.Random) -> int:
    last = AuditEntry.objects.filter(organization_id=row.organization_id).order_by("-sequence")[0]
    row.pk, row.sequence = None, last.sequence + 1
    row.save(force_insert=True)
    return row.sequence


def swap(row: AuditEntry, dice: random.Random) -> int:
    neighbour = AuditEntry.objects.filter(organization_id=row.organization_id, sequence__gt=row.sequence).first()
    if neighbour is None:
        return edit(row, dice)
    AuditEntry.objects.filter(pk=row.pk).update(target=neighbour.target, facts=neighbour.facts)
    AuditEntry.objects.filter(pk=neighbour.pk).update(target=row.target, facts=row.facts)
    return row.sequence


def cut(row: AuditEntry, dice: random.Random) -> int:
    AuditEntry.objects.filter(organization_id=row.organization_id, sequence__gte=row.sequence).delete()
    return row.sequence


def move(row: AuditEntry, dice: random.Random) -> int:
    AuditEntry.objects.filter(pk=row.pk).update(organization_id=uuid4())
    return row.sequence


TAMPERINGS: list[Callable[[AuditEntry, random.Random], int]] = [
    edit,
    edit,
    edit,
    remove,
    renumber,
    duplicate,
    swap,
    cut,
    move,
]


@pytest.mark.django_db
def test_three_hundred_random_tamperings_are_all_found_at_the_first_bad_row() -> None:
    """G17: 100 % of random edits, with the first bad row named."""
    write(12)
    dice = random.Random(20261121)
    for _ in range(300):
        with transaction.atomic():
            row = AuditEntry.objects.get(organization_id=ORGANIZATION, sequence=dice.randint(1, 12))
            tampering = dice.choice(TAMPERINGS)
            first = tampering(row, dice)
            found = audit.verify(ORGANIZATION)
            assert found is not None, tampering.__name__
            assert found.sequence == first, (tampering.__name__, found)
            transaction.set_rollback(True)
    assert audit.verify(ORGANIZATION) is None


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["sequence", "mac"])
def test_the_head_is_guarded_too(column: str) -> None:
    write(3)
    head = AuditHead.objects.get()
    value = head.sequence + 1 if column == "sequence" else other(getattr(head, column), random.Random(1))
    AuditHead.objects.update(**{column: value})
    assert audit.verify(ORGANIZATION) is not None
    write(1)
    assert (audit.verify(ORGANIZATION) is None) == (column == "sequence")  # rewritten with every row, so mended


@pytest.mark.django_db
@pytest.mark.parametrize("head", ["kept", "moved back", "deleted"])
def test_writing_on_does_not_sign_a_tampering_over(head: str) -> None:
    """Rows cut off the end, the head made to fit as well as one can without the key: work goes on, the break stays."""
    write(5)
    AuditEntry.objects.filter(sequence__gt=3).delete()
    if head == "moved back":
        AuditHead.objects.update(sequence=3)
    elif head == "deleted":
        AuditHead.objects.all().delete()
    write(3)
    found = audit.verify(ORGANIZATION)
    assert found is not None
    assert found.sequence == 4


@pytest.mark.django_db
def test_cutting_off_the_end_and_the_head_is_found() -> None:
    write(5)
    AuditEntry.objects.filter(sequence=5).delete()
    AuditHead.objects.all().delete()
    assert audit.verify(ORGANIZATION) is not None


@pytest.mark.django_db
def test_an_organization_without_its_log_is_found(alice: Member) -> None:
    AuditEntry.objects.filter(organization_id=alice.organization_id).delete()
    AuditHead.objects.filter(organization_id=alice.organization_id).delete()
    assert audit.verify(alice.organization_id) == audit.FirstBad(alice.organization_id, 1, "missing")
    assert audit.verify(uuid4()) is None


@pytest.mark.django_db
def test_another_key_fits_no_row(settings: Any) -> None:
    write(2)
    settings.AUDIT_KEY = "another key that is long enough to pass"
    assert audit.verify(ORGANIZATION) == audit.FirstBad(ORGANIZATION, 1, "changed")


def test_the_key_is_base64_or_text() -> None:
    raw = bytes(range(32))
    assert audit.key_bytes(base64.b64encode(raw).decode()) == raw
    assert (
        audit.key_bytes("a plain text of more than 32 bytes, with spaces")
        == b"a plain text of more than 32 bytes, with spaces"
    )


@pytest.mark.django_db
def test_the_command_names_the_first_bad_row(alice: Member, charlie: Member) -> None:
    told = StringIO()
    call_command("audit_verify", stdout=told)
    assert "2 audit chains are whole" in told.getvalue()
    AuditEntry.objects.filter(organization_id=charlie.organization_id, sequence=2).update(actor="somebody")
    told = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("audit_verify", stdout=told)
    assert failure.value.returncode == 1
    assert told.getvalue() == f"organization {charlie.organization_id}: row 2 changed\n"
    call_command("audit_verify", "--organization", str(alice.organization_id), stdout=StringIO())


@pytest.mark.django_db
def test_a_record_costs_little() -> None:
    """The hash costs microseconds; the statements are what counts, so their number is held."""
    write(1)
    with CaptureQueriesContext(connection) as captured:
        more(1)
    assert len(captured) == 4  # lock, end of chain, row, head
