"""Sync's lines of `manage.py doctor`: which organizations have something to set up in Salesforce."""

import pytest

from organizations.registries import Level, connection_examiners, doctor_checks
from providers.salesforce import layout
from providers.salesforce.access import FieldAccess, ObjectAccess, ObjectRights
from tests.sync.conftest import Post, connect
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
