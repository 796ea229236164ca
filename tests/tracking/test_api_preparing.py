"""POST tracking/messages/ over HTTP: what is refused and why, and what is put in for whom (C47 to C49)."""

from typing import Any

import pytest

from tests.hardening import doors
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import HTML, Found, prepared, switched_on, within

JANE, JOE, BOB = "jane@northwind.example", "joe@northwind.example", "bob@acme.example"
LINK = "https://example.com/offer"


@pytest.fixture(scope="module")
def tracking(alice: AddIn) -> AddIn:
    return switched_on(alice)


def refused(person: AddIn, body: Any) -> dict[str, str]:
    """Field -> what is wrong with it."""
    answer = person.call("POST", "tracking/messages/", json=body)
    assert (answer.status_code, doors.fault(answer)) == (400, ""), answer.text[:500]
    told = answer.json()
    assert told["type"].endswith("/problems/invalid")
    assert told["detail"] == "Mend the values named in errors."
    return {each["field"]: each["message"] for each in told["errors"]}


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"recipients": []}, "recipients", "at least 1"),
        ({"recipients": JANE}, "recipients", "list"),
        ({"recipients": None}, "recipients", "null"),
        ({"recipients": [JANE] * 501}, "recipients", "500"),
        ({"recipients": [JANE, 5.5]}, "recipients", "valid string"),
        ({"recipients": [{"address": JANE}]}, "recipients", "valid string"),
        ({"recipients": ["a" * 1_001]}, "recipients", "1000"),
        ({"links": [LINK]}, "html", "either"),
        ({"html": 5.5}, "html", "valid string"),
        ({"html": ["<p>"]}, "html", "valid string"),
        ({"html": None}, "html", "null"),
        ({"html": "x" * 900_001}, "html", "900000"),
        ({"singly": "perhaps"}, "singly", "boolean"),
        ({"opens": [True]}, "opens", "boolean"),
        ({"clicks": {}}, "clicks", "boolean"),
        ({"clicks": 1}, "clicks", "boolean"),
        ({"subject": "x"}, "subject", "no such field"),
        ({"html": "x" * 50_000, "singly": True, "recipients": [f"a{each}@b.example" for each in range(500)]},
         "html", "links instead"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_mend(change: dict[str, Any], field: str, word: str, tracking: AddIn) -> None:
    errors = refused(tracking, {"recipients": [JANE], "html": HTML, **change})
    named = [message for name, message in errors.items() if name.split(".")[0] == field]
    assert named, errors
    assert word in named[0]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"links": LINK}, "links"), ({"links": [LINK] * 2_001}, "links"), ({"links": [None]}, "links"),
     ({}, "html")],
)  # fmt: skip
def test_links_that_are_none(change: dict[str, Any], field: str, tracking: AddIn) -> None:
    errors = refused(tracking, {"recipients": [JANE], **change})
    assert {name.split(".")[0] for name in errors} == {field}


@pytest.mark.parametrize("body", [[], "x", 5, None])
def test_a_body_that_is_no_object(body: Any, tracking: AddIn) -> None:
    answer = tracking.call("POST", "tracking/messages/", json=body)
    assert (answer.status_code, doors.fault(answer)) == (400, "")


def test_ten_megabytes(tracking: AddIn) -> None:
    answer = tracking.call(
        "POST", "tracking/messages/", fresh=True, json={"recipients": [JANE], "html": "x" * 10_000_000}
    )
    assert (answer.status_code, doors.fault(answer)) == (413, "")
    assert "1 MiB" in answer.json()["detail"]


def test_what_is_no_address_is_named_and_has_no_copy(tracking: AddIn) -> None:
    told = prepared(tracking, recipients=["nobody", JANE, "/O=ACME/CN=JOE"], html=HTML, singly=True)
    assert (told["tracked"], told["invalid"]) == (True, [0, 2])
    assert [copy["recipient"] for copy in told["copies"]] == [JANE]
    told = prepared(tracking, recipients=["nobody"], html=HTML)
    assert (told["tracked"], told["reason"], told["invalid"], told["copies"]) == (False, "no-recipients", [0], [])


def test_whoever_gets_the_same_copy_is_somebody_of_them(tracking: AddIn) -> None:
    """C50: a colleague may open it as well, so it is not said that Jane did; nor where one has no address we know."""
    for recipients in ([JANE, JOE], [JANE, BOB], [JANE, "nobody"]):
        told = prepared(tracking, recipients=recipients, links=[LINK])
        assert [copy["recipient"] for copy in told["copies"]] == [None]
        shown = tracking.call("GET", f"tracking/messages/{told['id']}/").json()
        assert [each["who"][:7] for each in shown["recipients"]] == ["Someone"]
    (jane,) = prepared(tracking, recipients=[f"Jane <{JANE.upper()}>", JANE], links=[LINK])["copies"]
    assert jane["recipient"].lower() == JANE


