"""The API of this room: roles, strangers, bad input. Every endpoint has its Charlie."""

import uuid
from typing import Any

import pytest

from organizations import audit, domains, invitations, membership, policy, refusals, roles
from organizations.models import AuditEntry, Domain, Invitation, Member, Role
from tests.organizations import people

pytestmark = pytest.mark.django_db

EVERY = [
    ("get", "me/"),
    ("get", "me/devices/"),
    ("delete", f"me/devices/{uuid.uuid4()}/"),
    ("get", "policy/"),
    ("patch", "policy/"),
    ("get", "members/"),
    ("patch", f"members/{uuid.uuid4()}/"),
    ("get", "invitations/"),
    ("post", "invitations/"),
    ("delete", "invitations/1/"),
    ("get", "domains/"),
    ("post", "domains/"),
    ("delete", "domains/1/"),
    ("get", "audit/"),
]


def is_for_everybody(path: str) -> bool:
    """What each may ask about himself, and read of the organization."""
    return path in ("policy/", "domains/") or path.startswith("me/")


def problem(response: Any, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.content[:400]
    assert response["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told["type"].endswith(f"/problems/{slug}")
    return told


@pytest.mark.parametrize(("method", "path"), EVERY)
def test_nobody_gets_in_without_a_token(method: str, path: str, everybody: Any) -> None:
    problem(getattr(people.browser(), method)(f"/api/v1/{path}"), 401, "not-authenticated")


@pytest.mark.parametrize(("method", "path"), [entry for entry in EVERY if not is_for_everybody(entry[1])])
def test_a_user_may_not(method: str, path: str, bob: Member) -> None:
    problem(people.api(bob).call(method, path, {}), 403, "forbidden")


def test_no_role_has_powers_while_salesforce_does_not_vouch_for_the_person(alice: Member, bob: Member) -> None:
    """Who was revoked at Salesforce, or disconnected, may read his own; his role counts again from his next sign-in."""
    membership.change_role(alice, bob, Role.MANAGER)
    apis = [people.api(alice), people.api(bob)]
    membership.unconfirm(alice.pk)
    membership.unconfirm(bob.pk)
    for method, path in EVERY:
        if not is_for_everybody(path) or (method, path) == ("post", "domains/"):
            problem(apis[0].call(method, path, {}), 403, "forbidden")
    for method, path in (("get", "members/"), ("post", "invitations/")):
        problem(apis[1].call(method, path, {}), 403, "forbidden")
    problem(apis[0].call("patch", "policy/?level=organization", WHITELIST), 403, "forbidden")
    assert apis[0].call("get", "me/").json()["is_confirmed"] is False
    assert apis[0].call("get", "policy/").status_code == 200
    membership.confirm(alice.pk)
    assert apis[0].call("patch", "policy/?level=organization", WHITELIST).status_code == 200


def test_a_call_that_was_under_way_finds_the_powers_gone(alice: Member, bob: Member) -> None:
    membership.unconfirm(alice.pk)
    with pytest.raises(refusals.NotAllowed):
        roles.change_member(alice, bob, role=Role.ADMIN)


# --- me ---------------------------------------------------------------------------------------------


def test_me_is_all_we_hold(bob: Member) -> None:
    """C23, C24: visible to the user himself."""
    told = people.api(bob).call("get", "me/").json()
    held = {field.name for field in Member._meta.concrete_fields} - {"routing_prefix", "session_key_seed", "is_active"}
    assert held <= set(told)
    assert told["organization"]["name"] == "Acme"
    assert told["organization"]["is_sandbox"] is False
    assert (told["time_zone"], told["locale"], told["permission_sets"]) == ("Europe/Berlin", "en_GB", ["Sales Console"])


# --- policy -----------------------------------------------------------------------------------------


def setting(response: Any, key: str) -> dict[str, Any]:
    assert response.status_code == 200, response.content[:400]
    return next(dict(entry) for entry in response.json()["settings"] if entry["key"] == key)


WHITELIST = {"values": {"access.whitelist": ["alice@acme.example", "bob@acme.example"]}}


def test_administrators_set_for_everybody(alice: Member, bob: Member, charlie: Member) -> None:
    api = people.api(alice)
    assert setting(api.call("get", "policy/?level=organization"), "access.whitelist")["value"] is None
    answer = api.call("patch", "policy/?level=organization", WHITELIST)
    assert setting(answer, "access.whitelist")["value"] == WHITELIST["values"]["access.whitelist"]
    assert setting(people.api(charlie).call("get", "policy/?level=organization"), "access.whitelist")["value"] is None
    keys = [entry["key"] for entry in people.api(bob).call("get", "policy/").json()["settings"]]
    assert "access.whitelist" not in keys
    undone = api.call("patch", "policy/?level=organization", {"reset": ["access.whitelist"]})
    assert setting(undone, "access.whitelist")["source"] == "default"


@pytest.mark.parametrize("role", [Role.USER, Role.MANAGER])
def test_others_do_not(role: Role, alice: Member, bob: Member) -> None:
    membership.change_role(alice, bob, role)
    api = people.api(bob)
    problem(api.call("get", "policy/?level=organization"), 403, "forbidden")
    problem(api.call("patch", "policy/?level=organization", WHITELIST), 403, "forbidden")
    problem(api.call("patch", "policy/", WHITELIST), 403, "forbidden")


BAD_CHANGES: list[tuple[Any, int]] = [
    ({"values": {"nothing": 1}}, 400),
    ({"values": {"access.whitelist": "x"}}, 400),
    ({"values": {"access.whitelist": ["a\0b"]}}, 400),
    ({"values": []}, 400),
    ({"values": None}, 400),
    ({"reset": ["nothing"]}, 400),
    ({"reset": "x"}, 400),
    ({"users_can_modify": {"access.whitelist": True}}, 403),
    ({"users_can_modify": {"nothing": True}}, 400),
    ({"users_can_modify": {"access.whitelist": "maybe"}}, 400),
    ({"expected": {"nothing": 1}}, 400),
    ({"expected": {"access.whitelist": ["x@y.example"]}}, 409),
    ({"values": {"access.whitelist": ["bob@acme.example"]}}, 409),
    ({"role": "primary_admin"}, 400),
    ([], 400),
    ("x", 400),
    (None, 400),
]


@pytest.mark.parametrize(("body", "status"), BAD_CHANGES)
def test_bad_changes_change_nothing(body: Any, status: int, alice: Member) -> None:
    """BI-G5, BI-G7: a clear problem, and nothing half done."""
    api = people.api(alice)
    response = api.client.patch("/api/v1/policy/?level=organization", body, content_type="application/json")
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["detail"]
    assert policy.organization_value_of("access.whitelist", alice.organization_id) is None


def test_all_or_nothing(alice: Member) -> None:
    body = {"values": {"access.whitelist": ["alice@acme.example"], "z.unknown": 1}}
    told = problem(people.api(alice).call("patch", "policy/?level=organization", body), 400, "invalid")
    assert told["errors"] == [{"field": "z.unknown", "message": "There is no such setting."}]
    assert policy.organization_value_of("access.whitelist", alice.organization_id) is None


def test_somebody_was_quicker(alice: Member) -> None:
    api = people.api(alice)
    policy.set_organization_value(alice, alice.organization_id, "access.whitelist", ["alice@acme.example"])
    body: dict[str, Any] = {"values": {"access.whitelist": None}, "expected": {"access.whitelist": None}}
    told = problem(api.call("patch", "policy/?level=organization", body), 409, "conflict")
    assert told["value"] == ["alice@acme.example"]
    body["expected"] = {"access.whitelist": ["alice@acme.example"]}
    assert setting(api.call("patch", "policy/?level=organization", body), "access.whitelist")["value"] is None


@pytest.mark.parametrize("query", ["level=king", "level=", "x=1", "level=member&y=2"])
def test_bad_queries(query: str, alice: Member) -> None:
    problem(people.api(alice).call("get", f"policy/?{query}"), 400, "invalid")


# --- members ----------------------------------------------------------------------------------------


def change(actor: Member, member: Member, **body: Any) -> Any:
    return people.api(actor).call("patch", f"members/{member.pk}/", body)


def test_members_are_the_callers_own(alice: Member, bob: Member, charlie: Member) -> None:
    names = [entry["name"] for entry in people.api(alice).call("get", "members/").json()]
    assert names == ["Alice Adams", "Bob Brown"]
    assert [entry["name"] for entry in people.api(charlie).call("get", "members/").json()] == ["Charlie Chen"]
    second = people.api(alice).call("get", "members/?limit=1&offset=1").json()
    assert [entry["name"] for entry in second] == ["Bob Brown"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=1000000000",
        "limit=x",
        "offset=-1",
        "offset=99999999",
        "page=2",
        "limit=1e2",
        "limit=%00",
    ],
)
def test_bad_pages(query: str, alice: Member) -> None:
    """BI-A8."""
    problem(people.api(alice).call("get", f"members/?{query}"), 400, "invalid")
    problem(people.api(alice).call("get", f"audit/?{query}"), 400, "invalid")


def test_a_strangers_member_does_not_exist(alice: Member, bob: Member, charlie: Member) -> None:
    """BI-A6."""
    for body in ({"is_active": False}, {"role": "admin"}, {}):
        problem(change(charlie, bob, **body), 404, "not-found")
    bob.refresh_from_db()
    assert (bob.is_active, bob.role) == (True, Role.USER)


def test_roles_are_given_by_administrators(alice: Member, bob: Member) -> None:
    assert change(alice, bob, role="manager").json()["role"] == "manager"
    entry = AuditEntry.objects.filter(action="member.role_changed").latest("pk")
    assert entry.facts == {"before": "user", "after": "manager"}
    assert change(alice, bob, role="admin").status_code == 200
    assert change(bob, alice, role="user").status_code == 409
    assert change(bob, alice, is_active=False).status_code == 409
    assert change(bob, bob, role="primary_admin").status_code == 403
    assert change(bob, bob, role="user").status_code == 200


def test_the_primary_admin_hands_on_and_never_vanishes(alice: Member, bob: Member) -> None:
    problem(change(alice, alice, role="admin"), 409, "conflict")
    problem(change(alice, alice, is_active=False), 409, "conflict")
    assert change(alice, bob, role="primary_admin").json()["role"] == "primary_admin"
    alice.refresh_from_db()
    assert alice.role == Role.ADMIN
    assert Member.objects.filter(organization=alice.organization, role=Role.PRIMARY_ADMIN).count() == 1
    assert change(alice, bob, role="user").status_code == 409


def test_not_to_somebody_who_has_left(alice: Member, bob: Member) -> None:
    change(alice, bob, is_active=False)
    problem(change(alice, bob, role="primary_admin"), 409, "conflict")


def test_managers_let_users_in_and_out(alice: Member, bob: Member) -> None:
    carol = membership.join(
        people.replace(people.BOB, salesforce_user_id="005000000000004AAA", username="carol@acme.example")
    )
    membership.change_role(alice, bob, Role.MANAGER)
    bob.refresh_from_db()
    assert change(bob, carol, is_active=False).json()["is_active"] is False
    assert change(bob, carol, is_active=True).json()["is_active"] is True
    assert change(bob, carol, role="manager").status_code == 403
    assert change(bob, bob, role="admin").status_code == 403
    assert change(bob, bob, is_active=False).status_code == 409
    assert change(bob, alice, is_active=False).status_code == 409
    membership.change_role(alice, carol, Role.ADMIN)
    assert change(bob, carol, is_active=False).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"organization": 1},
        {"is_primary": True},
        {"username": "x"},
        {"role": "king"},
        {"role": None},
        {"is_active": "perhaps"},
        {"is_active": None},
        {"id": "x"},
        [],
        None,
        "\0",
    ],
)
def test_mass_assignment(body: Any, alice: Member, bob: Member) -> None:
    """BI-G5: a field that is none is an error and nothing is changed."""
    api = people.api(alice)
    response = api.client.patch(f"/api/v1/members/{bob.pk}/", body, content_type="application/json")
    assert response.status_code == 400
    bob.refresh_from_db()
    assert (bob.role, bob.is_active, bob.username) == (Role.USER, True, "bob@acme.example")


