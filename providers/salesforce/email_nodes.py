"""One mail as the graph of records that files it, in each way an organization may have to keep it single. Pure.

Where a record or a row of the ledger has a unique key, it is inserted and never updated: a second attempt is refused
whole (DUPLICATE_VALUE), and what people have changed meanwhile stays."""

from collections.abc import Mapping, Sequence
from typing import Any

from providers.activities import Keyed, KeyForm
from providers.salesforce import layout
from providers.salesforce.email_values import email_values, mark_of, people_of, task_values
from providers.salesforce.filing import EMAIL, MOST_ON_EMAIL, Ways
from providers.salesforce.graphs import Node, patch, post
from providers.salesforce.transport import Wire

#: References of the nodes that answers are read by.
ACTIVITY, LEDGER, SENDER, OTHER = "activity", "ledger", "sender", "other"
MOST_LEADS = 10


class Plan:
    """How one mail is filed. `nodes`: its graph. `left_out`: ids of people for whom there is no place."""

    def __init__(self, wire: Wire, ways: Ways, mail: Keyed) -> None:
        self._wire, self._ways = wire, ways
        self.record, self.key, self.is_repeat = mail.record, mail.key, mail.is_repeat
        self._mark = mark_of(mail.key) if ways.key_form is KeyForm.LOOKUP else ""
        self.people = people_of(mail.record, MOST_ON_EMAIL)
        self.left_out = self.people.left_out
        self.nodes: list[Node] = self._kept_single(self._email() if ways.record == EMAIL else self._tasks())

    @property
    def size(self) -> int:
        return len(self.record.text) + len(self.record.html) + 2000

    def stands_under(self) -> str:
        """The id of the person whose activity it is first of all; "" for nobody."""
        return self.people.contacts[0] if self.people.contacts else next(iter(self.people.leads), "")

    def _email(self) -> list[Node]:
        values = email_values(self.record, self.people, self._ways.target, self._mark)
        nodes = [post(self._wire, ACTIVITY, EMAIL, {**values, **self._keyed(self.key)})]
        if self.people.sender_id:
            nodes.append(post(self._wire, SENDER, "EmailMessageRelation", self._sender()))
        return nodes

    def _sender(self) -> dict[str, Any]:
        person = self.people.sender_id
        return {"EmailMessageId": f"@{{{ACTIVITY}.id}}", "RelationId": person, "RelationType": "FromAddress"}

    def _tasks(self) -> list[Node]:
        """Contacts share one task; each lead has one of his own."""
        contacts, leads = self._placed()
        groups: list[Sequence[str]] = [*([contacts] if contacts else []), *([lead] for lead in leads)] or [()]
        return [self._task(group, number) for number, group in enumerate(groups)]

    def _placed(self) -> tuple[Sequence[str], Sequence[str]]:
        most = self._ways.most_contacts()
        contacts, leads = self.people.contacts, self.people.leads
        self.left_out += (*contacts[most:], *leads[MOST_LEADS:])
        return contacts[:most], leads[:MOST_LEADS]

    def _task(self, who: Sequence[str], number: int) -> Node:
        has_list = self._ways.has_shared_activities
        values = task_values(self.record, who, self._ways.target, self._mark, has_list=has_list)
        key = key_of(self.key, who[0]) if number else self.key
        return post(self._wire, f"{OTHER}{number}" if number else ACTIVITY, "Task", {**values, **self._keyed(key)})

    def _keyed(self, key: str) -> Mapping[str, str]:
        return {layout.KEY_FIELD: key} if self._ways.key_form is KeyForm.FIELD else {}

    def _kept_single(self, nodes: list[Node]) -> list[Node]:
        if self._ways.key_form is not KeyForm.LEDGER:
            return nodes
        if self._ways.record == EMAIL:
            return in_ledger(self._wire, self.key, ACTIVITY, nodes)
        return [each for node in nodes for each in self._own_row(node)]

    def _own_row(self, task: Node) -> list[Node]:
        """So that taking the mail back finds each of its tasks."""
        reference = task["referenceId"]
        if reference == ACTIVITY:
            return in_ledger(self._wire, self.key, ACTIVITY, [task])
        return in_ledger(self._wire, key_of(self.key, task["body"]["WhoId"]), reference, [task], suffix=reference)


def key_of(key: str, person_id: str) -> str:
    """Of the task that a lead has of his own; `relations` finds it by its beginning."""
    return f"{key}.{person_id[:15]}"


def in_ledger(wire: Wire, key: str, reference: str, nodes: list[Node], suffix: str = "") -> list[Node]:
    """The key first, so that a second attempt makes nothing; then the records, then the id of the one it stands for.
    `suffix`: tells the references of several rows apart."""
    row, record = f"{LEDGER}{suffix}", {layout.LEDGER_RECORD: f"@{{{reference}.id}}"}
    return [
        post(wire, row, layout.LEDGER, {layout.LEDGER_KEY: key}),
        *nodes,
        patch(wire, f"noted{suffix}", f"{layout.LEDGER}/@{{{row}.id}}", record),
    ]
