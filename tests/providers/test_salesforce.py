"""The whole client against the simulated Salesforce: one call for a conversation, each person's own rights, faults."""

import threading
import time
import zlib
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
import requests

from providers import oauth
from providers.base import Person, PersonMatch, Priority
from providers.errors import NeedsReconnect, NotFound, PermissionMissing, RateLimited, Rejected, Transient
from providers.salesforce import access, hosts, identity
from tests.providers.simulated import VERSION, Memory, Someone, session_for, sign_in, someone
from tests.simulators.running import Running

JANE = "jane.doe@northwind.example"
CONVERSATION = [
    JANE,
    "liam.oconnor@northwind.example",
    "zoe.vanderberg@northwind.example",
    "t.lukasiewicz@northwind.example",
    "priya.raman@kestrel-labs.example",
    "kenji.watanabe@kestrel-labs.example",
    "juergen.mueller@xn--mller-shne-kcb9d.example",
    "sofia.rossi@rossi-vini.example",
    "ines.carvalho@postbox.example",
    "max+newsletter@mustermann.example",
    "nobody@nowhere.example",
    "o'brien%_\\@quotes.example",
]


@pytest.fixture
def alice(salesforce: Running) -> Someone:
    return someone(salesforce, "alice")


@pytest.fixture
def bob(salesforce: Running) -> Someone:
    return someone(salesforce, "bob")


def paths(salesforce: Running, org: str = "acme") -> list[str]:
    return [call["path"] for call in salesforce.calls(org)]


def one(found: PersonMatch) -> Person:
    assert len(found.people) == 1
    return found.people[0]


def groups(person: Person) -> dict[str, list[str]]:
    return {group.object: [record.name for record in group.records] for group in person.groups}


def test_a_conversation_of_twelve_costs_one_call(salesforce: Running, alice: Someone) -> None:
    """C55, C56: everybody with account, open opportunities, cases and activities."""
    found = alice.crm.find_people(CONVERSATION)
    assert paths(salesforce) == [f"/services/data/v{VERSION}/composite/"]
    assert list(found) == CONVERSATION
    kinds = {address: [person.kind for person in match.people] for address, match in found.items()}
    assert kinds == {
        **{address: ["Contact"] for address in CONVERSATION[:7]},
        "sofia.rossi@rossi-vini.example": ["Contact", "Lead"],
        "ines.carvalho@postbox.example": ["PersonAccount"],
        "max+newsletter@mustermann.example": ["Lead"],
        "nobody@nowhere.example": [],
        "o'brien%_\\@quotes.example": [],
    }
    jane = one(found[JANE])
    assert groups(jane).keys() == {"Account", "Opportunity", "Case", "Activity"}
    assert groups(jane)["Account"] == ["Northwind Shipping"]
    assert {field.name for field in jane.record.fields} >= {"Title", "Email", "Phone", "MobilePhone", "Department"}
    assert jane.record.url == f"{alice.pages}/{jane.record.id}"
    assert all(match.notes == () for match in found.values())


def test_closed_opportunities_stay_out(salesforce: Running, alice: Someone) -> None:
    jane = one(alice.crm.find_people([JANE])[JANE])
    shown = {record.id for group in jane.groups if group.object == "Opportunity" for record in group.records}
    records = {row["Id"]: row for row in salesforce.sim("state?object=Opportunity")["records"]["Opportunity"]}
    assert shown
    assert all(records[record_id]["IsClosed"] is False for record_id in shown)


def test_plus_tags_and_case(alice: Someone) -> None:
    """C54: the tag is left out where nobody has it; case does not matter."""
    asked = ["jane.doe+invoices@northwind.example", "JANE.DOE@northwind.example", "fatima.alsayed@oasis-travel.example"]
    found = alice.crm.find_people(asked)
    assert [one(found[address]).record.name for address in asked] == ["Jane Doe", "Jane Doe", "Fatima Al-Sayed"]


def test_converted_leads_are_left_out(alice: Someone) -> None:
    address = "hannah.goldberg@lighthouse-media.example"
    assert [person.kind for person in alice.crm.find_people([address])[address].people] == ["Contact"]


def test_a_hundred_addresses_still_cost_one_call(salesforce: Running, alice: Someone) -> None:
    rows = salesforce.sim("state?object=Contact")["records"]["Contact"]
    addresses = list(dict.fromkeys(row["Email"].lower() for row in rows if row.get("Email")))[:100]
    salesforce.reset(only=["calls"])
    found = alice.crm.find_people(addresses)
    assert len(paths(salesforce)) == 1
    assert sum(bool(match.people) for match in found.values()) >= 99