def test_a_stale_token_has_no_stale_rights(alice: Member, bob: Member) -> None:
    """The role is read again under lock: a demoted administrator's cached one does not count."""
    membership.change_role(alice, bob, Role.ADMIN)
    api = people.api(bob)
    assert api.call("get", "members/").status_code == 200
    Member.objects.filter(pk=bob.pk).update(role=Role.USER)  # as if the epoch had not yet been polled
    problem(api.call("patch", f"members/{alice.pk}/", {"role": "user"}), 403, "forbidden")


# --- invitations ------------------------------------------------------------------------------------


def test_invitations(alice: Member, charlie: Member) -> None:
    api = people.api(alice)
    made = api.call("post", "invitations/", {"username": "NEW@acme.example", "role": "manager"})
    assert made.status_code == 201, made.content
    assert (made.json()["username"], made.json()["role"]) == ("new@acme.example", "manager")
    assert [entry["id"] for entry in api.call("get", "invitations/").json()] == [made.json()["id"]]
    strange = people.api(charlie)
    assert strange.call("get", "invitations/").json() == []
    problem(strange.call("delete", f"invitations/{made.json()['id']}/"), 404, "not-found")
    assert api.call("delete", f"invitations/{made.json()['id']}/").status_code == 204
    assert not Invitation.objects.exists()
    assert AuditEntry.objects.latest("pk").action == "invitation.withdrawn"


