"""Keys of mails and who may write one (sync.md 2)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from sync import ledger, mailboxes
from sync.ledger import Identity, InOtherHands, Joined, Marks, Written
from sync.models import LedgerEntry, Pepper
from tests.organizations import people
from tests.sync.conftest import Office, Post
from vault import keys, rotation
from vault.errors import KeyGone
from vault.models import DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

MAIL = Identity("<a@x.example>", "Jane <jane@x.example>", "Sun, 22 Nov 2026 10:00:00 +0000", "Offer", "17a")
MARKS = Marks(b"p" * 32)


def test_a_key_is_an_external_id() -> None:
    key = MARKS.key(MAIL, "EmailMessage")
    assert len(key) == 52
    assert key.isalnum()
    assert key == Marks(b"p" * 32).key(MAIL, "EmailMessage")


def test_everything_that_tells_mails_apart_is_in_the_key() -> None:
    mailbox = uuid4()
    found = {
        MARKS.key(MAIL, "EmailMessage"),
        Marks(b"q" * 32).key(MAIL, "EmailMessage"),
        MARKS.key(MAIL, "Task"),
        MARKS.key(MAIL, "Task", "003000000000001AAA"),
        MARKS.key(MAIL, "EmailMessage", mailbox_id=mailbox),
        MARKS.key(MAIL, "EmailMessage", mailbox_id=uuid4()),
        *(MARKS.key(_but(MAIL, name), "EmailMessage") for name in ("message_id", "sender", "date", "subject")),
    }
    assert len(found) == 10
    assert MARKS.key(_but(MAIL, "provider_id"), "Task") == MARKS.key(MAIL, "Task")


def _but(mail: Identity, name: str) -> Identity:
    values = {field: getattr(mail, field) for field in ("message_id", "sender", "date", "subject", "provider_id")}
    return Identity(**{**values, name: "other"})


def test_without_a_message_id_the_providers_own_stands_in() -> None:
    nameless = [Identity("", MAIL.sender, MAIL.date, MAIL.subject, each) for each in ("17a", "17b", "<a@x.example>")]
    assert len({MARKS.key(each, "Task") for each in [MAIL, *nameless]}) == 4
    assert MARKS.of_message(MAIL) == MARKS.of_message_id("<a@x.example>")


@given(st.lists(st.text(), min_size=5, max_size=5), st.lists(st.text(), min_size=5, max_size=5))
def test_no_two_mails_share_a_key(one: list[str], other: list[str]) -> None:
    """Whatever stands in their headers: fields are framed, not joined."""
    mails = [Identity(*one), Identity(*other)]
    same = (mails[0].known_as, *one[1:4]) == (mails[1].known_as, *other[1:4])
    assert (MARKS.key(mails[0], "Task") == MARKS.key(mails[1], "Task")) is same


def test_an_organizations_key_is_its_own_sealed_and_made_once() -> None:
    alice, _, charlie = people.everybody()
    mine = ledger.marks_of(alice.organization_id).of_message(MAIL)
    assert ledger.marks_of(charlie.organization_id).of_message(MAIL) != mine
    ledger.forget_peppers()
    assert ledger.marks_of(alice.organization_id).of_message(MAIL) == mine
    assert Pepper.objects.count() == 2
    assert ledger._made(alice.organization_id).pk == Pepper.objects.get(organization=alice.organization).pk


def test_it_outlives_new_data_keys_and_goes_with_the_organizations_key() -> None:
    keys.verify_kek()
    alice, *_ = people.everybody()
    mine = ledger.marks_of(alice.organization_id).of_message(MAIL)
    rotation.new_data_keys()
    rotation.reseal()
    DataKey.objects.using("keys").filter(is_primary=False).delete()
    keys.forget_all()
    ledger.forget_peppers()
    assert ledger.marks_of(alice.organization_id).of_message(MAIL) == mine
    keys.shred(alice.organization_id)
    ledger.forget_peppers()
    with pytest.raises(KeyGone):
        ledger.marks_of(alice.organization_id)


def claim(alice: Post, lease: UUID, key: str = "K") -> ledger.Entry:
    whose = (alice.member.organization_id, alice.mailbox.pk)
    return ledger.claim(*whose, key, "Task", lease, message_mark=b"m" * 32)


def test_one_writer_at_a_time(alice: Post) -> None:
    one, other = uuid4(), uuid4()
    mine = claim(alice, one)
    assert mine.is_mine
    assert not mine.is_repeat
    assert claim(alice, one) == replace(mine, is_repeat=True)
    with pytest.raises(InOtherHands):
        claim(alice, other)
    ledger.let_go(one)
    assert claim(alice, other).is_mine
    LedgerEntry.objects.update(claimed_until=Now())
    assert claim(alice, one).id == mine.id


def of_bob(office: Office, lease: UUID) -> ledger.Entry:
    whose = (office.bob.member.organization_id, office.bob.mailbox.pk)
    return ledger.claim(*whose, "K", "Task", lease, message_mark=b"m" * 32)


def held_until(ago: timedelta) -> None:
    LedgerEntry.objects.exclude(written_at=None).update(written_at=Now() - ago)
    LedgerEntry.objects.exclude(claimed_until=None).update(claimed_until=Now() - ago)


@pytest.mark.parametrize("is_killed", [True, False])
def test_what_may_have_been_written_is_its_writers_to_try_again(office: Office, is_killed: bool) -> None:
    """A colleague may have it kept in another form, and would look for it there alone."""
    lease = uuid4()
    mine = claim(office.alice, lease)
    if is_killed:
        held_until(timedelta(seconds=1))
    else:
        ledger.release(lease)
    with pytest.raises(InOtherHands):
        of_bob(office, uuid4())
    again = claim(office.alice, lease := uuid4())
    assert (again.id, again.is_mine, again.is_repeat) == (mine.id, True, True)
    ledger.let_go(lease)  # this try has written nothing, but the first may have
    held_until(ledger.FIRST_WRITERS - timedelta(minutes=1))
    with pytest.raises(InOtherHands):
        of_bob(office, uuid4())
    held_until(ledger.FIRST_WRITERS + timedelta(minutes=1))
    taken = of_bob(office, lease := uuid4())
    assert (taken.id, taken.is_mine, taken.is_repeat) == (mine.id, True, True)
    ledger.release(lease)
    with pytest.raises(InOtherHands):
        claim(office.alice, uuid4())  # he may have written it by now, and has it


def test_whoever_has_certainly_written_nothing_is_not_waited_for(office: Office) -> None:
    mine = claim(office.alice, lease := uuid4())
    ledger.let_go(lease)
    taken = of_bob(office, uuid4())
    assert (taken.id, taken.is_mine) == (mine.id, True)
    assert LedgerEntry.objects.get().mailbox_id == office.bob.mailbox.pk


def test_a_mailbox_that_is_switched_off_is_not_waited_for(office: Office) -> None:
    claim(office.alice, lease := uuid4())
    ledger.release(lease)
    mailboxes.switch_off(office.alice.mailbox.connection_id)
    assert of_bob(office, uuid4()).is_mine


def test_somebody_without_a_synced_mailbox_is_waited_for_less_long(office: Office) -> None:
    def by_hand() -> ledger.Entry:
        key, mark = "K", b"m" * 32
        return ledger.claim(office.alice.member.organization_id, None, key, "Task", uuid4(), message_mark=mark)

    by_hand()
    held_until(timedelta(seconds=1))
    with pytest.raises(InOtherHands):
        of_bob(office, uuid4())
    assert by_hand().is_mine
    held_until(ledger.ASKERS + timedelta(minutes=1))
    assert of_bob(office, uuid4()).is_mine


def test_who_meets_it_in_other_hands_looks_again_less_and_less_often(office: Office) -> None:
    def wait() -> float:
        with pytest.raises(InOtherHands) as raised:
            of_bob(office, uuid4())
        return raised.value.retry_after

    claim(office.alice, uuid4())
    waits = [wait()]
    for minutes in (10, 60):
        LedgerEntry.objects.update(created_at=Now() - timedelta(minutes=minutes))
        waits.append(wait())
    assert waits == [5.0, pytest.approx(150.0, abs=1.0), 300.0]


def test_what_is_written_is_written_once(alice: Post) -> None:
    entry = claim(alice, uuid4())
    ledger.settle(Written(entry.id, "00T000000000001AAA", "matched"))
    ledger.settle(Written(entry.id, "00T000000000002AAA", "matched"))
    found = claim(alice, uuid4())
    assert (found.is_mine, found.salesforce_id, found.object_name) == (False, "00T000000000001AAA", "Task")
    ledger.release(uuid4())
    assert LedgerEntry.objects.get().rule == "matched"


def test_whoever_adds_to_what_is_written_holds_it_alone(alice: Post) -> None:
    entry = claim(alice, uuid4())
    ledger.settle(Written(entry.id, "00T000000000001AAA", "matched"))
    one, other = uuid4(), uuid4()
    for _ in range(2):
        ledger.hold(entry, one)
    with pytest.raises(InOtherHands):
        ledger.hold(entry, other)
    LedgerEntry.objects.update(claimed_until=Now())
    ledger.prolong([one])
    with pytest.raises(InOtherHands):
        ledger.hold(entry, other)
    ledger.join([Joined(entry.id, alice.member.pk, ledger.Files.SOME, one)])
    ledger.hold(entry, other)
    ledger.release(other)
    LedgerEntry.objects.update(undone_at=Now())
    with pytest.raises(InOtherHands):
        ledger.hold(entry, one)


def test_for_whom_an_entry_stands_is_there_once(alice: Post) -> None:
    entry, (one, other) = claim(alice, uuid4()), (uuid4(), uuid4())
    for member in (one, other, one):
        ledger.join([Joined(entry.id, member, ledger.Files.SOME)])
    ledger.join([Joined(entry.id, other)])
    row = LedgerEntry.objects.get()
    assert (sorted(row.stands_for), row.files) == (sorted([one, other]), "some")
    ledger.leave(entry.id, one)
    assert LedgerEntry.objects.get().stands_for == [other]


def test_what_a_person_took_back_is_not_written_again(alice: Post) -> None:
    claim(alice, uuid4())
    LedgerEntry.objects.update(undone_at=Now(), claimed_until=Now())
    found = claim(alice, uuid4())
    assert (found.is_mine, found.is_undone) == (False, True)


def test_no_column_holds_a_text_or_an_address(alice: Post) -> None:
    """By what stands in every table of this room after mails were synced, refused and left waiting (C61)."""
    alice.pull()
    alice.box.arrive(3)
    alice.box.arrive(2, matches=False)
    alice.run()
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'sync_%%'")
        tables = [name for (name,) in cursor.fetchall()]
        texts = [_rows(cursor, name) for name in tables]
    assert len(tables) >= 10
    assert not [text for text in texts if "canary" in text.lower() or "@" in text]


def _rows(cursor: Any, name: str) -> str:
    cursor.execute(f'SELECT * FROM "{name}"')  # noqa: S608  our own tables
    rows = cursor.fetchall()
    return str([[bytes(each).hex() if isinstance(each, bytes | memoryview) else each for each in row] for row in rows])
