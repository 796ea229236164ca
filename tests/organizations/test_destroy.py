"""Destroying an organization step by step: killed anywhere, refused sign-ins, silent providers, late jobs (C37)."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from celery import Celery, current_app
from django.conf import settings as live
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from organizations import audit, certificate, epochs, erasing, erasing_queue, membership
from organizations.models import AuditEntry, Destruction, Epoch, Member, Organization
from organizations.registries import erasers
from tests.organizations import crawl, people
from tests.vault.conftest import Connected, alice, cold, provider
from tests.vault.keyrings import new_kek
from tests.vault.rotating import Rotating
from tests.vault.test_crashes import _url
from vault import clients, keys, revocation, upkeep
from vault import erasing as vault_erasing
from vault.errors import ConnectRequired, KekUnusable, VaultError
from vault.models import Connection, DataKey, DiscardedGrant, State
from vault.tokens import ConnectionTokens

__all__ = ["alice", "cold", "provider"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> None:
    """No other process listens here; what waiting is for is shown by test_destroy_whole.py."""
    monkeypatch.setattr(erasing, "HEARD_BY_ALL", 0.1)
    settings.LOCAL_DIR = tmp_path


@pytest.fixture
def acme(alice: Connected) -> Organization:
    people.add_in()
    people.tokens_for(alice.member)
    return alice.member.organization


def words(organization: Organization) -> set[str]:
    members = Member.objects.filter(organization=organization)
    found = {
        str(value) for row in members.values_list("id", "username", "email", "salesforce_user_id") for value in row
    }
    return found | {str(organization.pk), organization.salesforce_org_id}


def stored() -> list[tuple[str, str]]:
    return [*crawl.rows_of(_url("default")), *crawl.rows_of(_url("keys"))]


def destroy(organization: Organization, *arguments: str) -> dict[str, Any]:
    call_command("destroy_organization", str(organization.pk), "--yes", "--patience", "0.2", *arguments)
    path = live.LOCAL_DIR / "certificates" / f"{organization.pk}.json"
    return certificate.verify(certificate.read(path), certificate.public_key())


STEPS = [step.__name__ for step in erasing.STEPS]


def run_and_die(organization: Organization, provider: Rotating, step: str, moment: str, folder: Path) -> int:
    environment = {
        **os.environ,
        "DATABASE_URL": _url("default"),
        "KEY_STORE_URL": _url("keys"),
        "LOCAL_DIR": str(folder),
        "SALESFORCE_ORIGINS": provider.server.url,
        "OUTBOUND_CA_BUNDLE": str(provider.server.ca),
    }
    run = [sys.executable, "-m", "tests.organizations.dying", str(organization.pk), step, moment]
    return subprocess.run(run, env=environment, cwd=live.BASE_DIR, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("step", "moment"),
    [
        *((step, "before") for step in STEPS),
        *((step, "within") for step in ("withdraw", "erase", "let_everybody_hear")),
        *((step, "after") for step in ("finish", "write")),
    ],
)
def test_killed_anywhere_the_next_run_finishes(
    acme: Organization, provider: Rotating, step: str, moment: str, tmp_path: Path
) -> None:
    """One grant revoked once, every row gone, the counts those of the beginning."""
    names = words(acme)
    died = run_and_die(acme, provider, step, moment, tmp_path)
    assert died == -signal.SIGKILL
    content = destroy(acme)
    assert crawl.naming(names, stored()) == []
    assert content["found"]["vault"]["grants at salesforce"] == 1
    assert content["found"]["organizations"]["members"] == 2
    assert content["withdrawn"] == [
        {"provider": "salesforce", "what": "grants", "confirmed": 1, "unconfirmed": 0, "not_offered": 0, "advice": ""}
    ]
    assert set(provider.revoked) == {provider.refresh_token}
    assert not Destruction.objects.exists()
    assert Organization.objects.get().name == "Globex"


def test_a_dry_run_changes_nothing(acme: Organization, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(stored())
    call_command("destroy_organization", acme.salesforce_org_id[:15], "--dry-run")
    assert "members" in capsys.readouterr().out
    assert sorted(stored()) == before


def test_a_silent_provider_is_named_with_a_count(acme: Organization, provider: Rotating) -> None:
    """Bounded waiting, then shredding: the certificate says what was not confirmed, and keeps nothing to ask again."""
    provider.server.behave = lambda handler: handler.answer(503, {})
    content = destroy(acme)
    (told,) = content["withdrawn"]
    assert (told["provider"], told["confirmed"], told["unconfirmed"]) == ("salesforce", 0, 1)
    assert not DiscardedGrant.objects.exists()
    assert not DataKey.objects.using("keys").filter(organization_id=acme.pk).exists()


def test_a_grant_that_does_not_open_is_not_called_confirmed(acme: Organization, provider: Rotating) -> None:
    keys.shred(acme.pk)
    (told,) = destroy(acme)["withdrawn"]
    assert (told["confirmed"], told["unconfirmed"]) == (0, 1)
    assert provider.revoked == []


def test_a_lost_key_keeps_nobodys_data_here(
    acme: Organization, alice: Connected, provider: Rotating, settings: Any
) -> None:
    """V17 meets C37: what no key opens any more is wiped all the same; the certificate does not call it confirmed."""
    names = words(acme) | {str(alice.connection.pk)}
    settings.VAULT_KEK = f"new:{new_kek()}"
    keys.forget_all()
    (told,) = destroy(acme, "--keys-are-lost")["withdrawn"]
    assert (told["confirmed"], told["unconfirmed"]) == (0, 1)
    assert provider.revoked == []
    assert crawl.naming(names, stored()) == []


def test_a_key_that_can_be_mended_gives_up_no_grant(
    acme: Organization, alice: Connected, provider: Rotating, settings: Any
) -> None:
    """C37: a key left out, or a key service that refuses an expired token, is told in one line; nothing is begun."""
    good = settings.VAULT_KEK
    settings.VAULT_KEK = f"new:{new_kek()}"
    keys.forget_all()
    with pytest.raises(CommandError, match=r"VAULT_KEK does not hold.*Mend it and run the command again"):
        destroy(acme)
    acme.refresh_from_db()
    assert (acme.ending_since, Destruction.objects.count(), alice.again().state) == (None, 0, State.HEALTHY)
    settings.VAULT_KEK = good
    (told,) = destroy(acme)["withdrawn"]
    assert (told["confirmed"], told["unconfirmed"]) == (1, 0)
    assert not provider.alive


@pytest.mark.parametrize("at", ["put down", "revoke", "late"])
def test_a_key_refused_on_the_way_stops_it_there(
    acme: Organization, alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """The token of the key service runs out in the middle; the next run goes on, and the provider hears of the end."""
    refused, opened = at == "put down", keys.opened

    def opened_unless_refused(row: DataKey) -> Any:
        if refused:
            raise KekUnusable("The key service denies us the key.")
        return opened(row)

    def begin_to_refuse(*_: Any) -> None:
        nonlocal refused
        refused = True
        keys.forget_all()

    monkeypatch.setattr(keys, "opened", opened_unless_refused)
    monkeypatch.setattr(erasing, "needs", ())  # it runs out just afterwards
    if at == "revoke":
        monkeypatch.setattr(vault_erasing, "_settle_what_is_under_way", begin_to_refuse)
    if at == "late":
        monkeypatch.setattr(erasing, "withdraw", begin_to_refuse)
        monkeypatch.setattr(erasing, "STEPS", (erasing.take_stock, begin_to_refuse, erasing.erase))
    keys.forget_all()
    with pytest.raises(CommandError, match="denies us the key"):
        destroy(acme)
    assert provider.alive
    assert DataKey.objects.using("keys").filter(organization_id=acme.pk).exists()
    monkeypatch.undo()
    refused = False
    monkeypatch.setattr(erasing, "HEARD_BY_ALL", 0.1)
    keys.forget_all()
    (told,) = destroy(acme)["withdrawn"]
    assert (told["confirmed"], told["unconfirmed"]) == (1, 0)
    assert not provider.alive


def test_a_renewal_refused_as_it_begins_is_no_deadlock(acme: Organization, alice: Connected) -> None:
    """Both lock the member before the audit log, so one waits for the other."""
    held = threading.Event()

    def refuse() -> None:
        try:
            with transaction.atomic():
                membership.unconfirm(alice.member.pk)
                held.set()
                wait_for_a_waiting_backend()
                audit.record(acme.pk, "task:renewal", "connection.needs_reconnect", alice.connection.pk)
        finally:
            connections.close_all()

    refusal = threading.Thread(target=refuse)
    refusal.start()
    assert held.wait(10)
    erasing.begin(acme.pk)
    refusal.join(10)
    actions = AuditEntry.objects.filter(organization_id=acme.pk).order_by("sequence").values_list("action", flat=True)
    assert list(actions)[-2:] == ["connection.needs_reconnect", "organization.ending"]


def wait_for_a_waiting_backend() -> None:
    until = time.monotonic() + 10
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with connection.cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(waiting)
            if cursor.fetchone():
                return
            time.sleep(0.02)
    pytest.fail("nobody waits")


def test_what_was_made_after_the_counting_leaves_no_counter(acme: Organization, alice: Connected) -> None:
    """The id of a connection that came in late is forgotten like the others."""
    erasing.begin(acme.pk)
    erasing.take_stock(Destruction.objects.get(), 0.2)
    late = Connection.objects.create(organization=acme, member=alice.member, provider="google", subject="late")
    epochs.bump("connection", late.pk)
    destroy(acme)
    assert not Epoch.objects.filter(key=str(late.pk)).exists()
    assert crawl.naming({str(late.pk)}, stored()) == []


def test_from_the_first_commit_on_nobody_and_nothing_gets_in(
    acme: Organization, alice: Connected, provider: Rotating
) -> None:
    """No sign-in, no lease, no task; the neighbours go on."""
    api = people.api(alice.member)
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access()
    assert api.call("get", "me/").status_code == 200
    erasing.begin(acme.pk)
    assert api.call("get", "me/").status_code == 401
    with pytest.raises(membership.NotWelcome):
        membership.join(people.ALICE)
    assert people.sign_in(alice.member).get("/dashboard/").status_code == 302
    with pytest.raises(ConnectRequired):
        clients.salesforce_connection_of(alice.member)
    assert upkeep.due_for_access() == upkeep.due_for_renewal() == []
    erasing.withdraw(Destruction.objects.get(), 1)
    with pytest.raises(ConnectRequired):
        source.access()
    charlie = Member.objects.get(name="Charlie Chen")
    assert people.api(charlie).call("get", "me/").status_code == 200


def test_a_job_that_still_runs_makes_nothing_anew(acme: Organization, alice: Connected, provider: Rotating) -> None:
    """The renewal was sent, the destruction overtakes it, the answer comes: nothing is stored, nothing recorded."""
    names = words(acme) | {str(alice.connection.pk)}
    source = ConnectionTokens(alice.connection.pk, "test")
    token = source.access().token
    provider.meanwhile = lambda: _end_everything(acme.pk)
    with pytest.raises((VaultError, audit.OrganizationGone, Connection.DoesNotExist)):
        source.access(rejected=token)
    with pytest.raises(audit.OrganizationGone):
        audit.record(acme.pk, "task:late", "test.late")
    revocation.disconnect(alice.connection.pk, alice.member)
    assert crawl.naming(names, stored()) == []


def _end_everything(organization_id: UUID) -> None:
    """Under the feet of a renewal, without waiting for it as the real one does."""
    for _, eraser in reversed(list(erasers)):
        eraser.erase(organization_id)
    Epoch.objects.all().delete()


def test_a_renewal_under_way_is_waited_for_and_its_tokens_revoked(
    acme: Organization, alice: Connected, provider: Rotating
) -> None:
    """I2 and I7 at once: what Salesforce rotated to meanwhile ends there as well."""
    provider.delay = 2.0
    source = ConnectionTokens(alice.connection.pk, "test")
    token = source.access().token

    def renew() -> None:
        try:
            with pytest.raises((VaultError, Connection.DoesNotExist)):
                source.access(rejected=token)
        finally:
            connections.close_all()

    renewal = threading.Thread(target=renew)
    renewal.start()
    until = time.monotonic() + 30
    while not provider.refreshes:
        assert time.monotonic() < until, "the renewal does not begin"
        time.sleep(0.01)
    content = destroy(acme)
    renewal.join()
    assert provider.refresh_token in provider.revoked
    assert content["withdrawn"][0]["unconfirmed"] == 0
    assert not AuditEntry.objects.filter(organization_id=acme.pk).exists()


def test_its_tasks_leave_the_queue_and_others_stay(acme: Organization, alice: Connected) -> None:
    """By Celery's own messages; one that a worker has taken and not acknowledged goes as well."""
    other = "6a1d1d1e-0000-4000-8000-000000000001"
    sender = Celery("sender", broker=live.CELERY_BROKER_URL, set_as_current=False)
    with redis.Redis.from_url(live.CELERY_BROKER_URL) as client:
        client.flushdb()
        for name in [str(alice.connection.pk), other] * 3:
            sender.send_task("vault.tasks.keep_grant_alive", [name], ignore_result=True)
        held = client.lindex("celery", 0)
        client.hset("unacked", "tag-1", json.dumps([json.loads(held), "", "celery"]))
        client.zadd("unacked_index", {"tag-1": 1.0})
        names = {str(name) for _, eraser in erasers for name in eraser.names(acme.pk)}
        assert crawl.naming(names, crawl.queue(live.CELERY_BROKER_URL))
        assert erasing_queue.purge(names) in (3, 4)
        assert crawl.naming(names, crawl.queue(live.CELERY_BROKER_URL)) == []
        assert client.llen("celery") == 3
        client.flushdb()
    assert current_app.conf.broker_url == live.CELERY_BROKER_URL