def test_managers_invite_users_only(alice: Member, bob: Member) -> None:
    membership.change_role(alice, bob, Role.MANAGER)
    api = people.api(bob)
    assert api.call("post", "invitations/", {"username": "a@acme.example"}).status_code == 201
    for role in ("manager", "admin"):
        problem(api.call("post", "invitations/", {"username": "b@acme.example", "role": role}), 403, "forbidden")
    theirs = invitations.invite(alice, "c@acme.example", Role.ADMIN, alice.organization)
    problem(api.call("delete", f"invitations/{theirs.pk}/"), 403, "forbidden")


@pytest.mark.parametrize("role", [Role.USER, Role.MANAGER, Role.ADMIN, Role.PRIMARY_ADMIN])
def test_the_rule_is_in_the_use_case(role: Role, alice: Member, bob: Member) -> None:
    """Whichever face asks: what a role may not give, it may not take back either."""
    theirs = invitations.invite("operator", "c@acme.example", role, alice.organization)
    with pytest.raises(refusals.NotAllowed):
        invitations.invite(bob, "d@acme.example", role, bob.organization)
    with pytest.raises(refusals.NotAllowed):
        invitations.withdraw(bob, theirs)
    if role is Role.PRIMARY_ADMIN:
        with pytest.raises(refusals.NotAllowed):
            invitations.invite(alice, "d@acme.example", role, alice.organization)
    else:
        invitations.withdraw(alice, theirs)
    membership.unconfirm(alice.pk)
    alice.refresh_from_db()
    with pytest.raises(refusals.NotAllowed):
        invitations.invite(alice, "d@acme.example", Role.USER, alice.organization)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "x"},
        {"username": "a b@c"},
        {"username": "a@b", "role": "primary_admin"},
        {"username": "@"},
        {"username": 1},
        {"username": "a@" + "b" * 300},
        {"username": "a@b", "organization": 1},
        {"username": "a\u00a0@b"},
        {"username": "@b@c"},
    ],
)
def test_bad_invitations(body: Any, alice: Member) -> None:
    problem(people.api(alice).call("post", "invitations/", body), 400, "invalid")
    assert not Invitation.objects.exists()


