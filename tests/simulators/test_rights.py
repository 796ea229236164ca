"""Profiles of the simulated Salesforce: object rights, field-level security, sharing; hidden means not there."""
# ruff: noqa: S608 - SOQL for the simulator, which has no database

import pytest

from tests.simulators.conftest import InProcess

JANE = "jane.doe@northwind.example"


def test_a_hidden_field_fails_the_whole_query(acme: InProcess) -> None:
    """C57: the promise behind it is that we know beforehand what a person may see."""
    bob = acme.as_user("bob")
    assert acme.query(f"SELECT Name, MobilePhone FROM Contact WHERE Email = '{JANE}'")[0]["MobilePhone"]
    for soql in (
        "SELECT Name, MobilePhone FROM Contact",
        "SELECT Name FROM Contact WHERE Department = 'IT'",
        "SELECT Name FROM Contact ORDER BY Department",
        "SELECT Contact.Department FROM Case",
        "SELECT Id, (SELECT MobilePhone FROM Contacts) FROM Account",
    ):
        error = bob.error(soql)
        assert error.code == "INVALID_FIELD"
        assert "No such column" in error.message
        assert "on entity 'Contact'" in error.message


def test_a_hidden_field_is_in_no_other_answer(acme: InProcess) -> None:
    bob = acme.as_user("bob")
    (jane,) = bob.query(f"SELECT Id FROM Contact WHERE Email = '{JANE}'")
    record = bob.rest("GET", f"sobjects/Contact/{jane['Id']}").body
    described = {field["name"] for field in bob.rest("GET", "sobjects/Contact/describe").body["fields"]}
    for name in ("MobilePhone", "Department"):
        assert name not in record
        assert name not in described
    assert (
        bob.rest("GET", f"sobjects/Contact/{jane['Id']}", fields="MobilePhone").body[0]["errorCode"] == "INVALID_FIELD"
    )
    assert "+44 7700 900111" not in str(bob.query("SELECT FIELDS(ALL) FROM Contact LIMIT 200"))


def test_a_hidden_field_is_not_searched(acme: InProcess) -> None:
    for user, found in (("alice", 1), ("bob", 0)):
        answer = acme.as_user(user).rest("GET", "search", q="FIND {900111} IN PHONE FIELDS RETURNING Contact(Id)")
        assert len(answer.body["searchRecords"]) == found


def test_an_unreadable_object_is_not_there(acme: InProcess) -> None:
    bob = acme.as_user("bob")
    error = bob.error("SELECT Id FROM Opportunity")
    assert (error.code, "sObject type 'Opportunity' is not supported" in error.message) == ("INVALID_TYPE", True)
    assert bob.error("SELECT Id, (SELECT Id FROM Opportunities) FROM Account").code == "INVALID_TYPE"
    assert bob.error("SELECT Opportunity.Name FROM OpportunityContactRole").code == "INVALID_TYPE"
    assert bob.error("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Opportunity)").code == "INVALID_TYPE"
    assert bob.rest("GET", "sobjects/Opportunity/describe").status == 404
    assert bob.rest("POST", "sobjects/Opportunity", {"Name": "x"}).status == 404
    names = {each["name"] for each in bob.rest("GET", "sobjects").body["sobjects"]}
    assert "Contact" in names
    assert "Opportunity" not in names


def test_private_accounts_and_what_hangs_on_them(acme: InProcess) -> None:
    soql = "SELECT Name FROM Contact WHERE Email = 'veronika@project-nightingale.example'"
    assert len(acme.query(soql)) == 1
    assert acme.as_user("bob").query(soql) == []
    assert acme.as_user("bob").query("SELECT Id FROM Account WHERE Name = 'Project Nightingale'") == []
    (secret,) = acme.query("SELECT Id FROM Account WHERE Name = 'Project Nightingale'")
    assert acme.as_user("bob").rest("GET", f"sobjects/Account/{secret['Id']}").status == 404
    assert acme.as_user("erin").query("SELECT Id FROM Opportunity WHERE Name = 'Nightingale'") == []


def test_a_partner_sees_her_own_account(acme: InProcess) -> None:
    pat = acme.as_user("pat")
    assert {row["Name"] for row in pat.query("SELECT Name FROM Contact")} == {"Pat Partridge", "Quentin Quill"}
    assert pat.query(f"SELECT Id FROM Contact WHERE Email = '{JANE}'") == []


@pytest.mark.parametrize(("user", "everything"), [("alice", True), ("bob", False), ("dana", False)])
def test_permissions_are_queryable(acme: InProcess, user: str, everything: bool) -> None:
    rows = acme.as_user(user).query(
        "SELECT PermissionsModifyAllData, PermissionsCustomizeApplication, PermissionsApiEnabled "
        "FROM UserPermissionAccess"
    )
    assert len(rows) == 1
    assert rows[0]["PermissionsModifyAllData"] is everything
    assert rows[0]["PermissionsCustomizeApplication"] is everything
    assert rows[0]["PermissionsApiEnabled"] is (user != "dana")


def test_who_am_i_from_records(acme: InProcess) -> None:
    (bob,) = acme.query(
        "SELECT Name, Profile.Name, UserType, TimeZoneSidKey, IsActive FROM User WHERE Username = 'bob@acme.example'"
    )
    assert bob["Profile"]["Name"] == "Sales Rep"
    assert (bob["UserType"], bob["TimeZoneSidKey"], bob["IsActive"]) == ("Standard", "Europe/Berlin", True)
    sets = acme.query(
        "SELECT PermissionSet.Label FROM PermissionSetAssignment WHERE PermissionSet.IsOwnedByProfile = false "
        f"AND AssigneeId = '{acme.org.users['alice'].id}'"
    )
    assert [row["PermissionSet"]["Label"] for row in sets] == ["Sidebar Users"]
    (organization,) = acme.query("SELECT Id, Name, IsSandbox, InstanceName, OrganizationType FROM Organization")
    assert organization["Id"] == acme.org.id
    assert organization["IsSandbox"] is False


def test_read_only_profile_and_field(fresh: InProcess) -> None:
    (jane,) = fresh.query(f"SELECT Id FROM Contact WHERE Email = '{JANE}'")
    path = f"sobjects/Contact/{jane['Id']}"
    refused = fresh.as_user("rita").rest("PATCH", path, {"Title": "x"})
    assert (refused.status, refused.body[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    described = fresh.as_user("rita").rest("GET", "sobjects/Contact/describe").body
    assert not described["createable"]
    assert not any(field["updateable"] for field in described["fields"])
    field = fresh.as_user("bob").rest("PATCH", path, {"LeadSource": "Web"})
    assert (field.status, field.body[0]["errorCode"]) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert field.body[0]["fields"] == ["LeadSource"]
    assert fresh.as_user("bob").rest("PATCH", path, {"MobilePhone": "1"}).body[0]["errorCode"] == "INVALID_FIELD"
    assert fresh.as_user("bob").rest("DELETE", path).status == 403