def test_singly_each_outsider_has_a_pixel_and_links_of_his_own(tracking: AddIn) -> None:
    told = prepared(tracking, recipients=[JANE, BOB, JOE], html=HTML, singly=True)
    assert [copy["recipient"] for copy in told["copies"]] == [JANE, JOE]
    images = [Found(copy["html"]).images for copy in told["copies"]]
    assert [len(each) for each in images] == [1, 1]
    links = [Found(copy["html"]).links for copy in told["copies"]]
    assert images[0] != images[1]
    assert links[0][0] != links[1][0]
    assert {each[1] for each in links} == {"mailto:a@b.example"}


def test_only_the_links_leave_the_mail_client(tracking: AddIn) -> None:
    (copy,) = prepared(
        tracking, links=[LINK, "mailto:a@b.example", "https://x.example/unsubscribe", f"{LINK}?{'x' * 20_000}"]
    )["copies"]
    assert copy["html"] is None
    assert "/t/o/" in copy["pixel"]
    assert ["/t/c/" in (each or "") for each in copy["links"]] == [True, False, False, False]
    assert copy["links"][1:] == [None, None, None]


def test_a_reply_loses_the_older_pixel_and_links_lead_straight_on(tracking: AddIn) -> None:
    """C49."""
    quoted = prepared(tracking, html=HTML)["copies"][0]["html"]
    (copy,) = prepared(tracking, html=f"<p>Again</p>{quoted}", clicks=False)["copies"]
    found = Found(copy["html"])
    assert found.images == [copy["pixel"]]
    assert found.links == ["https://example.com/offer?a=1&b=2#top", "mailto:a@b.example"]


def put_in(person: AddIn, **wanted: bool) -> tuple[bool, bool]:
    told = prepared(person, html=HTML, **wanted)
    if not told["tracked"]:
        assert (told["id"], told["reason"], told["copies"]) == (None, "switched-off", [])
        return False, False
    found = Found(told["copies"][0]["html"])
    return len(found.images) == 1, "/t/c/" in found.links[0]


def test_each_switch_at_each_level(tracking: AddIn, bob: AddIn) -> None:
    """C47, C48: organization, member and message; an "off" above is not switched on below, and off adds nothing."""
    assert put_in(bob) == (True, True)
    assert put_in(bob, opens=False) == (False, True)
    assert put_in(bob, clicks=False) == (True, False)
    assert put_in(bob, opens=False, clicks=False) == (False, False)
    try:
        set_policy(bob, "member", "track.opens", value=False)
        soon_puts_in(bob, False, True)
        assert put_in(tracking) == (True, True)
        set_policy(tracking, "organization", "track.clicks", value=False)
        set_policy(bob, "member", "track.clicks", value=True)
        soon_puts_in(bob, False, False)
        soon_puts_in(tracking, True, False)
    finally:
        set_policy(tracking, "organization", "track.clicks", value=True)
        assert bob.call("PATCH", "policy/", json={"reset": ["track.opens", "track.clicks"]}).status_code == 200
    soon_puts_in(bob, True, True)


def soon_puts_in(person: AddIn, *wanted: bool) -> None:
    """Another web process hears of a setting within a second."""
    within(5, lambda: put_in(person, opens=True, clicks=True) == wanted)


def set_policy(person: AddIn, level: str, key: str, *, value: bool) -> None:
    answer = person.call("PATCH", f"policy/?level={level}", json={"values": {key: value}})
    assert answer.status_code == 200, answer.text


def test_prepared_twice_is_two_messages_of_which_the_one_that_was_sent_counts(tracking: AddIn) -> None:
    """Why no Idempotency-Key is asked for: what is never sent is never shown to have been opened."""
    first, second = (prepared(tracking, links=[LINK]) for _ in range(2))
    assert first["id"] != second["id"]
    for _ in range(2):
        sent = tracking.call("POST", f"tracking/messages/{first['id']}/sent/", json={"message_id": "<twice@a.example>"})
        assert sent.status_code == 204
    found = tracking.call("POST", "tracking/messages/find/", json={"message_ids": ["<twice@a.example>", "<>"]})
    assert found.json() == {"ids": [first["id"]]}
    assert tracking.call("GET", f"tracking/messages/{second['id']}/").json()["sent_at"] is None