# --- domains ----------------------------------------------------------------------------------------


def test_domains(alice: Member, bob: Member, charlie: Member) -> None:
    api = people.api(alice)
    made = api.call("post", "domains/", {"name": "Müller.example"})
    assert (made.status_code, made.json()["name"]) == (201, "xn--mller-kva.example")
    assert api.call("post", "domains/", {"name": "müller.example"}).status_code == 200
    assert domains.own_domains(alice.organization_id) == {"acme.example", "xn--mller-kva.example"}
    assert [entry["name"] for entry in people.api(bob).call("get", "domains/").json()] == [
        "acme.example",
        "xn--mller-kva.example",
    ]
    problem(people.api(bob).call("post", "domains/", {"name": "x.example"}), 403, "forbidden")
    strange = people.api(charlie)
    assert [entry["name"] for entry in strange.call("get", "domains/").json()] == ["globex.example"]
    problem(strange.call("delete", f"domains/{made.json()['id']}/"), 404, "not-found")
    assert api.call("delete", f"domains/{made.json()['id']}/").status_code == 204
    assert domains.own_domains(alice.organization_id) == {"acme.example"}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("x", 400),
        ("", 400),
        ("a b.example", 400),
        ("gmail.com", 409),
        ("-a.example", 409),
        ("1.2.3.4", 409),
        ("a@b.example", 400),
        ("\0.example", 400),
        ("x." * 200 + "example", 400),
        (None, 400),
        (["a.example"], 400),
    ],
)
def test_bad_domains(name: Any, status: int, alice: Member) -> None:
    response = people.api(alice).call("post", "domains/", {"name": name})
    assert response.status_code == status, response.content
    assert Domain.objects.filter(organization=alice.organization).count() == 1