def test_very_long_addresses_take_more_calls_rather_than_none(salesforce: Running, alice: Someone) -> None:
    addresses = [f"{'a' * 60}.{number}@{'.'.join(['b' * 60] * 3)}.example" for number in range(100)]
    found = alice.crm.find_people([*addresses[:99], JANE])
    assert len(found) == 100
    assert found[JANE].people
    assert 2 <= len(paths(salesforce)) <= 4


def test_bob_sees_less_and_is_told_so(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C6, C15: no opportunities, two fields hidden, a private account's people not found."""
    private = "veronika@project-nightingale.example"
    assert alice.crm.find_people([private])[private].people
    found = bob.crm.find_people([JANE, private])
    jane = one(found[JANE])
    assert "Opportunity" not in groups(jane)
    shown = {field.name for field in jane.record.fields}
    assert {"MobilePhone", "Department"} <= {
        field.name for field in one(alice.crm.find_people([JANE])[JANE]).record.fields
    }
    assert not {"MobilePhone", "Department"} & shown
    assert found[private].people == ()
    assert found[JANE].notes[0] == "Opportunities are not visible to you in Salesforce."
    assert any(note.startswith("Not visible to you in Salesforce (Contact): ") for note in found[JANE].notes)
    may_edit = [{field.name for field in who.crm.form_for("Contact", jane.record.id).fields} for who in (alice, bob)]
    assert ["LeadSource" in names for names in may_edit] == [True, False]


def test_charlie_is_in_another_world(salesforce: Running, alice: Someone) -> None:
    charlie = someone(salesforce, "charlie", "globex")
    theirs = one(charlie.crm.find_people([JANE])[JANE])
    ours = one(alice.crm.find_people([JANE])[JANE])
    assert (theirs.kind, ours.kind) == ("Lead", "Contact")
    assert theirs.record.id != ours.record.id
    assert paths(salesforce, "globex") == [f"/services/data/v{VERSION}/composite/"]
    with pytest.raises(NotFound):
        charlie.crm.form_for("Contact", ours.record.id)


def test_a_field_hidden_meanwhile_costs_one_describe(salesforce: Running, alice: Someone) -> None:
    """C15: what was visible at connect is not any more; one describe, one retry, then as before."""
    salesforce.sim("users/alice", {"hide": ["Contact.Phone"]})
    try:
        jane = one(alice.crm.find_people([JANE])[JANE])
        assert "Phone" not in {field.name for field in jane.record.fields}
        assert len(paths(salesforce)) == 3
        alice.crm.find_people([JANE])
        assert len(paths(salesforce)) == 4
        assert not alice.store.kept or not alice.store.kept.sees("Contact", "Phone")
    finally:
        salesforce.sim("users/alice", {"show": ["Contact.Phone"]})


def test_search_covers_custom_objects_in_one_call(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C16."""
    found = alice.crm.search("northwind")
    assert len(paths(salesforce)) == 1
    assert {"Account", "Opportunity"} <= {record.object for record in found}
    assert all(record.label and record.name and record.url.endswith(record.id) for record in found)
    names = {row["Name"] for row in salesforce.sim("state?object=Project__c")["records"]["Project__c"]}
    name = min(names)
    assert "Project__c" in {record.object for record in alice.crm.search(name)}
    assert "Opportunity" not in {record.object for record in bob.crm.search("northwind")}


@pytest.mark.parametrize(
    "text", ["O'Connor", 'a" OR {b}', "50% & more", "c\\d e", "and or not", "Müller & Söhne", "日本語", "wh?t* ~x^y"]
)
def test_search_text_is_only_text(alice: Someone, text: str) -> None:
    """BI-A5: Salesforce sees the characters, not operators: a record of that name is found, and no error comes."""
    record = alice.crm.create("Lead", {"LastName": text, "Company": "Odd"})
    assert record.id in {each.id for each in alice.crm.search(text)}


def test_search_needs_two_letters(salesforce: Running, alice: Someone) -> None:
    for text in ("", "a", "!!!", "a" * 201):
        with pytest.raises(Rejected):
            alice.crm.search(text)
    assert paths(salesforce) == []


def test_create_edit_and_open(salesforce: Running, alice: Someone) -> None:
    """C12, C14: a record made, changed and opened as this person."""
    form = alice.crm.form_for("Lead")
    assert {field.name for field in form.fields if field.required} >= {"LastName", "Company"}
    status = next(field for field in form.fields if field.name == "Status")
    assert status.options
    record = alice.crm.create(
        "Lead", {"FirstName": "Nora", "LastName": "Quist", "Company": "Q", "Email": "n@q.example"}
    )
    assert (record.object, record.name) == ("Lead", "Nora Quist")
    alice.crm.update("Lead", record.id, {"Title": "CTO"})
    person = one(alice.crm.find_people(["n@q.example"])["n@q.example"])
    assert person.record.id == record.id
    assert {field.name: field.value for field in person.record.fields}["Title"] == "CTO"
    edit = alice.crm.form_for("Lead", record.id)
    assert {field.name: field.value for field in edit.fields}["LastName"] == "Quist"


def test_a_person_account_is_edited_as_account(alice: Someone) -> None:
    address = "ines.carvalho@postbox.example"
    person = one(alice.crm.find_people([address])[address])
    assert (person.kind, person.record.object) == ("PersonAccount", "Account")
    form = alice.crm.form_for("Account", person.record.id)
    assert "PersonEmail" in {field.name for field in form.fields}
    alice.crm.update("Account", person.record.id, {"PersonTitle": "Lead architect"})
    fields = {field.name: field for field in one(alice.crm.find_people([address])[address]).record.fields}
    assert fields["PersonTitle"].value == "Lead architect"
    assert fields["PersonTitle"].editable


def test_salesforce_refuses_and_we_say_why(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C15: the forced call is made, and Salesforce's refusal comes back unchanged."""
    with pytest.raises(Rejected) as refusal:
        alice.crm.create("Lead", {"FirstName": "No", "LastName": "Company"})
    assert refusal.value.details[0].code == "REQUIRED_FIELD_MISSING"
    assert "Company" in refusal.value.details[0].fields
    jane = one(bob.crm.find_people([JANE])[JANE])
    with pytest.raises((Rejected, PermissionMissing)) as forced:
        bob.crm.update("Contact", jane.record.id, {"LeadSource": "Web"})
    assert forced.value.details
    with pytest.raises((PermissionMissing, NotFound)):
        bob.crm.create("Opportunity", {"Name": "x", "StageName": "Prospecting", "CloseDate": "2030-01-01"})
    with pytest.raises(PermissionMissing):
        bob.crm.form_for("Opportunity")


def test_read_only_people_get_no_form_and_a_refusal(salesforce: Running) -> None:
    rita = someone(salesforce, "rita")
    match = rita.crm.find_people([JANE])[JANE]
    assert match.creatable == ()
    assert not one(match).editable
    with pytest.raises(PermissionMissing):
        rita.crm.form_for("Contact")
    with pytest.raises(PermissionMissing):
        rita.crm.form_for("Contact", one(match).record.id)
    with pytest.raises((PermissionMissing, NotFound)) as refusal:
        rita.crm.create("Contact", {"LastName": "x"})
    assert refusal.value.details


@pytest.mark.parametrize("name", ["", "Contact/../User", "Contact?x", "session", "bulk", "Contact'", "a" * 200])
def test_object_names_are_checked(salesforce: Running, alice: Someone, name: str) -> None:
    with pytest.raises((NotFound, PermissionMissing, Rejected)):
        alice.crm.create(name, {"LastName": "x"})
    with pytest.raises((NotFound, PermissionMissing, Rejected)):
        alice.crm.form_for(name)


def test_record_ids_are_checked_before_any_call(salesforce: Running, alice: Someone) -> None:
    """BI-A7."""
    for bad in ("", "003", "x" * 16, "../../sobjects/User", "001Ac0000000001IAA"):
        with pytest.raises(NotFound):
            alice.crm.update("Contact", bad, {"Title": "x"})
    assert paths(salesforce) == []


def test_values_are_checked(alice: Someone) -> None:
    for bad in ({"Last Name": "x"}, {"LastName": {"a": 1}}, {"LastName": float("nan")}, {"a" * 90: 1}):
        with pytest.raises(Rejected):
            alice.crm.create("Contact", bad)


def test_one_time_link(salesforce: Running, alice: Someone) -> None:
    """C14: opens the record in a browser that was never signed in; works once."""
    jane = one(alice.crm.find_people([JANE])[JANE])
    link = alice.crm.open_url(jane.record.id)
    assert link.reveal() not in repr(link)
    assert alice.tokens.current.access_token.reveal() not in link.reveal()
    with requests.Session() as browser:
        browser.verify = salesforce.ca
        page = browser.get(link.reveal(), timeout=10)
        assert "Jane Doe" in page.text
    with requests.Session() as browser:
        browser.verify = salesforce.ca
        assert "Head of Procurement" not in browser.get(link.reveal(), timeout=10).text


def test_without_the_web_scope_the_plain_link(salesforce: Running) -> None:
    alice = someone(salesforce, "alice", scopes="id api refresh_token")
    assert "web" not in alice.tokens.current.scopes
    jane = one(alice.crm.find_people([JANE])[JANE])
    assert alice.crm.open_url(jane.record.id).reveal() == jane.record.url


def test_a_dead_session_is_renewed_once(salesforce: Running, alice: Someone) -> None:
    """C13."""
    salesforce.sim("tokens/expire", {"all": True})
    assert alice.crm.find_people([JANE])[JANE].people
    assert alice.tokens.renewals == 1


def test_revoked_at_salesforce(salesforce: Running, alice: Someone) -> None:
    """C17: at most one further attempt, then the person is needed."""
    salesforce.sim("users/alice", {"revoke": True})
    salesforce.reset(only=["calls"])
    with pytest.raises(NeedsReconnect, match="revoked or has expired"):
        alice.crm.find_people([JANE])
    assert len(salesforce.calls(counted=False)) <= 2


def test_disconnecting_revokes(salesforce: Running, alice: Someone) -> None:
    """C17."""
    refresh_token = alice.tokens.current.refresh_token
    assert refresh_token is not None
    server = oauth.discover(salesforce.org()["api_url"], alice.session)
    oauth.revoke(server, refresh_token, alice.session)
    oauth.revoke(server, refresh_token, alice.session)
    with pytest.raises(NeedsReconnect):
        alice.crm.find_people([JANE])


def test_background_sheds_and_clicks_do_not(salesforce: Running, alice: Someone) -> None:
    salesforce.sim("limits", {"used": 690, "max": 1000})
    alice.crm.find_people([JANE])
    usage = alice.crm.usage()
    assert usage is not None
    assert (usage.used, usage.limit) == (691, 1000)
    for _ in range(9):
        alice.crm.find_people([JANE], priority=Priority.PREFETCH)
    with pytest.raises(RateLimited):
        alice.crm.find_people([JANE], priority=Priority.PREFETCH)
    usage = alice.crm.usage()
    assert usage is not None
    assert usage.used == 700
    assert alice.crm.find_people([JANE])[JANE].people


def test_the_day_is_used_up(salesforce: Running, alice: Someone) -> None:
    salesforce.sim("limits", {"used": 1000, "max": 1000})
    with pytest.raises(RateLimited) as refusal:
        alice.crm.find_people([JANE])
    assert refusal.value.daily
    salesforce.sim("limits", {"used": 0, "max": 100_000})


def test_a_crawling_answer_ends_in_time(salesforce: Running) -> None:
    """FT21: one byte a second."""
    alice = someone(salesforce, "alice", read_seconds=1.0, total_seconds=1.5)
    salesforce.sim("faults", {"path": "/services/data", "bytes_per_second": 1})
    started = time.monotonic()
    with pytest.raises(Transient):
        alice.crm.find_people([JANE])
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200, "body": "<html>login</html>"},
        {"status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE", "message": "x"}]},
        {"cut_after": 40},
        {"status": 200, "body": {"compositeResponse": [{}]}},
        {
            "status": 200,
            "body": {"compositeResponse": [{"referenceId": "contacts", "httpStatusCode": 200, "body": []}]},
        },
        {"status": 200, "body": []},
        {"status": 302, "body": "", "headers": {"Location": "https://169.254.169.254/"}},
    ],
)
def test_passing_faults_are_typed_and_not_repeated(
    salesforce: Running, alice: Someone, fault: dict[str, object]
) -> None:
    """FT23: one call, one typed failure."""
    salesforce.sim("faults", {"path": "/services/data", **fault})
    with pytest.raises(Transient):
        alice.crm.find_people([JANE])
    assert len(salesforce.calls(counted=False)) <= 1
    assert alice.crm.find_people([JANE])[JANE].people


