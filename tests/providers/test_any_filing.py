"""Whatever Salesforce, or a gateway before it, answers while mail is filed: a known failure or an outcome, and no word
of it repeated."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import http
from providers.activities import FileToAttach, Keyed, KeyForm, Link, Logged
from providers.base import Access, Secret
from providers.errors import ProviderError
from providers.salesforce import layout
from providers.salesforce.access import FieldAccess, ObjectAccess, ObjectRights
from providers.salesforce.activities import SalesforceActivities
from providers.salesforce.budget import ApiBudget
from providers.salesforce.transport import FixedToken
from tests.providers.desks import KEY, mail, to
from tests.providers.faulty import Faulty
from tests.providers.simulated import VERSION, Memory

CANARY = "canary7f3a"
JANE = {"Id": "003000000000001AAA", "Email": "jane@x.example"}
LEAD = {"Id": "00Q000000000001AAA", "Email": "lead@x.example"}
KEYED = Keyed(mail(to(LEAD)), KEY)
LOGGED = Logged("EmailMessage", "02s000000000001AAA")
CODES = ("DUPLICATE_VALUE", "PROCESSING_HALTED", "NOT_FOUND", "INVALID_FIELD", "UNABLE_TO_LOCK_ROW", CANARY)
NAMES = ("graphs", "graphId", "graphResponse", "isSuccessful", "compositeResponse", "body", "httpStatusCode", "records",
         "referenceId", "id", "Id", "done", "Email", "message", "errorCode", "success", "WhoId", "ActivityId",
         "RelationId", "RelationType", "IsWhat", "CreatedDate", "LastModifiedDate")  # fmt: skip
WORDS = st.sampled_from(["g0", "activity", "sender", "k0", "q0", "contacts", "related", JANE["Id"], CANARY, *CODES])
SCALARS = st.none() | st.booleans() | st.integers(0, 600) | WORDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
ERRORS = st.lists(st.fixed_dictionaries({"errorCode": st.sampled_from(CODES), "message": st.just(CANARY)}), max_size=2)
ENTRIES = st.fixed_dictionaries(
    {
        "referenceId": WORDS,
        "httpStatusCode": st.sampled_from([200, 201, 204, 300, 400, 404, 500]),
        "body": VALUES | ERRORS | st.just({"id": "02s000000000001AAA"}) | st.just({"records": [JANE], "done": True}),
    }
)
GRAPHS = st.fixed_dictionaries(
    {
        "graphId": st.sampled_from(["g0", "g1"]),
        "isSuccessful": st.booleans(),
        "graphResponse": st.fixed_dictionaries({"compositeResponse": st.lists(ENTRIES, max_size=3)}),
    }
)
BODIES = (
    VALUES
    | ERRORS
    | st.fixed_dictionaries({"graphs": st.lists(GRAPHS, max_size=2)})
    | st.fixed_dictionaries({"compositeResponse": st.lists(ENTRIES, max_size=4)})
)
ANSWERS = st.lists(st.tuples(st.sampled_from([200, 201, 300, 400, 403, 404, 503]), BODIES), min_size=1, max_size=3)


@contextmanager
def opened() -> Iterator[list[bytes]]:
    yield [b"bytes"]


FILE = FileToAttach("x", "text/plain", opened, 5)
USES: dict[str, Callable[[SalesforceActivities], Any]] = {
    "people": lambda client: client.people(["jane@x.example"]),
    "newcomers": lambda client: client.newcomers(datetime(2026, 3, 1, tzinfo=UTC)),
    "log": lambda client: client.log_email(mail(to(JANE)), KEY),
    "again": lambda client: client.log_emails([Keyed(mail(to(JANE)), KEY, is_repeat=True), Keyed(mail(), f"{KEY}2")]),
    "add": lambda client: client.add_relations(LOGGED, [to(JANE)]),
    "add to a task": lambda client: client.add_relations(Logged("Task", "00T000000000001AAA"), [to(JANE)]),
    "own tasks": lambda client: client.make_own_tasks(Logged("Task", "00T000000000001AAA"), KEYED, [LEAD["Id"]]),
    "unlink": lambda client: client.unlink(LOGGED, JANE["Id"]),
    "delete": lambda client: client.delete(LOGGED, KEY),
    "delete a task": lambda client: client.delete(Logged("Task", "00T000000000001AAA"), KEY),
    "take back": lambda client: client.take_back(LOGGED, KEY),
    "take a task back": lambda client: client.take_back(Logged("Task", "00T000000000001AAA"), KEY),
    "move": lambda client: client.move(LOGGED, KEY, [JANE["Id"]], ["003000000000002AAA"]),
    "move a task": lambda client: client.move(Logged("Task", "00T000000000001AAA"), KEY, [], [JANE["Id"]]),
    "attach": lambda client: client.attach([LOGGED.id, JANE["Id"]], FILE, KEY, is_repeat=True),
    "post": lambda client: client.post_link(JANE["Id"], Link("https://x.example", "x"), KEY),
}


def described(form: KeyForm) -> ObjectAccess:
    key = FieldAccess("Key", "string", 80, createable=True, unique=True, external_id=True, id_lookup=True)
    objects = {}
    for name in ("Contact", "Lead", *layout.FILING):
        fields = {each: FieldAccess(each, "string", 255, createable=True) for each in layout.kept(name)}
        has_key = form is KeyForm.FIELD and layout.KEY_FIELD in fields
        fields |= {layout.KEY_FIELD: key if has_key else FieldAccess("x", "string")}
        fields |= {layout.LEDGER_KEY: key} if form is KeyForm.LEDGER else {}
        lists = frozenset({"ToIds", "TaskWhoIds"})
        objects[name] = ObjectRights(name, name, name, "", True, True, True, True, True, fields=fields, lists=lists)
    return ObjectAccess(objects)


@pytest.fixture
def session(server: Faulty) -> http.Session:
    return http.Session(http.Settings(frozenset({server.url}), ca_bundle=str(server.ca)))


@pytest.mark.parametrize("form", list(KeyForm))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(name=st.sampled_from(list(USES)), answers=ANSWERS)
def test_every_answer_is_an_outcome_or_a_known_failure(
    server: Faulty, session: http.Session, form: KeyForm, name: str, answers: list[tuple[int, Any]]
) -> None:
    number = iter(range(1_000_000))
    server.behave = lambda handler: handler.answer(*answers[next(number) % len(answers)])
    store = Memory()
    store.kept = described(form)
    tokens = FixedToken(Access(Secret("token"), server.url))
    client = SalesforceActivities(tokens, store, ApiBudget(), session, VERSION)
    assert CANARY not in shown(lambda: USES[name](client))


def shown(use: Callable[[], Any]) -> str:
    """What a log might say of it."""
    try:
        return repr(use())
    except ProviderError as error:
        return f"{error!r} {error} {error.code}"
