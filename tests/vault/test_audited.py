"""Every lease, refresh, connect, revocation and administrator's act leaves one audit row: who, purpose, result (I8).

Whoever writes a new act has to record it, or to say in the last test why not."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest

from organizations import audit, domains, erasing, invitations, membership, policy
from organizations.models import AuditEntry, Member, Role
from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.organizations import people
from tests.servers import ROOT
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, cut
from vault import dialects, grants, registrations, renewal, revocation
from vault.models import Connection
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def new_entries(act: Callable[[], object], organization_id: UUID) -> list[AuditEntry]:
    before = AuditEntry.objects.filter(organization_id=organization_id).count()
    act()
    return list(AuditEntry.objects.filter(organization_id=organization_id).order_by("sequence")[before:])


def told(entries: list[AuditEntry]) -> list[tuple[str, str, str]]:
    return [(entry.actor.split(":")[0], entry.action, entry.result) for entry in entries]


_SENT = ("member", renewal.PRESENTED, "ok")


def test_leases_and_refreshes(alice: Connected, provider: Rotating) -> None:
    """Who, for which purpose, which token (by its fingerprint), and how it went."""
    source, mine = ConnectionTokens(alice.connection.pk, "test.purpose"), alice.member.organization_id
    (lease,) = new_entries(source.access, mine)
    assert (lease.actor, lease.action, lease.result) == (f"member:{alice.member.pk}", "token.leased", "ok")
    assert (lease.target, lease.facts["purpose"]) == (str(alice.connection.pk), "test.purpose")
    assert re.fullmatch("[0-9a-f]{16}", str(lease.facts["token"]))
    old = source.access().token
    renewed = new_entries(lambda: source.access(rejected=old), mine)
    result, handed_out = ("task", "token.renewed", "ok"), ("member", "token.leased", "ok")
    assert told(renewed) == [_SENT, result, handed_out]
    assert renewed[0].facts == {
        "attempt": renewed[1].facts["attempt"],
        "generation": alice.connection.generation,
        "purpose": "test.purpose",
        "token": grants.fingerprint(alice.grant.refresh_token or Secret("")),
    }
    newest = source.access().token
    provider.server.behave = cut
    another = ConnectionTokens(alice.connection.pk, "test.purpose")  # who has renewed lately does not do so again
    failed = new_entries(lambda: _fails(another, newest, Transient), mine)
    assert told(failed) == [_SENT, ("task", "token.renewal_failed", "failed")]
    assert failed[0].facts["attempt"] == failed[1].facts["attempt"]


def test_a_refresh_token_that_was_sent_twice_is_told_twice(alice: Connected, provider: Rotating) -> None:
    """I8: the holder is killed after his call; the next one, ahead of need, is nobody's but ours."""
    mine = alice.member.organization_id
    provider._rotate = dict  # type: ignore[method-assign]
    provider.instead = cut

    def twice() -> None:
        begun = renewal._begin(alice.connection.pk, alice.connection.generation, "test")
        assert isinstance(begun, renewal.Begun)
        with pytest.raises(Transient):
            dialects.refresh(begun.grant, "salesforce", begun.client)
        Connection.objects.update(lease_until="2020-01-01T00:00:00Z")
        with pytest.raises(Transient):
            renewal.renew(alice.connection.pk, alice.connection.generation)

    sent = [entry for entry in new_entries(twice, mine) if entry.action == renewal.PRESENTED]
    assert [(entry.actor, entry.facts["purpose"]) for entry in sent] == [
        (f"member:{alice.member.pk}", "test"),
        ("task:renewal", renewal.AHEAD),
    ]
    assert len({entry.facts["token"] for entry in sent}) == 1
    assert len({entry.facts["attempt"] for entry in sent}) == 2
    assert provider.refreshes == 2


def _fails(source: ConnectionTokens, refused: Secret, error: type[Exception]) -> None:
    with pytest.raises(error):
        source.access(rejected=refused)


