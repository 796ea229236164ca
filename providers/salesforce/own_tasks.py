"""Leads for whom the task of a mail that is filed already has no place: each has his own, as when it was filed."""

from collections.abc import Sequence
from dataclasses import replace

from providers.activities import EmailRecord, Keyed, KeyForm
from providers.errors import ProviderError
from providers.salesforce import lookups
from providers.salesforce.email_nodes import MOST_LEADS, key_of
from providers.salesforce.filed import Filing
from providers.salesforce.filing import Ways
from providers.salesforce.transport import Wire


def make(wire: Wire, ways: Ways, mail: Keyed, people: Sequence[str]) -> tuple[str, ...]:
    """Those of `people` who have none afterwards. Its key makes it single, with those that were there already."""
    leads = [person for person in people if person.startswith("00Q")][:MOST_LEADS]
    if ways.key_form is KeyForm.LOOKUP:  # a later one would not be found by the mail's key, when it is taken back
        placed = _there(wire, ways, mail, leads)
    else:
        placed = set(leads)
        results = Filing(wire, ways).carry_out([_own(mail, lead) for lead in leads])
        for failed in (each for each in results if isinstance(each, ProviderError)):
            raise failed
    return tuple(person for person in people if person not in placed)


def _there(wire: Wire, ways: Ways, mail: Keyed, leads: Sequence[str]) -> set[str]:
    queries = {f"q{n}": lookups.query_of(ways, mail.record, lead) for n, lead in enumerate(leads)}
    rows = lookups.rows_of(wire, queries)
    return {lead for n, lead in enumerate(leads) if lookups.matching(ways, rows[f"q{n}"], mail.key)}


def _own(mail: Keyed, lead: str) -> Keyed:
    return Keyed(_under(mail.record, lead), key_of(mail.key, lead), is_repeat=True)


def _under(record: EmailRecord, lead: str) -> EmailRecord:
    """With the same words, and nobody else whom it stands under."""
    people = (each if each.person_id == lead else replace(each, person_id="") for each in record.correspondents)
    return replace(record, correspondents=tuple(people))