@pytest.mark.parametrize(
    "path",
    ["domains/99999999999999999999/", "invitations/99999999999999999999/", "members/x/", "domains/-1/", "domains/0/"],
)
def test_ids_that_are_none(path: str, alice: Member) -> None:
    method = "patch" if path.startswith("members") else "delete"
    assert people.api(alice).call(method, path, {}).status_code == 404


# --- audit ------------------------------------------------------------------------------------------


def test_the_audit_is_the_callers_own_and_paged(alice: Member, bob: Member, charlie: Member) -> None:
    for number in range(5):
        audit.record(alice.organization_id, "operator", "test.done", str(number))
    api = people.api(alice)
    first = api.call("get", "audit/?limit=3").json()
    assert [entry["sequence"] for entry in first["entries"]] == sorted(
        (e["sequence"] for e in first["entries"]), reverse=True
    )
    seen, before = [], first["next_before"]
    seen += [entry["sequence"] for entry in first["entries"]]
    while before:
        page = api.call("get", f"audit/?limit=3&before={before}").json()
        seen += [entry["sequence"] for entry in page["entries"]]
        before = page["next_before"]
    assert sorted(seen) == list(range(1, max(seen) + 1))
    strange = people.api(charlie).call("get", "audit/").json()["entries"]
    assert "test.done" not in {entry["action"] for entry in strange}
    membership.change_role(alice, bob, Role.MANAGER)
    problem(people.api(bob).call("get", "audit/"), 403, "forbidden")


# --- methods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["me/", "policy/", "members/", "invitations/", "domains/", "audit/"])
def test_wrong_methods(path: str, alice: Member) -> None:
    """BI-A13."""
    api = people.api(alice)
    for method in ("put", "trace"):
        assert api.call(method, path).status_code == 405
