"""SOQL answers of the simulated Salesforce over its seed: shapes, rights, errors in Salesforce's words."""
# ruff: noqa: S608 - SOQL for the simulator, which has no database

import pytest

from tests.simulators.conftest import InProcess

JANE = "jane.doe@northwind.example"


def test_parents_nest_with_attributes(acme: InProcess) -> None:
    (jane,) = acme.query(
        f"SELECT Id, Account.Name, Account.Owner.Name, Owner.Email FROM Contact WHERE Email = '{JANE}'"
    )
    assert jane["attributes"] == {"type": "Contact", "url": f"/services/data/v60.0/sobjects/Contact/{jane['Id']}"}
    assert jane["Account"]["attributes"]["type"] == "Account"
    assert jane["Account"]["Name"] == "Northwind Shipping"
    assert jane["Account"]["Owner"]["Name"] == "Alice Anderson"
    assert list(jane) == ["attributes", "Id", "Account", "Owner"]


def test_children_come_as_query_answers(acme: InProcess) -> None:
    (jane,) = acme.query(
        "SELECT Name, (SELECT Subject, Who.Name, Who.Type FROM Tasks ORDER BY CreatedDate DESC LIMIT 1), "
        f"(SELECT CaseNumber, ContactEmail FROM Cases WHERE IsClosed = false), (SELECT Id FROM CampaignMembers) "
        f"FROM Contact WHERE Email = '{JANE}'"
    )
    assert jane["Tasks"]["totalSize"] == 1
    assert jane["Tasks"]["records"][0]["Who"]["Name"] == "Jane Doe"
    assert jane["Tasks"]["records"][0]["Who"]["Type"] == "Contact"
    assert {case["ContactEmail"] for case in jane["Cases"]["records"]} == {JANE}
    assert jane["CampaignMembers"] is None


def test_text_compares_without_case_and_ids_with(acme: InProcess) -> None:
    (upper,) = acme.query(f"SELECT Id FROM Contact WHERE Email = '{JANE.upper()}'")
    assert acme.query(f"select ID from contact where id = '{upper['Id'][:15]}'")[0]["Id"] == upper["Id"]
    assert acme.query(f"SELECT Id FROM Contact WHERE Email IN ('{JANE.title()}', 'nobody@x.example')") == [upper]


def test_like_and_its_escapes(acme: InProcess) -> None:
    assert acme.query("SELECT Name FROM Contact WHERE Name LIKE 'jane d_e'")[0]["Name"] == "Jane Doe"
    assert acme.query(r"SELECT Name FROM Contact WHERE Name LIKE '%\%%'") == []
    assert len(acme.query(r"SELECT Name FROM Contact WHERE Name LIKE '%<Ops> &%'")) == 1


def test_not_equal_finds_nulls_and_less_does_not(acme: InProcess) -> None:
    everybody = acme.answer("SELECT COUNT() FROM Lead")["totalSize"]
    rated = acme.answer("SELECT COUNT() FROM Lead WHERE Rating = 'Hot'")["totalSize"]
    assert acme.answer("SELECT COUNT() FROM Lead WHERE Rating != 'Hot'")["totalSize"] == everybody - rated
    assert acme.answer("SELECT COUNT() FROM Lead WHERE Rating = null")["totalSize"] > 0
    assert acme.answer("SELECT COUNT() FROM Lead WHERE NumberOfEmployees < 5")["totalSize"] == 0


def test_an_empty_answer_has_three_members(acme: InProcess) -> None:
    answer = acme.answer("SELECT Id FROM Contact WHERE Email = 'nobody@nowhere.example'")
    assert answer == {"totalSize": 0, "done": True, "records": []}


def test_injection_is_only_a_strange_name(acme: InProcess) -> None:
    assert acme.query(r"SELECT Id FROM Contact WHERE Name = 'x\' OR Name LIKE \'%'") == []


