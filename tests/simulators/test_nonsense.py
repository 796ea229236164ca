"""Whatever is sent, the simulated Salesforce refuses it as Salesforce would: never with an error of its own."""

# ruff: noqa: E501, S608, SIM905 - word lists of a fuzzer, and SOQL that reaches no database

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulators.conftest import InProcess
from tests.simulators.running import Running

KEYS = st.sampled_from(
    "records attributes type id Id ids fields compositeRequest batchRequests url method referenceId body q sobjects name "
    "allOrNone LastName Company Email AccountId Account External_Id__c Contacts httpHeaders in where limit".split()
) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["Contact", "Lead", "003Ac0000000001IAA", "GET", "POST", "PATCH", "@{a.b[0].c}", "@{a}", "a",
         "/services/data/v60.0/query?q=SELECT+Id+FROM+Contact+LIMIT+1", "/services/data/v60.0/sobjects/Contact/x",
         "/services/data/v60.0/composite/sobjects", "v60.0/limits"]
    )
)  # fmt: skip
BODIES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=15
)
PATHS = st.sampled_from(
    "sobjects/Contact sobjects/Contact/003Ac0000000001IAA sobjects/Contact/External_Id__c/x sobjects/Account/x/Contacts "
    "composite composite/batch composite/sobjects composite/sobjects/Contact composite/sobjects/Lead/External_Id__c "
    "composite/tree/Account parameterizedSearch search query queryAll query/0r8-5 recent limits sobjects "
    "sobjects/Lead/updated sobjects/Lead/deleted composite/tree/Contact sobjects/Account/describe/compactLayouts".split()
)
WRITES = [
    "composite",
    "composite/batch",
    "composite/sobjects",
    "composite/sobjects/Contact",
    "composite/sobjects/Lead/External_Id__c",
    "composite/tree/Account",
    "parameterizedSearch",
    "sobjects/Contact",
    "sobjects/Contact/External_Id__c/x",
]
ODD: list[Any] = [None, 5, "x", [], {}, True, [5], [None], {"type": 5}, 1e300, "\u00b2"]
OUTER = [
    "compositeRequest",
    "batchRequests",
    "records",
    "ids",
    "fields",
    "sobjects",
    "overallLimit",
    "AccountId",
    "Account",
]
INNER = [
    "attributes",
    "id",
    "url",
    "method",
    "body",
    "httpHeaders",
    "Contacts",
    "name",
    "fields",
    "where",
    "External_Id__c",
]
DESCRIBE = "/services/data/v60.0/sobjects/Contact/describe"
STATUSES = {200, 201, 204, 300, 400, 403, 404, 405}


@pytest.fixture(scope="module")
def org() -> InProcess:
    from simulators.salesforce.org import Org
    from simulators.salesforce.staff import GLOBEX

    return InProcess(Org(GLOBEX, []), "charlie")


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT"]), path=PATHS, body=BODIES, query=st.dictionaries(
    st.sampled_from(["q", "ids", "fields", "start", "end", "limit", "sobject", "allOrNone"]), st.text(max_size=12)))  # fmt: skip
def test_rest_calls(org: InProcess, method: str, path: str, body: Any, query: dict[str, str]) -> None:
    assert org.rest(method, path, body, **query).status in STATUSES


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(
    st.sampled_from(
        "SELECT FROM WHERE AND OR NOT IN LIKE Id Name Email Contact Account.Name Owner.Name Tasks ( ) , = != < > 'x' 'a%' 5 "
        "null true TODAY LAST_N_DAYS:3 ORDER BY GROUP COUNT() COUNT(Id) LIMIT OFFSET ASC NULLS LAST AccountId CreatedDate "
        "TYPEOF WHEN THEN ELSE END FIELDS(ALL) HAVING toLabel(Name) Case ContactId USING SCOPE mine 2024-01-01 ' \\ {".split()
    ), max_size=14))  # fmt: skip
def test_soql_of_stray_words(org: InProcess, words: list[str]) -> None:
    assert org.rest("GET", "query", q="SELECT Id FROM Contact " + " ".join(words)).status in {200, 400}
    assert org.rest("GET", "query", q=" ".join(words)).status in {200, 400}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(term=st.text(max_size=20) | st.text(alphabet="&|!(){}[]^\"~*?:\\'+- aANDORT", max_size=20))
def test_sosl_of_stray_characters(org: InProcess, term: str) -> None:
    assert org.rest("GET", "search", q=f"FIND {{{term}}} IN ALL FIELDS RETURNING Contact(Id), Lead").status in {
        200,
        400,
    }
    assert org.rest("GET", "parameterizedSearch", q=term, sobject="Contact").status in {200, 400}


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("value", ODD)
def test_odd_members(org: InProcess, path: str, value: Any) -> None:
    """Every member of every body, one at a time, with a value of another type."""
    good = {"referenceId": "a", "url": DESCRIBE, "method": "POST", "attributes": {"type": "Contact"}, "name": "Contact"}
    for outer in OUTER:
        bodies = [value, {outer: value}, {outer: [value]}, {"q": "jane doe", outer: value}]
        for inner in INNER:
            bodies += [{"q": "jane doe", outer: [{inner: value}]}, {outer: [{**good, inner: value}]}]
            bodies += [{outer: [{**good, inner: {"records": value}}]}]
        for body in bodies:
            for method in ("POST", "PATCH"):
                assert org.rest(method, path, body).status in STATUSES


@pytest.mark.parametrize(
    "path",
    [
        "/services/oauth2/token", "/services/oauth2/revoke", "/services/oauth2/introspect", "/services/oauth2/singleaccess",
        "/services/oauth2/userinfo", "/services/oauth2/authorize", "/id/x/y", "/id/x", "/login", "/secur/frontdoor.jsp",
        "/setup/secur/RemoteAccessAuthorizationPage.apexp", "/lightning/r/Contact/x/view", "/%00%ff", "/services/data/",
        "/services/data/v60.0/%ff%00", "/services/data/vx/limits", "/_sim/nothing", "/.well-known/nothing",
    ],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"a=b&a=c&=&%", b'{"a":', b"[" * 3000])
def test_odd_requests_over_http(salesforce: Running, path: str, body: bytes) -> None:
    for face in ("api_url", "pages_url"):
        for kind in ("application/x-www-form-urlencoded", "application/json"):
            headers = {"Content-Type": kind, "Authorization": "Basic ***"}
            answer = salesforce.http.post(
                salesforce.org()[face] + path, data=body, headers=headers, timeout=10, allow_redirects=False
            )
            assert answer.status_code < 500, (face, answer.text)
