"""The settings of email sync: which there are, how organization and member go together, and what nobody can loosen."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from organizations import domains, policy
from organizations.models import Member
from organizations.policy import Level, Merge, PolicyRefused, Scope, Type
from sync import policies
from sync.rules import Rule, Rules, Verdict, decide_by_heading
from sync.writing import Writing
from tests.organizations import people
from tests.sync.mails import ALICE, FOLDERS, JANE, heading
from vault import clients
from vault.policies import features_of, syncs_mail

pytestmark = pytest.mark.django_db

#: product.md B and the keys of ours: kind, type, at first, whether members have one of their own.
DECLARED: dict[str, tuple[Merge, Type, Any, bool]] = {
    "email.sync.enabled": (Merge.OVERRIDE, Type.BOOL, False, True),
    "email.sync.try_out": (Merge.OVERRIDE, Type.BOOL, False, True),
    "email.sync.contact": (Merge.OVERRIDE, Type.BOOL, True, True),
    "email.sync.lead": (Merge.OVERRIDE, Type.BOOL, True, True),
    "email.sync.person_accounts": (Merge.OVERRIDE, Type.BOOL, True, True),
    "email.sync.replies_only": (Merge.OVERRIDE, Type.BOOL, False, True),
    "email.sync.text": (Merge.CAP, Type.BOOL, True, True),
    "email.sync.sensitive": (Merge.CAP, Type.BOOL, False, True),
    "email.filter.owned_only": (Merge.OVERRIDE, Type.BOOL, False, True),
    "email.filter.blocked_domains": (Merge.UNION, Type.DOMAINS, [], True),
    "email.filter.keep_private": (Merge.UNION, Type.PHRASES, [], True),
    "email.filter.folders": (Merge.OVERRIDE, Type.FOLDERS, ["inbox", "sent"], True),
    "email.autolog.enabled": (Merge.CAP, Type.BOOL, False, True),
    "email.autolog.force": (Merge.OVERRIDE, Type.BOOL, False, False),
    "email.record_type": (Merge.OVERRIDE, Type.CHOICE, "automatic", False),
    "attach.enabled": (Merge.CAP, Type.BOOL, False, True),
    "attach.most_megabytes": (Merge.CAP, Type.INT, 150, True),
    "attach.drive_target": (Merge.OVERRIDE, Type.CHOICE, "activity", True),
}
SENT = heading(ALICE, JANE, folders=("f-sent",))


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    return people.everybody()


@pytest.fixture
def alice(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[0]


@pytest.fixture
def bob(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[1]


def for_all(alice: Member, **values: Any) -> None:
    policy.change(alice, Level.ORGANIZATION, values={key.replace("__", "."): value for key, value in values.items()})


def for_oneself(member: Member, **values: Any) -> None:
    policy.change(member, Level.MEMBER, values={key.replace("__", "."): value for key, value in values.items()})


def incoming(member: Member) -> Rules:
    return policies.rules_for(member, [ALICE]).incoming


def rule_of(member: Member, mail: Any) -> Rule | None:
    decided = decide_by_heading(mail, FOLDERS, policies.rules_for(member, [ALICE]))
    return decided.rule if isinstance(decided, Verdict) else None


def test_which_there_are() -> None:
    found = {
        toggle.key: (toggle.kind, toggle.type, toggle.default, toggle.for_members and toggle.users_can_modify)
        for toggle in policy.declared()
        if toggle.key.startswith(("email.", "attach."))
    }
    assert found == DECLARED
    assert policy.toggle_named("email.filter.folders").scope is Scope.MEMBER


def test_at_first(alice: Member) -> None:
    rulebook = policies.rules_for(alice, ["Alice@Acme.example"])
    assert not rulebook.is_on
    assert rulebook.incoming == rulebook.outgoing
    assert rulebook.incoming.own_addresses == {ALICE}
    assert rulebook.asked.is_on


def test_own_domains_are_the_organizations(alice: Member) -> None:
    domains.add_domain(alice, alice.organization_id, "Acme.example")
    assert "acme.example" in incoming(alice).own_domains


@pytest.mark.parametrize(
    ("key", "value", "name", "expected"),
    [
        ("email.sync.contact", False, "with_contacts", False),
        ("email.sync.lead", False, "with_leads", False),
        ("email.sync.person_accounts", False, "with_person_accounts", False),
        ("email.sync.replies_only", True, "replies_only", True),
        ("email.sync.text", False, "with_text", False),
        ("email.filter.owned_only", True, "owned_only", True),
        ("email.filter.blocked_domains", ["müller.example"], "blocked_domains", frozenset({"xn--mller-kva.example"})),
        ("email.filter.folders", ["Clients/*"], "folders", ("Clients/*",)),
        ("email.filter.keep_private", ["Falcon", "Jane@Home.example"], "private_phrases",
         ("Falcon", "jane@home.example")),
        ("email.sync.enabled", True, "is_on", True),
    ],
)  # fmt: skip
def test_each_setting_is_read(key: str, value: Any, name: str, expected: Any, bob: Member) -> None:
    before = getattr(incoming(bob), name)
    policy.set_member_value(bob, key, value)
    assert (before != expected, getattr(incoming(bob), name)) == (True, expected)


def test_what_an_organization_restricts_no_member_loosens(alice: Member, bob: Member, everybody: Any) -> None:
    for_all(
        alice,
        email__sync__enabled=True,
        email__filter__blocked_domains=["customer.example"],
        email__filter__keep_private=["offer"],
        email__sync__text=False,
        email__sync__sensitive=False,
    )
    for_oneself(
        bob,
        email__filter__blocked_domains=[],
        email__filter__keep_private=[],
        email__sync__text=True,
        email__sync__sensitive=True,
    )
    rulebook = policies.rules_for(bob, [ALICE])
    for each in (rulebook.incoming, rulebook.outgoing, rulebook.asked):
        assert (each.blocked_domains, each.private_phrases) == (frozenset({"customer.example"}), ("offer",))
        assert not each.with_text
    assert not rulebook.incoming.may_be_sensitive
    assert rule_of(bob, heading()) is Rule.BLOCKED_DOMAIN
    assert policies.rules_for(everybody[2], []).incoming.blocked_domains == frozenset()


def test_a_member_restricts_himself_alone(alice: Member, bob: Member) -> None:
    """A personal list is nobody else's to see or to feel (twentyhq/twenty#11320)."""
    for_all(alice, email__sync__sensitive=True)
    mine = {"email__filter__blocked_domains": ["customer.example"], "email__filter__keep_private": ["falcon"]}
    for_oneself(bob, **mine, email__sync__text=False, email__sync__sensitive=False)
    his, hers = incoming(bob), incoming(alice)
    assert (his.blocked_domains, his.private_phrases) == (frozenset({"customer.example"}), ("falcon",))
    assert (his.with_text, his.may_be_sensitive) == (False, False)
    assert (hers.blocked_domains, hers.private_phrases, hers.with_text) == (frozenset(), (), True)
    assert hers.may_be_sensitive
    assert "falcon" not in str(policy.describe_for(alice)) + str(policy.describe_for(alice, for_organization=True))


