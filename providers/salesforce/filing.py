"""How one person may file mail in his organization, from describe: which object, keyed in which way. No calls."""

from collections.abc import Mapping
from dataclasses import dataclass

from providers.activities import Capabilities, KeyForm
from providers.salesforce import layout
from providers.salesforce.access import ObjectAccess, ObjectRights

EMAIL, TASK = "EmailMessage", "Task"
#: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_taskrelation.htm
MOST_ON_TASK = 50
#: Recipients of one mail beyond which relations are left out; Salesforce names no limit.
MOST_ON_EMAIL = 200
_NO_KEY = (
    "Nothing in Salesforce itself keeps a second copy of a mail away: add the field Sync_Key__c, or the object "
    "Sync_Ledger__c, as docs/salesforce-setup.md describes."
)
_NO_FILE_KEY = "Attachments have no key of their own: add the field Sync_Key__c to Content Version."
_NO_EMAIL = "Mails are filed as tasks, since Enhanced Email is off or not open to this person."
_ONE_CONTACT = "A mail is filed under one contact only, since Shared Activities is off."


@dataclass(frozen=True, slots=True)
class Ways:
    """`record`: what a mail becomes. `rights`: of each object that filing touches."""

    record: str
    key_form: KeyForm
    rights: Mapping[str, ObjectRights]

    @property
    def target(self) -> ObjectRights:
        return self.rights[self.record]

    @property
    def marked_field(self) -> str:
        """Holds the key where no field of its own does."""
        return "Headers" if self.record == EMAIL else "Description"

    @property
    def may_file(self) -> bool:
        """Not where nothing at all would tell a mail that is there already."""
        marked = self.target.fields.get(self.marked_field)
        can_tell = self.key_form is not KeyForm.LOOKUP or (marked is not None and marked.createable)
        return self.target.createable and can_tell

    @property
    def has_shared_activities(self) -> bool:
        return "TaskWhoIds" in self.rights[TASK].lists

    @property
    def is_attachment_keyed(self) -> bool:
        return _is_key(self.rights["ContentVersion"], layout.KEY_FIELD)

    @property
    def may_post(self) -> bool:
        return self.rights["FeedItem"].createable

    @property
    def has_ledger(self) -> bool:
        return _has_ledger(self.rights)

    def most_contacts(self) -> int:
        return MOST_ON_EMAIL if self.record == EMAIL else self.most_contacts_of_task()

    def most_contacts_of_task(self) -> int:
        return MOST_ON_TASK if self.has_shared_activities else 1

    def capabilities(self) -> Capabilities:
        return Capabilities(
            record=self.record if self.may_file else "",
            key_form=self.key_form,
            most_contacts=self.most_contacts(),
            can_attach=self.rights["ContentVersion"].createable,
            is_attachment_keyed=self.is_attachment_keyed,
            can_post=self.may_post,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = [_NO_KEY] if self.key_form is KeyForm.LOOKUP else []
        if self.record == TASK:
            notes += [] if _takes_email(self.rights) else [_NO_EMAIL]
            notes += [] if self.has_shared_activities else [_ONE_CONTACT]
        if self.rights["ContentVersion"].createable and not self.is_attachment_keyed:
            notes.append(_NO_FILE_KEY)
        return notes


def missing(access: ObjectAccess) -> list[str]:
    """Objects that were not described yet. The search knows some by their name alone."""
    return [name for name in layout.FILING if not _is_described(access.get(name))]


def _is_described(rights: ObjectRights | None) -> bool:
    return rights is not None and (not rights.label or not rights.fields.keys() <= {"Name"})


def ways(access: ObjectAccess, *, prefers_task: bool = False) -> Ways:
    rights = {name: access.get(name) or ObjectRights(name, "", "") for name in layout.FILING}
    record = EMAIL if _takes_email(rights) and not prefers_task else TASK
    return Ways(record, _key_form(rights, record), rights)


def _takes_email(rights: Mapping[str, ObjectRights]) -> bool:
    """Without the right to relate its sender, a mail that came in would stand nowhere."""
    return "ToIds" in rights[EMAIL].lists and rights[EMAIL].createable and rights["EmailMessageRelation"].createable


def _key_form(rights: Mapping[str, ObjectRights], record: str) -> KeyForm:
    if _is_key(rights[record], layout.KEY_FIELD):
        return KeyForm.FIELD
    return KeyForm.LEDGER if _has_ledger(rights) else KeyForm.LOOKUP


def _has_ledger(rights: Mapping[str, ObjectRights]) -> bool:
    """Deleting its row is how a mail that was taken back can be filed again."""
    ledger = rights[layout.LEDGER]
    return ledger.createable and ledger.updateable and ledger.deletable and _is_key(ledger, layout.LEDGER_KEY)


def _is_key(rights: ObjectRights, name: str) -> bool:
    """External id and unique, both: without "unique" Salesforce compares only records that this person may see, unless
    he has View All Data.

    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm"""
    each = rights.fields.get(name)
    return each is not None and each.createable and each.unique and each.external_id and each.id_lookup
