"""The policy registry: types, the three merge kinds, who may set what, and what it is worth in RAM."""

import ast
from pathlib import Path
from typing import Any

import pytest

from organizations import epochs, policy
from organizations.models import AuditEntry, Member, PolicyValue
from organizations.policy import ChangedMeanwhile, Level, Merge, PolicyRefused, Scope, Toggle, Type
from organizations.toggles import MAX_LIST

ROOT = Path(__file__).resolve().parents[2]
OVERRIDE = Toggle(key="t.override", kind=Merge.OVERRIDE, type=Type.INT, default=5, minimum=1, maximum=9)
FIXED = Toggle(key="t.fixed", kind=Merge.OVERRIDE, type=Type.BOOL, default=False, scope=Scope.ORGANIZATION)
OWN = Toggle(
    key="t.own",
    kind=Merge.OVERRIDE,
    type=Type.CHOICE,
    default="a",
    scope=Scope.MEMBER,
    choices=("a", "b"),
    choice_labels=("A", "B"),
)
UNION = Toggle(key="t.union", kind=Merge.UNION, type=Type.DOMAINS, default=[])
CAP = Toggle(key="t.cap", kind=Merge.CAP, type=Type.BOOL, default=True)
CAPPED = Toggle(key="t.capped", kind=Merge.CAP, type=Type.INT, default=50, minimum=0, maximum=100)