def test_whoever_signs_in_afterwards_founds_another_organization(acme: Organization, provider: Rotating) -> None:
    destroy(acme)
    again = membership.join(people.ALICE)
    assert again.organization_id != acme.pk
    assert audit.verify(again.organization_id) is None


def test_who_was_founded_since_is_not_destroyed_by_the_same_command(acme: Organization, provider: Rotating) -> None:
    """Salesforce's id is the same. Who means the new one gives ours."""
    command = ("destroy_organization", acme.salesforce_org_id, "--yes", "--patience", "0.2")
    call_command(*command)
    new = membership.join(people.ALICE).organization
    for text in (acme.salesforce_org_id, acme.salesforce_org_id[:15]):
        with pytest.raises(CommandError, match=f"(?s)destroyed at .*{acme.pk}.json.*our id of it: {new.pk}"):
            call_command("destroy_organization", text, "--yes")
    assert Organization.objects.get(pk=new.pk).ending_since is None
    destroy(new)
    assert Organization.objects.get().name == "Globex"


def test_repeated_after_a_kill_it_finishes_the_one_that_was_begun(
    acme: Organization, provider: Rotating, tmp_path: Path
) -> None:
    """Somebody may have signed in anew once its rows were gone."""
    assert run_and_die(acme, provider, "let_everybody_hear", "before", tmp_path) == -signal.SIGKILL
    new = membership.join(people.ALICE).organization
    call_command("destroy_organization", acme.salesforce_org_id, "--yes", "--patience", "0.2")
    assert not Destruction.objects.exists()
    assert (live.LOCAL_DIR / "certificates" / f"{acme.pk}.json").exists()
    assert Organization.objects.get(pk=new.pk).ending_since is None


