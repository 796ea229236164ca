"""The SOQL parser: forms it takes, forms it refuses, and what literals mean."""

from datetime import date

import pytest

from simulators.salesforce.soql.dates import range_of
from simulators.salesforce.soql.lexer import SoqlError, tokens_of, unescape
from simulators.salesforce.soql.parser import parse
from simulators.salesforce.soql.tree import Combined, Comparison, Literal, Negated, Query, Selected, SemiJoin


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM Contact",
        "select id, name from contact where name like 'a%' order by name desc nulls last limit 5 offset 2",
        "SELECT c.Id FROM Contact c WHERE c.Name != null",
        "SELECT Id, (SELECT Id FROM Tasks WHERE IsClosed = false LIMIT 3) FROM Contact",
        "SELECT COUNT() FROM Lead",
        "SELECT StageName s, COUNT(Id) n FROM Opportunity GROUP BY StageName HAVING COUNT(Id) > 1 ORDER BY COUNT(Id)",
        "SELECT FIELDS(STANDARD) FROM Account LIMIT 1",
        "SELECT TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Name END FROM Event",
        "SELECT Id FROM Contact WHERE (A = 1 OR B = 2) AND NOT (C = 3) AND D IN ('x', 'y') AND E NOT IN ('z')",
        "SELECT Id FROM Contact WHERE AccountId IN (SELECT AccountId FROM Case)",
        "SELECT Id FROM Task WHERE CreatedDate > 2024-02-03T04:05:06+02:00 AND ActivityDate = LAST_N_DAYS:7",
        "SELECT Id FROM Lead USING SCOPE mine WITH SECURITY_ENFORCED FOR VIEW",
        "SELECT toLabel(Status) FROM Lead\nWHERE\tStatus = 'it\\'s'",
    ],
)
def test_these_are_queries(text: str) -> None:
    assert parse(text).select


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT Id FORM Contact", "unexpected token: 'Contact'"),
        ("SELECT FROM Contact", "unexpected token: 'FROM'"),
        ("SELECT Id FROM Contact WHERE", "unexpected token: '<EOF>'"),
        ("SELECT Id FROM Contact WHERE A = 1 AND B = 2 OR C = 3", "unexpected token: 'OR'"),
        ("SELECT Id FROM Contact LIMIT -1", "unexpected token: '-1'"),
        ("SELECT Id FROM Contact WHERE Name = 'x", "mismatched character '<EOF>'"),
        ("SELECT Id FROM Contact WHERE Name = 'x' ; DELETE", "no viable alternative at character ';'"),
        ('SELECT Id FROM Contact WHERE Name = "x"', "no viable alternative"),
        ("SELECT Id FROM Contact WHERE Name = :bound", "unexpected token: ':'"),
        ("SELECT Id FROM Contact trailing more", "unexpected token: 'more'"),
        ("SELECT *", "no viable alternative at character '*'"),
        ("", "has to be specified"),
        ("SELECT Id FROM Contact WHERE Name = 'a\\q'", "Illegal character sequence"),
        ("SELECT Id FROM Contact WHERE Name = '" + "x" * 100_000 + "'", "cannot be longer than 100000"),
        ("SELECT Id FROM Contact WHERE " + "(" * 500 + "A = 1" + ")" * 500, "nested too deeply"),
        ("SELECT Id FROM Contact WHERE " + "NOT " * 5000 + "A = 1", "nested too deeply"),
    ],
)
def test_these_are_not(text: str, said: str) -> None:
    with pytest.raises(SoqlError) as raised:
        parse(text)
    assert said in raised.value.message


def test_the_error_points_at_the_place() -> None:
    with pytest.raises(SoqlError) as raised:
        parse("SELECT Id\nFROM Contact WHERE")
    assert "ERROR at Row:2:Column:19" in raised.value.located("SELECT Id\nFROM Contact WHERE")


def test_conditions_keep_their_structure() -> None:
    where = parse("SELECT Id FROM C WHERE A = 1 AND (B = 2 OR NOT D IN (SELECT X FROM Y))").where
    assert isinstance(where, Combined)
    assert where.operator == "AND"
    either = where.parts[1]
    assert isinstance(either, Combined)
    assert either.operator == "OR"
    assert isinstance(either.parts[1], Negated)
    assert isinstance(either.parts[1].part, SemiJoin)


def test_child_queries_and_aliases() -> None:
    query = parse("SELECT Id, (SELECT Subject FROM Tasks), COUNT(Id) many FROM Contact x")
    assert query.alias == "x"
    assert isinstance(query.select[1], Query)
    assert isinstance(query.select[2], Selected)
    assert query.select[2].alias == "many"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (r"'it\'s'", "it's"),
        (r"'a\\b'", "a\\b"),
        (r"'\n\t\r\f\b'", "\n\t\r\f\b"),
        (r"'\u00e9\"'", 'é"'),
        (r"'100\%'", "100%"),
        ("'Łódź 渡辺 \U0001f600'", "Łódź 渡辺 \U0001f600"),
    ],
)
def test_escapes_in_strings(raw: str, value: str) -> None:
    assert unescape(raw, 0) == value
    assert tokens_of(raw)[0].text == raw


@pytest.mark.parametrize(
    ("name", "count", "first", "after"),
    [
        ("TODAY", 0, "2024-02-29", "2024-03-01"),
        ("YESTERDAY", 0, "2024-02-28", "2024-02-29"),
        ("TOMORROW", 0, "2024-03-01", "2024-03-02"),
        ("THIS_WEEK", 0, "2024-02-25", "2024-03-03"),
        ("LAST_WEEK", 0, "2024-02-18", "2024-02-25"),
        ("THIS_MONTH", 0, "2024-02-01", "2024-03-01"),
        ("LAST_MONTH", 0, "2024-01-01", "2024-02-01"),
        ("NEXT_MONTH", 0, "2024-03-01", "2024-04-01"),
        ("THIS_QUARTER", 0, "2024-01-01", "2024-04-01"),
        ("LAST_QUARTER", 0, "2023-10-01", "2024-01-01"),
        ("THIS_YEAR", 0, "2024-01-01", "2025-01-01"),
        ("LAST_N_DAYS", 3, "2024-02-26", "2024-03-01"),
        ("NEXT_N_DAYS", 3, "2024-03-01", "2024-03-04"),
        ("LAST_90_DAYS", 0, "2023-12-01", "2024-03-01"),
        ("LAST_N_MONTHS", 2, "2023-12-01", "2024-02-01"),
        ("NEXT_N_YEARS", 2, "2025-01-01", "2027-01-01"),
        ("N_DAYS_AGO", 29, "2024-01-31", "2024-02-01"),
        ("N_MONTHS_AGO", 2, "2023-12-01", "2024-01-01"),
        ("LAST_FISCAL_QUARTER", 0, "2023-10-01", "2024-01-01"),
    ],
)
def test_relative_dates(name: str, count: int, first: str, after: str) -> None:
    found = range_of(Literal("relative", name, 0, count=count), date(2024, 2, 29))
    assert found == (date.fromisoformat(first), date.fromisoformat(after))


def test_a_hostile_value_stays_a_value() -> None:
    where = parse(r"SELECT Id FROM Contact WHERE Email = '\' OR Name LIKE \'%'").where
    assert isinstance(where, Comparison)
    assert where.values[0].value == "' OR Name LIKE '%"