def test_automatic_logging_is_of_what_is_sent(alice: Member, bob: Member) -> None:
    for_oneself(bob, email__autolog__enabled=True)
    assert rule_of(bob, SENT) is Rule.SYNC_OFF  # the organization has not switched it on
    for_all(alice, email__autolog__enabled=True)
    assert rule_of(bob, SENT) is None
    assert rule_of(bob, heading()) is Rule.SYNC_OFF
    assert policies.rules_for(bob, [ALICE]).folders == {"sent"}
    for_oneself(bob, email__filter__folders=["inbox"], email__sync__replies_only=True)
    assert rule_of(bob, SENT) is None
    for_oneself(bob, email__filter__blocked_domains=["customer.example"])
    assert rule_of(bob, SENT) is Rule.BLOCKED_DOMAIN
    for_oneself(bob, email__autolog__enabled=False, email__filter__blocked_domains=[])
    assert rule_of(bob, SENT) is Rule.SYNC_OFF


def test_forced_logging_asks_no_member(alice: Member, bob: Member) -> None:
    for_all(alice, email__autolog__force=True)
    with pytest.raises(PolicyRefused):
        for_oneself(bob, email__autolog__force=False)
    for_oneself(
        bob,
        email__autolog__enabled=False,
        email__sync__enabled=False,
        email__sync__contact=False,
        email__filter__owned_only=True,
        email__filter__blocked_domains=["customer.example"],
        email__filter__keep_private=["offer"],
    )
    assert rule_of(bob, SENT) is None
    outgoing = policies.rules_for(bob, [ALICE]).outgoing
    assert (outgoing.with_contacts, outgoing.owned_only) == (True, False)
    for_all(alice, email__filter__blocked_domains=["customer.example"])
    assert rule_of(bob, SENT) is Rule.BLOCKED_DOMAIN