def test_a_repeat_finds_a_certificate_that_was_written_elsewhere(
    acme: Organization, provider: Rotating, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "for the customer" / "acme.json"
    destroy(acme, "--certificate", str(elsewhere))
    kept = live.LOCAL_DIR / "certificates" / f"{acme.pk}.json"
    assert elsewhere.read_text() == kept.read_text()
    capsys.readouterr()
    for arguments, path in (((), kept), (("--certificate", str(elsewhere)), elsewhere)):
        call_command("destroy_organization", acme.salesforce_org_id, "--yes", *arguments)
        assert f"The certificate is in {path}." in capsys.readouterr().out
    kept.unlink()
    call_command("destroy_organization", str(acme.pk), "--yes", "--certificate", str(elsewhere))
    assert "Destroyed already" in capsys.readouterr().out


def test_a_database_from_before_its_destruction_is_destroyed_again(acme: Organization, provider: Rotating) -> None:
    """A backup brought the very organization back that the certificate names: no successor."""
    path = live.LOCAL_DIR / "certificates" / f"{acme.pk}.json"
    certificate.write(path, certificate.sign(_certificate_of(acme)))
    call_command("destroy_organization", acme.salesforce_org_id, "--yes", "--patience", "0.2")
    assert Organization.objects.get().name == "Globex"


def _certificate_of(organization: Organization) -> dict[str, str]:
    ids = {"organization_id": str(organization.pk), "salesforce_org_id": organization.salesforce_org_id}
    return {**ids, "finished_at": "2026-01-01T00:00:00+00:00"}


def test_what_is_no_certificate_of_ours_does_not_verify(acme: Organization, provider: Rotating, settings: Any) -> None:
    content = destroy(acme)
    document = certificate.sign(content)
    mine = certificate.public_key()
    assert certificate.verify(document, mine) == content
    changed = {**document, "certificate": {**content, "version": 2}}
    wrongs: tuple[object, ...] = ({}, [], "x", {"certificate": content}, changed)
    for wrong in wrongs:
        with pytest.raises(certificate.CertificateInvalid):
            certificate.verify(wrong, mine)
    settings.SIGNING_KEY = "V5x1cQ0mZrYp8u2sKdLw3EoTfGhJnBvCaXyI9qRtUeM="
    for forged in (document, certificate.sign(content)):
        with pytest.raises(certificate.CertificateInvalid):
            certificate.verify(forged, mine if forged is not document else certificate.public_key())


def test_without_a_key_to_sign_with_nothing_is_begun(acme: Organization, settings: Any) -> None:
    """Otherwise an organization could be destroyed, and nobody could show it."""
    settings.SIGNING_KEY = ""
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("destroy_organization", acme.salesforce_org_id, "--yes")
    with pytest.raises(CommandError, match="SIGNING_KEY is not set"):
        call_command("verify_certificate")
    assert Organization.objects.get(pk=acme.pk).ending_since is None


def test_an_unknown_organization_is_said_so(acme: Organization) -> None:
    for text in ("00D0000000000ZZ", "nonsense", "6a1d1d1e-0000-4000-8000-000000000001", ""):
        with pytest.raises(CommandError, match="no organization with this id"):
            call_command("destroy_organization", text, "--yes")
    assert Organization.objects.count() == 2
    assert connection.connection is not None
    assert Connection.objects.get().state == State.HEALTHY