def test_identity_says_who_where_and_with_what_rights(salesforce: Running) -> None:
    """C11, C23, C24."""
    session = session_for(salesforce)
    tokens = sign_in(salesforce, session, "bob")
    facts = salesforce.org()
    found = identity.identify(tokens.current, session, api_version=VERSION)
    user = next(user for user in facts["users"] if user["key"] == "bob")
    assert (found.salesforce_org_id, found.salesforce_user_id) == (facts["salesforce_org_id"], user["id"])
    assert (found.username, found.name, found.email) == (user["username"], user["name"], user["email"])
    assert (found.organization_name, found.is_sandbox, found.is_administrator) == (facts["name"], False, False)
    assert (found.profile, found.time_zone, found.locale, found.language) == (
        "Sales Rep",
        "Europe/Berlin",
        "de_DE",
        "de",
    )
    admin = identity.identify(sign_in(salesforce, session, "alice").current, session, api_version=VERSION)
    assert admin.is_administrator
    assert admin.permission_sets
    assert len([path for path in paths(salesforce) if path.endswith("composite/")]) == 2


def test_sandbox(salesforce: Running) -> None:
    """C5."""
    session = session_for(salesforce)
    sandbox = salesforce.login_host("test")["login_url"]
    tokens = sign_in(salesforce, session, "alice", "sandbox", at=sandbox)
    found = identity.identify(tokens.current, session, api_version=VERSION)
    assert found.is_sandbox
    assert (
        found.salesforce_org_id
        == salesforce.org("sandbox")["salesforce_org_id"]
        != salesforce.org()["salesforce_org_id"]
    )
    assert tokens.current.api_url == salesforce.org("sandbox")["api_url"]