def test_order_limit_offset(acme: InProcess) -> None:
    soql = "SELECT Amount FROM Opportunity WHERE Amount != null ORDER BY Amount DESC"
    amounts = [row["Amount"] for row in acme.query(soql)]
    assert amounts == sorted(amounts, reverse=True)
    assert [r["Amount"] for r in acme.query(soql + " LIMIT 3 OFFSET 2")] == amounts[2:5]


@pytest.mark.parametrize(("clause", "first_is_null"), [("ASC", True), ("DESC", True), ("ASC NULLS LAST", False)])
def test_nulls_first_unless_told(acme: InProcess, clause: str, first_is_null: bool) -> None:
    rows = acme.query(f"SELECT Rating FROM Lead ORDER BY Rating {clause}")
    assert (rows[0]["Rating"] is None) is first_is_null
    assert (rows[-1]["Rating"] is None) is not first_is_null


def test_picklists_sort_as_they_are_set_up(acme: InProcess) -> None:
    rows = acme.query("SELECT StageName FROM Opportunity ORDER BY StageName")
    assert rows[0]["StageName"] == "Prospecting"
    assert rows[-1]["StageName"] == "Closed Lost"


def test_groups(acme: InProcess) -> None:
    rows = acme.query(
        "SELECT StageName, COUNT(Id) n, SUM(Amount) FROM Opportunity GROUP BY StageName ORDER BY COUNT(Id) DESC"
    )
    assert rows[0]["attributes"] == {"type": "AggregateResult"}
    assert set(rows[0]) == {"attributes", "StageName", "n", "expr0"}
    assert sum(row["n"] for row in rows) == acme.answer("SELECT COUNT() FROM Opportunity")["totalSize"]
    few = acme.query("SELECT StageName FROM Opportunity GROUP BY StageName HAVING COUNT(Id) > 100000")
    assert few == []


def test_semi_joins(acme: InProcess) -> None:
    rows = acme.query(
        f"SELECT Name FROM Opportunity WHERE IsClosed = false AND AccountId IN "
        f"(SELECT AccountId FROM Contact WHERE Email = '{JANE}') ORDER BY CloseDate"
    )
    assert [row["Name"] for row in rows] == [
        "Northwind: fleet tracking, 240 vessels",
        "Northwind: harbour sensors pilot",
    ]
    with_case = "SELECT COUNT() FROM Contact WHERE Id {} (SELECT ContactId FROM Case)"
    inside, outside = (acme.answer(with_case.format(way))["totalSize"] for way in ("IN", "NOT IN"))
    assert inside + outside == acme.answer("SELECT COUNT() FROM Contact")["totalSize"]


@pytest.mark.parametrize(
    ("where", "code", "said"),
    [
        ("Id IN (SELECT ContactId FROM Case) OR Name = 'x'", "MALFORMED_QUERY", "not supported with the 'OR' operator"),
        ("Email IN (SELECT ContactId FROM Case)", "MALFORMED_QUERY", "should be an id field, cannot use: 'Email'"),
        ("Id IN (SELECT AccountId FROM Case)", "MALFORMED_QUERY", "should point to the same object type"),
        (
            "Id IN (SELECT ContactId FROM Case) AND Id IN (SELECT WhoId FROM Task) AND Id IN (SELECT WhoId FROM Event)",
            "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS",
            "Maximum 2 semi join",
        ),
        ("Id IN (SELECT Subject FROM Case)", "MALFORMED_QUERY", "must be an id or reference field"),
        ("Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nonsense"),
        ("Email = 5", "INVALID_FIELD", "must be of type string and should be enclosed in quotes"),
        (
            "CreatedDate = '2024-01-01'",
            "INVALID_FIELD",
            "must be of type dateTime and should not be enclosed in quotes",
        ),
        ("Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"),
        ("Id > '003Ac0000000001'", "INVALID_QUERY_FILTER_OPERATOR", "do not support"),
        ("Nope = 1", "INVALID_FIELD", "No such column 'Nope' on entity 'Contact'. If you are attempting"),
        ("Nope.Name = 'x'", "INVALID_FIELD", "Didn't understand relationship 'Nope' in field path."),
    ],
)
def test_refused_conditions(acme: InProcess, where: str, code: str, said: str) -> None:
    error = acme.error(f"SELECT Id FROM Contact WHERE {where}")
    assert (error.status, error.code) == (400, code)
    assert said in error.message


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        ("SELECT Id FROM Nothing", "INVALID_TYPE", "sObject type 'Nothing' is not supported."),
        (
            "SELECT Id, (SELECT Id FROM Contact) FROM Account",
            "INVALID_TYPE",
            "Didn't understand relationship 'Contact'",
        ),
        ("SELECT Id, Id FROM Account", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "Field must be grouped or aggregated: Name"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted in a query call"),
        ("SELECT Id, " + ", ".join(["(SELECT Id FROM Contacts)"] * 21) + " FROM Account", "MALFORMED_QUERY", "is 20"),
    ],
)
def test_refused_queries(acme: InProcess, soql: str, code: str, said: str) -> None:
    error = acme.error(soql)
    assert error.code == code
    assert said in error.message