def test_a_verdict_and_the_end(alice: Connected, provider: Rotating) -> None:
    source, mine = ConnectionTokens(alice.connection.pk, "test"), alice.member.organization_id
    token = source.access().token
    provider.alive = False
    found = new_entries(lambda: _fails(source, token, NeedsReconnect), mine)
    assert told(found) == [_SENT, ("task", "connection.needs_reconnect", "refused")]
    assert found[0].facts["attempt"] == found[1].facts["attempt"]
    ended = new_entries(lambda: revocation.disconnect(alice.connection.pk, alice.member), mine)
    assert told(ended) == [("member", "connection.disconnected", "ok"), ("task", "grant.revoked", "ok")]
    assert {entry.facts["provider"] for entry in ended} == {"salesforce"}


def test_what_administrators_and_operators_do(alice: Connected, provider: Rotating) -> None:
    member, mine = alice.member, alice.member.organization_id
    bob = Member.objects.get(name="Bob Brown")
    acts: dict[str, Callable[[], object]] = {
        "member.role_changed": lambda: membership.change_role(member, bob, Role.MANAGER),
        "member.deactivated": lambda: membership.change_active(member, bob, False),
        "member.activated": lambda: membership.change_active(member, bob, True),
        "invitation.made": lambda: invitations.invite(member, "new@acme.example", Role.USER, member.organization),
        "domain.added": lambda: domains.add_domain(member, mine, "acme-two.example"),
        "policy.changed": lambda: policy.set_member_value(member, "email.sync.enabled", True),
    }
    for action, act in acts.items():
        entries = new_entries(act, mine)
        assert told(entries) == [("member", action, "ok")]
        assert entries[0].actor == f"member:{member.pk}"
    by_operator: dict[str, Callable[[], object]] = {
        "client.registered": lambda: registrations.register("https://acme.my.salesforce.com", "own", Secret("s"), mine),
        "client.unregistered": lambda: registrations.unregister("https://acme.my.salesforce.com"),
        "organization.ending": lambda: erasing.begin(mine),
    }
    for action, act in by_operator.items():
        assert told(new_entries(act, mine)) == [("operator", action, "ok")]


def test_nothing_recorded_holds_a_secret(alice: Connected, provider: Rotating) -> None:
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access(rejected=source.access().token)
    revocation.disconnect(alice.connection.pk, alice.member)
    written = " ".join(f"{row.target} {row.facts}" for row in AuditEntry.objects.all())
    for secret in (*provider.issued, "client-secret", people.ALICE.email):
        assert secret not in written
    assert audit.verify(alice.member.organization_id) is None


def _functions(path: str) -> list[tuple[str, str]]:
    parts = re.split(r"\ndef (\w+)", (ROOT / path).read_text())
    return list(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("path", ["vault/states.py", "vault/revocation.py", "organizations/membership.py"])
def test_whoever_changes_a_state_or_a_member_records_it(path: str) -> None:
    """The exceptions are named with their reason; a new one has to be argued for here."""
    unrecorded = {
        "mend": "its callers record what made the provider accept the grant",
        "renewed": "as mend",
        "_show_broken": "incidents.record writes an entry, once for each generation",
        "_deny": "its callers record the end",
        "discard": "its callers record what replaced or ended the grant",
        "reseal": "rotation.py records the whole rotation",
        "at_once": "only the time of the next try",
        "_finish": "takes its turn; _wipe records the end",
        "_try_later": "only the time of the next try",
        "_refresh_organization": "the name, as Salesforce has it now",
        "_store_profile": "the profile, as Salesforce has it now",
        "confirm": "follows the grant's state, which is recorded",
        "unconfirm": "follows the grant's state, which is recorded",
    }
    for name, body in _functions(path):
        changes = re.search(r"\.update\(|\.save\(|\.delete\(", body)
        assert not changes or re.search(r"\b(audit\.|_)record\(", body) or name in unrecorded, name
