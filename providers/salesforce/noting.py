"""What recipients did with mails that are filed already: in fields of ours where an administrator has added them, else
in the text of a task, else in a task beside a mail, which cannot be changed itself. What people wrote stays.

Of an EmailMessage that is no draft, custom fields only can be updated:
https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-emailmessage.html"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from providers.activities import Note, Seen
from providers.errors import NotFound, PermissionMissing, ProviderError
from providers.salesforce import graphs, ids, layout, lookups, soql
from providers.salesforce.access import ObjectRights
from providers.salesforce.email_values import closed_status, mark_of
from providers.salesforce.filing import EMAIL, TASK, Ways
from providers.salesforce.transport import Wire

Result = str | ProviderError
#: Begins the line that is ours in a task's text.
LINE = "Opens and clicks: "
_SUBJECT = "Opens and clicks: "
_BESIDE = "beside"
#: People of all mails of one call, and tasks of theirs, that are looked through.
_MOST_ROWS = 2000


def carry_out(wire: Wire, ways: Ways, notes: Sequence[Note]) -> list[Result]:
    """Up to graphs.MOST_GRAPHS at once: one call to write, one or two before it where texts are to be looked at."""
    results: list[Result] = []
    for start in range(0, len(notes), graphs.MOST_GRAPHS):
        results += _Noting(wire, ways, notes[start : start + graphs.MOST_GRAPHS]).results()
    return results


def field_values(rights: ObjectRights, seen: Seen) -> dict[str, Any]:
    """Those of our fields that this person may change; empty where there are none."""
    at = seen.last_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seen.last_at else None
    values = {layout.OPENS: seen.opens, layout.CLICKS: seen.clicks, layout.SEEN_AT: at}
    return {name: value for name, value in values.items() if (each := rights.fields.get(name)) and each.updateable}


def line_of(seen: Seen) -> str:
    last = seen.last_at.astimezone(UTC).strftime("; last on %Y-%m-%d %H:%M UTC") if seen.last_at else ""
    return f"{LINE}likely opened {_times(seen.opens)}, links followed {_times(seen.clicks)}{last}."


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def with_line(text: str, line: str, mark: str, most: int) -> str:
    """Our line first, in place of an older one; the mark that a mail is recognised by stays, whatever is cut."""
    if text.startswith(LINE):
        text = text.partition("\n")[2].removeprefix("\n")
    tail = f"\n\n{mark}" if text.endswith(f"\n\n{mark}") else ""
    head = f"{line}\n\n{text.removesuffix(tail)}"
    return (head[: most - len(tail)] if most else head) + tail


class _Noting:
    def __init__(self, wire: Wire, ways: Ways, notes: Sequence[Note]) -> None:
        self._wire, self._ways, self._notes = wire, ways, notes
        self._texts: dict[str, str] = {}  # of tasks that are there
        self._mails: dict[str, Mapping[str, Any]] = {}
        self._people: dict[str, list[str]] = {}  # of those mails, contacts before leads
        self._beside: dict[str, str] = {}  # by key: tasks that an attempt before this has made

    def results(self) -> list[Result]:
        self._look()
        plans = [self._plan(note) for note in self._notes]
        nodes = [plan for plan in plans if isinstance(plan, dict)]
        outcomes = iter(graphs.carry_out(self._wire, [[node] for node in nodes]) if nodes else [])
        return [
            plan if isinstance(plan, ProviderError) else self._result(note, next(outcomes))
            for note, plan in zip(self._notes, plans, strict=True)
        ]

    # -- what is there ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        texts = [found for note in self._notes if (found := self._text_of(note))]
        mails = [note.logged.id for note in self._notes if self._needs_task(note)]
        queries = {}
        if texts and "Description" in self._ways.rights[TASK].fields:
            queries["texts"] = _by_ids(TASK, ["Id", "Description"], "Id", texts)
        if mails:
            fields = self._ways.rights[EMAIL].visible(["Id", "Subject", "RelatedToId"])
            queries["mails"] = _by_ids(EMAIL, fields, "Id", mails)
            relation = ["EmailMessageId", "RelationId"]
            queries["people"] = _by_ids("EmailMessageRelation", relation, "EmailMessageId", mails)
        rows = lookups.rows_of(self._wire, queries) if queries else {}
        self._texts = {str(row["Id"]): str(row["Description"] or "") for row in rows.get("texts", [])}
        self._mails = {str(row["Id"]): row for row in rows.get("mails", [])}
        self._people = _people(rows.get("people", []))

    def _text_of(self, note: Note) -> str:
        """The task whose text says it; "" where fields do, or no task is there yet."""
        if self._values(note):
            return ""
        return ids.record_id(note.beside or note.logged.id) if note.beside or note.logged.object == TASK else ""

    def _needs_task(self, note: Note) -> bool:
        return note.logged.object == EMAIL and not note.beside and not self._values(note)

    def _values(self, note: Note) -> dict[str, Any]:
        return field_values(self._ways.rights[note.logged.object], note.seen)

    # -- what is written --------------------------------------------------------------------------------------------

    def _plan(self, note: Note) -> graphs.Node | ProviderError:
        if values := self._values(note):
            resource = f"{note.logged.object}/{ids.record_id(note.logged.id)}"
            return graphs.patch(self._wire, "seen", resource, values)
        if self._needs_task(note):
            return self._task_beside(note)
        return self._text(note, self._text_of(note))

    def _text(self, note: Note, task_id: str) -> graphs.Node | ProviderError:
        field = self._ways.rights[TASK].fields.get("Description")
        if field is None or not field.updateable:
            return _not_allowed()
        if task_id not in self._texts:
            return NotFound("The activity is not in Salesforce any more.", provider="salesforce")
        text = with_line(self._texts[task_id], line_of(note.seen), mark_of(note.key), field.length)
        return graphs.patch(self._wire, "seen", f"{TASK}/{task_id}", {"Description": text})

    def _task_beside(self, note: Note) -> graphs.Node | ProviderError:
        mail = self._mails.get(ids.record_id(note.logged.id))
        rights = self._ways.rights[TASK]
        if mail is None:
            return NotFound("The mail is not in Salesforce any more.", provider="salesforce")
        if not rights.createable or "Description" not in rights.fields:
            return _not_allowed()
        people = self._people.get(ids.record_id(note.logged.id), [])
        if note.is_repeat and self._made_before(note, people):
            return self._text(note, self._beside[note.key])
        return graphs.post(self._wire, _BESIDE, TASK, self._new_task(note, mail, people))

    def _new_task(self, note: Note, mail: Mapping[str, Any], people: Sequence[str]) -> dict[str, Any]:
        """Done already, so that it is on nobody's list; about the same people as the mail."""
        rights = self._ways.rights[TASK]
        values = {
            "Subject": f"{_SUBJECT}{mail.get('Subject') or ''}"[:255],
            "Status": closed_status(rights),
            "TaskSubtype": "Task",
            "ActivityDate": note.seen.last_at.date().isoformat() if note.seen.last_at else "",
            "Description": f"{line_of(note.seen)}\n\n{mark_of(note.key)}",
        }
        values = {name: value for name, value in values.items() if value and name in rights.visible([name])}
        contacts = [each for each in people if each.startswith("003")][: self._ways.most_contacts_of_task()]
        related = {"WhatId": mail["RelatedToId"]} if contacts and mail.get("RelatedToId") else {}
        if contacts and self._ways.has_shared_activities:
            return {**values, **related, "TaskWhoIds": contacts}
        return {**values, **related, **({"WhoId": people[0]} if people else {})}

    def _made_before(self, note: Note, people: Sequence[str]) -> bool:
        """Whether an attempt before this has arrived; then its task is known, and its text."""
        who = f"WhoId IN {soql.literals(people)}" if people else "WhoId = null"
        where = f"{who} AND Subject LIKE {soql.literal(_SUBJECT + '%')}"
        query = soql.select(TASK, ["Id", "Description"], where=where, order="CreatedDate ASC, Id ASC", limit=_MOST_ROWS)
        for row in lookups.rows_of(self._wire, {"tasks": query})["tasks"]:
            text = str(row["Description"] or "")
            if mark_of(note.key) in text.splitlines():
                self._texts[str(row["Id"])], self._beside[note.key] = text, str(row["Id"])
                return True
        return False

    def _result(self, note: Note, outcome: graphs.Outcome) -> Result:
        if outcome.error is not None:
            return outcome.error
        return outcome.made().get(_BESIDE) or self._beside.get(note.key, note.beside)


def _by_ids(name: str, fields: Sequence[str], key: str, wanted: Sequence[str]) -> str:
    where = f"{key} IN {soql.literals(ids.record_id(each) for each in wanted)}"
    return soql.select(name, fields, where=where, limit=_MOST_ROWS)


def _people(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        person = str(row["RelationId"] or "")
        if person[:3] in {"003", "00Q"} and person not in found.setdefault(str(row["EmailMessageId"]), []):
            found[str(row["EmailMessageId"])].append(person)
    return {mail: sorted(people) for mail, people in found.items()}


def _not_allowed() -> PermissionMissing:
    return PermissionMissing("You may not change activities in Salesforce.", provider="salesforce")
