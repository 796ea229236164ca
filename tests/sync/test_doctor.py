"""Sync's lines of `manage.py doctor`: which organizations have something to set up in Salesforce, and which providers
do not tell us of mail."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from organizations.registries import Level, connection_examiners, doctor_checks
from providers.errors import Rejected
from providers.salesforce import layout
from providers.salesforce.access import FieldAccess, ObjectAccess, ObjectRights
from sync import standing, subscriptions
from sync.models import SyncedMailbox
from tests.sync.conftest import Office, Post, connect
from vault import access
from vault.models import SALESFORCE, Connection

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
KEY = FieldAccess("Key", "string", 80, createable=True, unique=True, external_id=True, id_lookup=True)


def described(*keyed: str, createable: bool = True) -> ObjectAccess:
    """An organization with Enhanced Email; `keyed`: objects that have the key."""
    objects = {}
    for name in layout.FILING:
        fields = {each: FieldAccess(each, "string", 255, createable=True) for each in layout.FILING[name]}
        fields.pop(layout.KEY_FIELD, None)
        fields |= {layout.KEY_FIELD: KEY} if name in keyed else {}
        lists = frozenset({"ToIds", "TaskWhoIds"})
        objects[name] = ObjectRights(
            name, name, name, queryable=True, createable=createable, fields=fields, lists=lists
        )
    return ObjectAccess(objects)


def seen(post: Post, kept: ObjectAccess | None) -> Connection:
    row = connect(post.member, SALESFORCE)
    if kept is not None:
        access.save(row.pk, kept)
    return row


def lines() -> dict[str, Level]:
    check = dict(doctor_checks)["sync.salesforce"]
    return {finding.message: finding.level for finding in check()}


@pytest.mark.parametrize(
    ("kept", "level", "words"),
    [
        (described("EmailMessage", "ContentVersion"), Level.OK, "keeps each mail single: 1."),
        (described("EmailMessage"), Level.WARNING, "but not each attachment: 1."),
        (described(), Level.WARNING, "take the same mail twice"),
        (described(createable=False), Level.ERROR, "lets nobody file a mail: 1."),
    ],
)
def test_what_an_organization_has_to_set_up_is_said(alice: Post, kept: ObjectAccess, level: Level, words: str) -> None:
    seen(alice, kept)
    found = {message: each for message, each in lines().items() if "not asked yet" not in message}
    (message,) = found
    assert (words in message, found[message]) == (True, level)


def test_nobody_was_asked_yet(alice: Post) -> None:
    seen(alice, None)
    assert list(lines().values()) == [Level.OK]
    assert "not asked yet" in next(iter(lines()))


def test_one_connection_tells_what_is_amiss(alice: Post) -> None:
    examine = dict(connection_examiners)["sync.salesforce"]
    row = seen(alice, described())
    told = [finding.message for finding in examine(row.pk)]
    assert any("Sync_Key__c" in message for message in told)
    assert list(examine(alice.mailbox.connection_id)) == []


# -- being told ----------------------------------------------------------------------------------------------------


def told(check: str = "sync.push") -> list[tuple[Level, str, str]]:
    return [(each.level, each.message, each.advice) for each in dict(doctor_checks)[check]()]


def examined(post: Post) -> list[str]:
    return [each.message for each in dict(connection_examiners)["sync.push"](post.mailbox.connection_id)]


def sentence_of(post: Post) -> tuple[str, str, str]:
    (found,) = standing.of(standing.mine(post.member))
    return found.tone, found.words, found.sentence


@pytest.fixture
def refused(office: Office, settings: Settings) -> Office:
    """Alice's provider could tell us of changes, and refuses to; Bob's does. Both began long ago."""
    settings.GOOGLE_PUBSUB_ACCOUNT, settings.GOOGLE_PUBSUB_TOPIC = (
        "pusher@other.example",
        "projects/another/topics/gmail",
    )
    office.alice.box.errors.append(Rejected("another project's", provider="google"))
    for each in (office.alice, office.bob):
        subscriptions.look_after(each.mailbox.pk)
        each.run()
    began(hours=2)
    return office


def began(**ago: int) -> None:
    SyncedMailbox.objects.update(starts_at=Now() - timedelta(**ago))


def test_a_provider_that_does_not_tell_us_is_named_with_what_to_do(refused: Office) -> None:
    SyncedMailbox.objects.filter(pk=refused.charlie.mailbox.pk).update(is_on=False)
    ((level, message, advice),) = told()
    assert (level, message) == (
        Level.WARNING,
        "New mail comes by regular looks only, as Google does not tell us of it: 1 mailbox.",
    )
    assert "GOOGLE_PUBSUB_TOPIC has to be a topic of the Google Cloud project" in advice
    assert "does not tell us" in examined(refused.alice)[0]
    assert examined(refused.bob) == []


def test_its_mailbox_says_so_and_is_up_to_date_all_the_same(refused: Office) -> None:
    tone, words, sentence = sentence_of(refused.alice)
    assert (tone, words) == ("good", "Up to date")
    assert sentence.startswith(
        "Google does not tell us of new mail at once: it comes by regular looks only, every 5 minutes."
    )
    assert sentence_of(refused.bob) == ("good", "Up to date", "")


def test_nobody_is_worried_before_it_was_tried_or_where_no_provider_has_a_way_to_us(
    refused: Office, settings: Settings
) -> None:
    began(minutes=50)
    assert [level for level, *_ in told()] == [Level.OK]
    assert sentence_of(refused.alice)[2] == ""
    began(hours=2)
    settings.GOOGLE_PUBSUB_TOPIC, settings.GOOGLE_PUBSUB_ACCOUNT = "", ""
    assert (sentence_of(refused.alice)[2], examined(refused.alice)) == ("", [])


def test_what_waits_for_another_reason_is_not_said_to_be_refused(refused: Office) -> None:
    SyncedMailbox.objects.update(parked_until=Now() + timedelta(hours=1), parked_for="unreachable")
    assert [level for level, *_ in told()] == [Level.OK]