def test_a_partner_signs_in_through_a_site(salesforce: Running) -> None:
    """C6: Experience Cloud, below its path; what the licence does not show is simply less."""
    session = session_for(salesforce)
    site = salesforce.org()["site"]["login_url"]
    tokens = sign_in(salesforce, session, "pat", at=site)
    found = identity.identify(tokens.current, session, api_version=VERSION, login_url=site)
    assert (found.user_type.lower(), found.is_administrator) == ("powerpartner", False)
    store = Memory()
    from providers.salesforce.budget import ApiBudget
    from providers.salesforce.crm import SalesforceCrm

    crm = SalesforceCrm(tokens, store, ApiBudget(), session, VERSION)
    assert crm.find_people(["quentin.quill@partner-co.example"])["quentin.quill@partner-co.example"].people
    assert crm.find_people([JANE])[JANE].people == ()


def test_anothers_identity_is_refused(salesforce: Running) -> None:
    """C11: the identity URL must be the token's own."""
    session = session_for(salesforce)
    alice, bob = (sign_in(salesforce, session, user).current for user in ("alice", "bob"))
    with pytest.raises((Rejected, PermissionMissing, NotFound, NeedsReconnect)):
        identity.identify(replace(alice, identity=bob.identity), session, api_version=VERSION)


