"""SOSL over the seed: fields, words, operators, escapes, refusals."""

from typing import Any

import pytest

from tests.simulators.conftest import InProcess


def find(org: InProcess, text: str) -> list[dict[str, Any]]:
    answer = org.rest("GET", "search", q=text)
    assert answer.status == 200, answer.body
    return list(answer.body["searchRecords"])


def names(records: list[dict[str, Any]]) -> list[str]:
    return [record["Name"] for record in records]


def test_addresses_in_several_objects(acme: InProcess) -> None:
    found = find(
        acme,
        'FIND {"sofia.rossi@rossi-vini.example" OR "jane.doe@northwind.example"} IN EMAIL FIELDS '
        "RETURNING Contact(Name, Email, Account.Name), Lead(Name, Company WHERE IsConverted = false)",
    )
    assert [(r["attributes"]["type"], r["Name"]) for r in found] == [
        ("Contact", "Jane Doe"),
        ("Contact", "Sofia Rossi"),
        ("Lead", "Sofia Rossi"),
    ]
    assert found[0]["Account"]["Name"] == "Northwind Shipping"


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("jane doe", ["Jane Doe"]),
        ("JANE AND doe", ["Jane Doe"]),
        ('"doe jane"', []),
        ("lukasiewicz", []),
        ("Łukasiewicz", ["Tomasz Łukasiewicz"]),
        ("渡辺", ["渡辺 健二"]),
        ("łukasz*", []),
        ("łukasi*", ["Tomasz Łukasiewicz"]),
        ("O'Connor", ["Liam O'Connor"]),
        ("zo? berg", ["Zoë van der Berg"]),
        ("jane AND NOT doe", []),
        ("(zoë OR liam) AND (connor OR nobody)", ["Liam O'Connor"]),
        ("Guðmundsdóttir", ["Björk Guðmundsdóttir"]),
    ],
)
def test_words_and_operators(acme: InProcess, term: str, expected: list[str]) -> None:
    where = "WHERE AccountId != null AND CreatedDate < LAST_N_DAYS:699 ORDER BY Id"
    hand_written = {row["Name"] for row in acme.query("SELECT Name FROM Contact LIMIT 40")}
    found = names(find(acme, f"FIND {{{term}}} IN NAME FIELDS RETURNING Contact(Name {where})"))
    assert [name for name in found if name in hand_written] == expected


def test_escaped_reserved_characters_are_literal(acme: InProcess) -> None:
    assert names(find(acme, r"FIND {mary\-anne st\. clair} IN NAME FIELDS RETURNING Contact(Name)")) == [
        "Mary-Anne St. Clair"
    ]
    assert find(acme, r"FIND {\{jane\} \& \! \^ \~ \: \* \? \+ \" \'} IN NAME FIELDS RETURNING Contact(Name)") != []
    assert find(acme, r"FIND {ja\*} IN NAME FIELDS RETURNING Contact(Name)") == []


def test_limits_order_and_default_objects(acme: InProcess) -> None:
    assert len(find(acme, "FIND {example} IN EMAIL FIELDS RETURNING Contact(Id LIMIT 7), Lead(Id LIMIT 2)")) == 9
    assert len(find(acme, "FIND {example} IN EMAIL FIELDS RETURNING Contact(Id), Lead(Id) LIMIT 5")) == 5
    assert len(find(acme, "FIND {example} IN EMAIL FIELDS RETURNING Contact(Id), Lead(Id)")) == 2000
    kinds = {record["attributes"]["type"] for record in find(acme, "FIND {northwind}")}
    assert {"Account", "Contact", "Opportunity"} <= kinds
    assert set(find(acme, "FIND {northwind} RETURNING Account")[0]) == {"attributes", "Id"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("jane", "MALFORMED_SEARCH"),
        ("FIND {j}", "MALFORMED_SEARCH"),
        ("FIND {}", "MALFORMED_SEARCH"),
        ("FIND {(jane} RETURNING Contact", "MALFORMED_SEARCH"),
        ("FIND {jane|doe} RETURNING Contact", "MALFORMED_SEARCH"),
        ("FIND {jane} IN NOSE FIELDS RETURNING Contact", "MALFORMED_SEARCH"),
        ("FIND {jane} RETURNING Nothing", "INVALID_TYPE"),
        ("FIND {jane} RETURNING Contact(Nope)", "INVALID_FIELD"),
        ("FIND {jane} RETURNING Contact(Id WHERE)", "MALFORMED_QUERY"),
    ],
)
def test_refusals(acme: InProcess, text: str, code: str) -> None:
    answer = acme.rest("GET", "search", q=text)
    assert (answer.status, answer.body[0]["errorCode"]) == (400, code)


def test_too_long_finds_nothing(acme: InProcess) -> None:
    assert find(acme, "FIND {" + "jane OR " * 1300 + "doe} RETURNING Contact(Id)") == []


def test_parameterized(acme: InProcess) -> None:
    by_get = acme.rest("GET", "parameterizedSearch", q="jane doe", sobject="Contact", fields="Name").body
    assert names(by_get["searchRecords"]) == ["Jane Doe"]
    body = {
        "q": "jane.doe@northwind.example",
        "in": "EMAIL",
        "fields": ["Name"],
        "sobjects": [{"name": "Contact", "limit": 1}],
    }
    assert names(acme.rest("POST", "parameterizedSearch", body).body["searchRecords"]) == ["Jane Doe"]
    assert acme.rest("GET", "parameterizedSearch", q='a"}|{', sobject="Contact").status == 200