@pytest.fixture(autouse=True)
def toggles(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(policy, "_toggles", dict(policy._toggles))
    for toggle in (OVERRIDE, FIXED, OWN, UNION, CAP, CAPPED):
        policy.declare(toggle)


def described(key: str, member: Member) -> dict[str, Any]:
    return next(entry for entry in policy.describe_for(member) if entry["key"] == key)


def set_for_all(actor: Member, key: str, value: Any) -> None:
    policy.set_organization_value(actor, actor.organization_id, key, value)


def lock(actor: Member, key: str, allowed: bool = False) -> None:
    policy.set_users_can_modify(actor, actor.organization_id, key, allowed)


def test_override(alice: Member, bob: Member) -> None:
    """Locked organization value > member's > organization's > built-in."""
    assert policy.value_of("t.override", bob) == 5
    set_for_all(alice, "t.override", 6)
    assert policy.value_of("t.override", bob) == 6
    policy.set_member_value(bob, "t.override", 7)
    assert (policy.value_of("t.override", bob), policy.value_of("t.override", alice)) == (7, 6)
    lock(alice, "t.override")
    assert policy.value_of("t.override", bob) == 6
    shown = described("t.override", bob)
    assert (shown["value"], shown["member_value"], shown["overridden"], shown["source"]) == (6, 7, True, "organization")
    with pytest.raises(PolicyRefused) as refused:
        policy.set_member_value(bob, "t.override", 8)
    assert refused.value.code == "locked"
    lock(alice, "t.override", True)
    assert policy.value_of("t.override", bob) == 7


def test_union(alice: Member, bob: Member) -> None:
    """Lists that restrict: a member adds, and can never loosen."""
    set_for_all(alice, "t.union", ["Block.example", "müller.example"])
    policy.set_member_value(bob, "t.union", ["mine.example"])
    assert policy.value_of("t.union", bob) == ["block.example", "mine.example", "xn--mller-kva.example"]
    policy.set_member_value(bob, "t.union", [])
    assert policy.value_of("t.union", bob) == ["block.example", "xn--mller-kva.example"]
    policy.set_member_value(bob, "t.union", ["mine.example"])
    lock(alice, "t.union")
    assert policy.value_of("t.union", bob) == ["block.example", "xn--mller-kva.example"]
    assert described("t.union", bob)["overridden"]


@pytest.mark.parametrize(
    ("organization", "member", "expected"),
    [
        (None, None, True),
        (False, None, False),
        (False, True, False),
        (True, False, False),
        (True, True, True),
        (None, False, False),
    ],
)
def test_cap(organization: bool | None, member: bool | None, expected: bool, alice: Member, bob: Member) -> None:
    """Organization AND member: an organization's "off" can never be switched on by a member."""
    if organization is not None:
        set_for_all(alice, "t.cap", organization)
    if member is not None:
        policy.set_member_value(bob, "t.cap", member)
    assert policy.value_of("t.cap", bob) is expected


def test_capped_numbers(alice: Member, bob: Member) -> None:
    policy.set_member_value(bob, "t.capped", 80)
    assert policy.value_of("t.capped", bob) == 50
    set_for_all(alice, "t.capped", 90)
    assert policy.value_of("t.capped", bob) == 80


def test_scopes(alice: Member, bob: Member) -> None:
    with pytest.raises(PolicyRefused, match="Only an administrator"):
        policy.set_member_value(bob, "t.fixed", True)
    with pytest.raises(PolicyRefused, match="Each person"):
        set_for_all(alice, "t.own", "b")
    for key in ("t.fixed", "t.own"):
        with pytest.raises(PolicyRefused, match="opened to members"):
            lock(alice, key)
    set_for_all(alice, "t.fixed", True)
    policy.set_member_value(bob, "t.own", "b")
    assert policy.value_of("t.fixed", bob) is True
    assert (policy.value_of("t.own", bob), policy.value_of("t.own", alice)) == ("b", "a")
    assert not described("t.fixed", bob)["can_change"]


def test_organizations_do_not_see_each_other(alice: Member, bob: Member, charlie: Member) -> None:
    set_for_all(alice, "t.override", 9)
    assert policy.value_of("t.override", charlie) == 5


BAD: list[tuple[str, Any, str]] = [
    ("t.override", 0, "out-of-range"),
    ("t.override", 10, "out-of-range"),
    ("t.override", 10**9, "out-of-range"),
    ("t.override", -1, "out-of-range"),
    ("t.override", 10**400, "out-of-range"),
    ("t.override", "5", "not-an-integer"),
    ("t.override", 5.5, "not-an-integer"),
    ("t.override", True, "not-an-integer"),
    ("t.override", None, "not-an-integer"),
    ("t.cap", 1, "not-a-bool"),
    ("t.cap", "true", "not-a-bool"),
    ("t.cap", None, "not-a-bool"),
    ("t.own", "c", "not-a-choice"),
    ("t.own", ["a"], "not-a-choice"),
    ("t.own", {}, "not-a-choice"),
    ("t.union", "acme.example", "not-a-list"),
    ("t.union", [1], "not-a-list"),
    ("t.union", ["nonsense"], "not-a-domain"),
    ("t.union", ["a\0.example"], "not-a-domain"),
    ("t.union", ["a.example"] * (MAX_LIST + 1), "too-long"),
    ("access.whitelist", "off", "not-a-list"),
    ("access.whitelist", ["nonsense"], "not-a-username"),
    ("access.whitelist", ["a b@x.example"], "not-a-username"),
    ("access.whitelist", ["a\0@x.example"], "not-a-username"),
    ("access.whitelist", ["bob@acme.example"], "refused"),
    ("t.nothing", 1, "unknown-key"),
    ("", 1, "unknown-key"),
    ("__class__", 1, "unknown-key"),
]


@pytest.mark.parametrize(("key", "value", "code"), BAD)
def test_bad_values(key: str, value: Any, code: str, alice: Member) -> None:
    """BI-G7."""
    setter = policy.set_member_value if key == "t.own" else set_for_all
    with pytest.raises(PolicyRefused) as refused:
        setter(alice, key, value)
    assert (refused.value.code, refused.value.key) == (code, key)
    assert refused.value.message.endswith(".")
    assert not PolicyValue.objects.exists()


def test_every_change_is_recorded(alice: Member, bob: Member) -> None:
    before = AuditEntry.objects.count()
    set_for_all(alice, "t.override", 6)
    lock(alice, "t.override", True)
    policy.set_member_value(bob, "t.override", 7)
    policy.reset(bob, "t.override", member=bob)
    entries = list(AuditEntry.objects.order_by("pk")[before:])
    assert [(entry.action, entry.target) for entry in entries] == [("policy.changed", "t.override")] * 4
    assert [entry.actor for entry in entries] == [f"member:{who.pk}" for who in (alice, alice, bob, bob)]
    assert [entry.facts["level"] for entry in entries] == ["organization", "organization", "member", "member"]
    assert entries[0].facts["value"] == 6
    assert policy.value_of("t.override", bob) == 6


def test_a_change_is_whole_or_not_at_all(alice: Member, bob: Member) -> None:
    """Both faces, API and page, change settings by this one call: its rules hold for both."""
    with pytest.raises(PolicyRefused, match="no such setting"):
        policy.change(alice, Level.ORGANIZATION, values={"t.override": 6}, reset=["t.nothing"])
    with pytest.raises(PolicyRefused, match="opened to members"):
        policy.change(alice, Level.ORGANIZATION, values={"t.override": 6}, users_can_modify={"t.fixed": True})
    assert policy.value_of("t.override", bob) == 5
    policy.change(alice, Level.ORGANIZATION, values={"t.override": 6}, users_can_modify={"t.override": True})
    policy.change(bob, Level.MEMBER, values={"t.override": 7}, expected={"t.override": 6})
    assert (policy.value_of("t.override", bob), policy.value_of("t.override", alice)) == (7, 6)
    policy.change(bob, Level.MEMBER, reset=["t.override"])
    assert policy.value_of("t.override", bob) == 6


@pytest.mark.parametrize(
    "asked", [{"values": {"t.override": 6}}, {"reset": ["t.override"]}, {"users_can_modify": {"t.override": False}}]
)
def test_only_administrators_change_for_everybody(asked: dict[str, Any], alice: Member, bob: Member) -> None:
    set_for_all(alice, "t.override", 8)
    with pytest.raises(PolicyRefused) as refused:
        policy.change(bob, Level.ORGANIZATION, **asked)
    assert refused.value.code == "not-an-administrator"
    assert described("t.override", bob)["organization_value"] == 8
    assert described("t.override", bob)["users_can_modify"]


def test_a_member_opens_and_locks_nothing(alice: Member) -> None:
    with pytest.raises(PolicyRefused) as refused:
        policy.change(alice, Level.MEMBER, users_can_modify={"t.override": False})
    assert refused.value.code == "not-for-members"


def test_what_changed_meanwhile_is_not_overwritten(alice: Member, bob: Member) -> None:
    set_for_all(alice, "t.override", 8)
    with pytest.raises(ChangedMeanwhile) as refused:
        policy.change(bob, Level.MEMBER, values={"t.override": 6}, expected={"t.override": 5})
    assert refused.value.value == 8
    with pytest.raises(PolicyRefused, match="no such setting"):
        policy.change(bob, Level.MEMBER, values={"t.override": 6}, expected={"access.whitelist": None})
    assert policy.value_of("t.override", bob) == 8


def test_lists_are_not_copied_into_the_audit(alice: Member) -> None:
    """Usernames look like addresses, and the chain cannot forget."""
    set_for_all(alice, "access.whitelist", ["alice@acme.example", "bob@acme.example"])
    assert "bob@acme.example" not in str(AuditEntry.objects.values_list("facts", flat=True))


def test_locking_alone_stores_no_value(alice: Member, bob: Member) -> None:
    lock(alice, "t.override")
    assert described("t.override", bob)["organization_value"] is None
    assert policy.value_of("t.override", bob) == 5


def test_warm_reading_makes_no_query(alice: Member, bob: Member, django_assert_num_queries: Any) -> None:
    policy.value_of("t.override", bob)
    with django_assert_num_queries(0):
        policy.value_of("t.override", bob)
        policy.value_of("t.union", bob)
        policy.describe_for(bob)


@pytest.mark.parametrize("level", ["member", "organization", "*"])
def test_another_process_change_is_seen(level: str, alice: Member, bob: Member) -> None:
    set_for_all(alice, "t.override", 6)
    policy.set_member_value(bob, "t.override", 7)
    assert policy.value_of("t.override", bob) == 7
    PolicyValue.objects.filter(member=bob if level == "member" else None).update(value=8)
    PolicyValue.objects.filter(member=bob).exclude(value=8).delete()
    assert policy.value_of("t.override", bob) == 7
    keys = {"member": str(bob.pk), "organization": str(bob.organization_id)}
    if level != "member":
        epochs.notify("organization", keys.get(level, "*"))
    epochs.notify("member", keys["member"] if level != "*" else "*")
    assert policy.value_of("t.override", bob) == 8


def test_declaring() -> None:
    policy.declare(OVERRIDE)
    with pytest.raises(ValueError, match="declared twice"):
        policy.declare(Toggle(key="t.override", kind=Merge.OVERRIDE, type=Type.INT, default=1))
    with pytest.raises(ValueError, match="union"):
        Toggle(key="x", kind=Merge.OVERRIDE, type=Type.DOMAINS, default=[])
    with pytest.raises(ValueError, match="capped"):
        Toggle(key="x", kind=Merge.CAP, type=Type.CHOICE, default="a", choices=("a",))
    with pytest.raises(ValueError, match="whole number"):
        Toggle(key="x", kind=Merge.OVERRIDE, type=Type.INT, default=20, minimum=0, maximum=9)


def toggles_in(tree: ast.Module) -> dict[str, str]:
    """NAME -> key, for `NAME = declare(Toggle(key="..."))` and `NAME = Toggle(key="...")`."""
    named = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for word in (part for part in ast.walk(node.value) if isinstance(part, ast.keyword)):
                if word.arg == "key" and isinstance(word.value, ast.Constant):
                    named[node.targets[0].id] = str(word.value.value)
    return named


def known_in(tree: ast.Module) -> dict[str, str]:
    """The same with what it imports by name from another file of ours."""
    named = toggles_in(tree)
    for node in tree.body:
        source = ROOT / f"{(node.module or '').replace('.', '/')}.py" if isinstance(node, ast.ImportFrom) else ROOT
        theirs = toggles_in(ast.parse(source.read_text(encoding="utf-8"))) if source.is_file() else {}
        aliases = node.names if isinstance(node, ast.ImportFrom) else []
        named |= {alias.asname or alias.name: theirs[alias.name] for alias in aliases if alias.name in theirs}
    return named


def readers(path: Path) -> set[str]:
    """The keys that a file reads: first arguments of `value_of` and `organization_value_of`, literal or NAME.key."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named, found = known_in(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in ("value_of", "organization_value_of"):
                found.add(key_of(node.args[0], named))
    return found


def key_of(argument: ast.expr, named: dict[str, str]) -> str:
    if isinstance(argument, ast.Attribute) and isinstance(argument.value, ast.Name) and argument.attr == "key":
        return named.get(argument.value.id, "")
    return str(argument.value) if isinstance(argument, ast.Constant) else ""


def test_every_declared_key_has_a_reader() -> None:
    """A toggle nobody reads would be a switch that does nothing."""
    rooms = ("organizations", "vault", "sync", "tracking", "sidebar", "dashboard")
    read = set().union(*(readers(path) for room in rooms for path in (ROOT / room).rglob("*.py")))
    declared = {toggle.key for toggle in policy.declared() if not toggle.key.startswith("t.")}
    assert "access.whitelist" in declared
    assert declared - read == set()