def test_a_user_without_the_api_right_is_told_plainly(salesforce: Running) -> None:
    session = session_for(salesforce)
    tokens = sign_in(salesforce, session, "dana")
    with pytest.raises(PermissionMissing, match="API access is switched off"):
        identity.identify(tokens.current, session, api_version=VERSION)


def test_what_is_kept_of_describe_is_small(alice: Someone) -> None:
    assert alice.store.kept is not None
    assert len(zlib.compress(alice.store.kept.to_json().encode())) < 60_000
    assert access.ObjectAccess.from_json(alice.store.kept.to_json()) == alice.store.kept
    assert alice.store.kept.has_person_accounts


def test_without_a_kept_describe_two_calls_the_first_time(salesforce: Running, alice: Someone) -> None:
    alice.store.kept = None
    alice.crm.find_people([JANE])
    alice.crm.find_people([JANE])
    assert len(paths(salesforce)) == 3


def test_many_threads_share_connections_and_mix_nothing(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """Alice and Bob at once over one pooled session: nobody sees the other's fields."""
    bob.crm = type(bob.crm)(bob.tokens, bob.store, bob.budget, alice.session, VERSION, bob.pages)
    leaks: list[str] = []

    def look(person: Someone, may_see: bool) -> None:
        for _ in range(10):
            jane = one(person.crm.find_people([JANE])[JANE])
            if ("Opportunity" in groups(jane)) is not may_see:
                leaks.append(jane.record.id)

    threads = [threading.Thread(target=look, args=(who, who is alice)) for who in (alice, bob) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []
    assert len(paths(salesforce)) == 80


def test_pages_of_the_simulated_org(salesforce: Running) -> None:
    session = session_for(salesforce)
    facts = salesforce.org()
    server = oauth.discover(facts["api_url"], session)
    assert (
        hosts.page_url(facts["api_url"], server.authorization_endpoint, session.settings.origins) == facts["pages_url"]
    )
    assert urlsplit(server.token_endpoint).scheme == "https"