def test_the_error_shows_where(acme: InProcess) -> None:
    message = acme.error("SELECT Id, Foo FROM Contact").message
    assert message.startswith(
        "\nSELECT Id, Foo FROM Contact\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo'"
    )


def test_pages_of_two_thousand_and_smaller_with_children(acme: InProcess) -> None:
    """Locators are opaque, the last page has no nextRecordsUrl, and nobody else can use one."""
    first = acme.answer("SELECT Id FROM Contact")
    assert len(first["records"]) == 2000
    assert not first["done"]
    locator = first["nextRecordsUrl"].rpartition("/")[2]
    rest = acme.rest("GET", f"query/{locator}")
    assert rest.body["done"]
    assert "nextRecordsUrl" not in rest.body
    assert len(rest.body["records"]) == first["totalSize"] - 2000
    assert acme.as_user("bob").rest("GET", f"query/{locator}").body[0]["errorCode"] == "INVALID_QUERY_LOCATOR"
    with_children = acme.answer("SELECT Id, (SELECT Id FROM Tasks) FROM Contact")
    assert len(with_children["records"]) == 500


def test_person_accounts(acme: InProcess, globex: InProcess) -> None:
    (ines,) = acme.query(
        "SELECT Name, PersonContact.Email, PersonContactId FROM Account WHERE PersonEmail LIKE 'ines.%'"
    )
    assert ines["PersonContact"]["Email"] == "ines.carvalho@postbox.example"
    (contact,) = acme.query(f"SELECT IsPersonAccount, AccountId FROM Contact WHERE Id = '{ines['PersonContactId']}'")
    assert contact["IsPersonAccount"] is True
    assert globex.error("SELECT PersonEmail FROM Account").code == "INVALID_FIELD"


def test_typeof(acme: InProcess) -> None:
    rows = acme.query(
        "SELECT TYPEOF Who WHEN Contact THEN Email WHEN Lead THEN Company END FROM Task WHERE Subject = 'Call Jane Doe'"
    )
    assert rows[0]["Who"]["Email"] == JANE


def test_deleted_records_only_with_query_all(fresh: InProcess) -> None:
    (jane,) = fresh.query(f"SELECT Id FROM Contact WHERE Email = '{JANE}'")
    assert fresh.rest("DELETE", f"sobjects/Contact/{jane['Id']}").status == 204
    assert fresh.query(f"SELECT Id FROM Contact WHERE Email = '{JANE}'") == []
    everything = fresh.rest("GET", "queryAll", q=f"SELECT IsDeleted FROM Contact WHERE Email = '{JANE}'")
    assert everything.body["records"][0]["IsDeleted"] is True
    gone = fresh.rest("GET", f"sobjects/Contact/{jane['Id']}")
    assert (gone.status, gone.body[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