@pytest.mark.parametrize("key", ["email.sync.enabled", "email.autolog.enabled", "email.autolog.force"])
def test_what_needs_the_mailbox_asks_for_it(key: str, alice: Member, bob: Member) -> None:
    assert "email" not in features_of(bob)
    policy.set_organization_value(alice, alice.organization_id, key, True)
    assert "email" in features_of(bob)
    assert syncs_mail(bob)


def test_trying_it_out_asks_for_the_mailbox_and_saves_nothing(bob: Member) -> None:
    policy.set_member_value(bob, "email.sync.try_out", True)
    assert "email" in features_of(bob)
    assert not syncs_mail(bob)
    assert not policies.rules_for(bob, [ALICE]).is_on


def test_asking_for_a_mail_overrides_ones_own_settings_alone(alice: Member, bob: Member) -> None:
    for_all(alice, email__filter__blocked_domains=["evil.example"])
    for_oneself(bob, email__filter__blocked_domains=["customer.example"], email__sync__lead=False)
    asked = policies.rules_for(bob, [ALICE]).asked
    assert asked.blocked_domains == {"evil.example"}
    assert (asked.is_on, asked.with_leads, asked.folders, asked.may_be_sensitive) == (True, True, ("*",), True)


def test_what_an_email_becomes(alice: Member, bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda _: None)
    monkeypatch.setattr(clients, "activities_for", lambda *_, prefers_task, **__: asked.append(prefers_task))
    for value in ("automatic", "task"):
        for_all(alice, email__record_type=value)
        _ = Writing(bob)._activities
    assert asked == [False, True]


def test_enclosures(alice: Member, bob: Member) -> None:
    at_first = policies.enclosures_for(bob)
    assert (at_first.with_files, at_first.with_links, at_first.posts_links) == (False, True, False)
    for_oneself(bob, attach__enabled=True)
    assert not policies.enclosures_for(bob).with_files  # C62: the organization AND the member
    for_all(alice, attach__enabled=True, attach__most_megabytes=10, attach__drive_target="chatter")
    for_oneself(bob, attach__most_megabytes=100)
    now = policies.enclosures_for(bob)
    assert (now.with_files, now.most_bytes, now.posts_links) == (True, 10_000_000, True)
    for_oneself(bob, email__sync__text=False)
    without = policies.enclosures_for(bob)
    assert (without.with_files, without.with_links) == (False, False)


@pytest.mark.parametrize("value", [["a\nb"], [""], [" inbox"], ["x" * 201], ["\x00"], [1], "inbox", ["a"] * 1_001])
def test_bad_lines(value: Any, bob: Member) -> None:
    """BI-G7."""
    for key in ("email.filter.folders", "email.filter.keep_private"):
        with pytest.raises(PolicyRefused):
            policy.set_member_value(bob, key, value)


def test_warm_reading_makes_no_query(bob: Member, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    policies.rules_for(bob, [ALICE])
    with django_assert_num_queries(0):
        policies.rules_for(bob, [ALICE])
        policies.enclosures_for(bob)
