"""A database restored from a backup: noticed, its grants suspect, none renewed without need, the truth told (V20)."""

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from organizations.models import AuditEntry
from providers.errors import NeedsReconnect
from tests.organizations import people
from tests.vault import started
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_doors import HOST
from vault import findings, grants, incidents, keys, leases, probe, proof, renewal, suspicion, tasks, turns, upkeep
from vault.models import Attempt, Connection, DatabaseMark, Incident, KeyStoreMark, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

TABLES = (
    *("organizations_auditentry", "organizations_audithead"),
    *("vault_connection", "vault_credential", "vault_attempt", "vault_databasemark"),
)


@pytest.fixture
def backup(alice: Connected) -> Iterator[Callable[[], None]]:
    """Last night's tables, in a schema of their own; call it to restore them."""
    suspicion.look()
    run("CREATE SCHEMA backup")
    for_each("CREATE TABLE backup.{0} AS TABLE {0}", TABLES)

    def restore() -> None:
        for_each("DELETE FROM {0}", ("vault_incident", *reversed(TABLES)))
        for_each("INSERT INTO {0} SELECT * FROM backup.{0}", TABLES)
        keys.forget_all()
        leases._leases.clear()

    yield restore
    run("DROP SCHEMA backup CASCADE")


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def for_each(statement: str, tables: Sequence[str]) -> None:
    for table in tables:
        run(statement.format(table))


def look_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.renew_grant, "delay", tasks.renew_grant)
    monkeypatch.setattr(tasks.prove_grant, "delay", tasks.prove_grant)
    tasks.look_after_grants()


def access(alice: Connected) -> str:
    return ConnectionTokens(alice.connection.pk, "test").access().token.reveal()


def test_nothing_is_suspect_where_nothing_was_restored(alice: Connected) -> None:
    for _ in range(3):
        assert not suspicion.look()
        assert not suspicion.is_behind()
    mark, copy = DatabaseMark.objects.get(), KeyStoreMark.objects.using("keys").get()
    assert (mark.epoch, mark.counter) == (copy.epoch, copy.counter) == (mark.epoch, 3)
    assert alice.again().state == State.HEALTHY


def test_a_restored_database_is_noticed(alice: Connected, backup: Callable[[], None]) -> None:
    """V20: at process start, once, by one process; told to everybody who looks."""
    suspicion.look()
    backup()
    assert suspicion.is_behind()
    assert suspicion.look()
    assert not suspicion.look()
    row = alice.again()
    assert row.state == State.SUSPECT
    assert proof.shown(row).reason == "Our database was restored from a backup. You may have to connect again."
    assert [each.kind for each in Incident.objects.all()] == [incidents.RESTORED]
    assert AuditEntry.objects.get(action="connections.suspected").facts == {"count": 1}
    (line,) = findings.restored()
    assert line.message == "Grants of a restored database in state suspect: 1."


def test_a_suspect_grant_lives_on_its_access_token(
    alice: Connected, provider: Rotating, backup: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V20: asked first, used to its end, never renewed ahead of need."""
    suspicion.look()
    backup()
    suspicion.look()
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z", renew_at=Now())
    look_after(monkeypatch)
    upkeep.keep_alive(alice.connection.pk)
    upkeep.renew_ahead(alice.connection.pk, alice.connection.generation)
    assert list(turns.to_renew()) == []
    assert [seen.path for seen in provider.server.seen] == ["/services/oauth2/userinfo"]
    assert access(alice) == provider.access_token
    assert alice.again().state == State.SUSPECT, "that its access token works says nothing about its refresh token"


def test_what_was_not_renewed_since_the_backup_is_healthy_after_one_try(
    alice: Connected, provider: Rotating, backup: Callable[[], None]
) -> None:
    """V20: nothing was lost."""
    suspicion.look()
    backup()
    suspicion.look()
    provider.access_token = "over"
    probe.probe(alice.connection.pk)
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert alice.again().state == State.HEALTHY
    assert not suspicion.concerned().exists()


@pytest.mark.oracle(reuses=1)
def test_what_was_renewed_since_needs_its_person(
    alice: Connected, provider: Rotating, backup: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V20, I3: one try, and not before the restored access token was refused; then the list of who must connect."""
    source = ConnectionTokens(alice.connection.pk, "test")
    newest = source.access(rejected=source.access().token)
    suspicion.look()
    backup()
    suspicion.look()
    look_after(monkeypatch)
    row = alice.again()
    assert row.state == State.NEEDS_RECONNECT
    assert row.reason == "Our database was restored from a backup, and Salesforce does not accept what it held."
    assert provider.refreshes == 2
    assert {each.kind for each in Incident.objects.all()} == {incidents.RESTORED}
    with pytest.raises(NeedsReconnect):
        access(alice)
    assert [each.pk for each in suspicion.concerned()] == [row.pk]
    assert newest.token.reveal() == provider.access_token


def test_a_process_that_was_running_all_along_sends_nothing_blindly(
    alice: Connected, provider: Rotating, backup: Callable[[], None]
) -> None:
    """V20: restored beneath it: the renewal itself compares the marks first."""
    suspicion.look()
    backup()
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    assert Incident.objects.get().kind == incidents.RESTORED
    assert alice.again().state == State.HEALTHY, "its one try was answered"


def test_no_process_starts_work_before_it_has_looked(
    alice: Connected, provider: Rotating, backup: Callable[[], None], tmp_path: Path
) -> None:
    """V20: a worker is started on last night's database: the grants are suspect before it takes its first task."""
    suspicion.look()
    backup()
    with started.worker(provider, tmp_path):
        assert alice.again().state == State.SUSPECT
    assert provider.server.seen == []


def test_both_databases_restored_together(alice: Connected, backup: Callable[[], None]) -> None:
    """V20: the host remembers what the key store has forgotten."""
    kept = KeyStoreMark.objects.using("keys").get()
    suspicion.look()
    backup()
    KeyStoreMark.objects.using("keys").update(counter=kept.counter)
    assert not suspicion.is_behind()
    assert suspicion.look()
    assert alice.again().state == State.SUSPECT


def test_a_host_that_remembers_another_installation_means_nothing(alice: Connected, settings: Settings) -> None:
    """A developer's folder beside a new database; a damaged file; no folder at all."""
    suspicion.look()
    file = Path(settings.VAULT_SPOOL_DIR) / "database-mark"
    for text in (f"{uuid4()} 999999", "", "nonsense", "a b c"):
        file.write_text(text)
        assert not suspicion.look()
    settings.VAULT_SPOOL_DIR = file / "not-a-folder"
    assert not suspicion.look()


def test_an_older_key_store_is_no_restored_database(alice: Connected) -> None:
    """Its turn is to catch up; and a key store that is away stops no renewal."""
    suspicion.look()
    KeyStoreMark.objects.using("keys").update(counter=0)
    assert not suspicion.look()
    KeyStoreMark.objects.using("keys").all().delete()
    assert not suspicion.look()
    assert KeyStoreMark.objects.using("keys").get().counter == DatabaseMark.objects.get().counter


def test_a_database_from_before_the_marks(alice: Connected) -> None:
    """V20: the key store knows an installation that the database knows nothing of."""
    suspicion.look()
    DatabaseMark.objects.all().delete()
    assert suspicion.look()
    assert alice.again().state == State.SUSPECT


@pytest.mark.oracle(finds=["I5"])
def test_google_keeps_its_refresh_tokens(alice: Connected, backup: Callable[[], None]) -> None:
    """What is not used up by a renewal is not suspect (spec 2.6)."""
    Connection.objects.update(provider="google")
    run("UPDATE backup.vault_connection SET provider = 'google'")
    suspicion.look()
    backup()
    assert suspicion.look()
    assert alice.again().state == State.HEALTHY


def test_a_new_sign_in_settles_it(alice: Connected, backup: Callable[[], None]) -> None:
    suspicion.look()
    backup()
    suspicion.look()
    grants.store(alice.again(), alice.grant)
    assert not suspicion.concerned().exists()


def test_the_operator_can_say_so(alice: Connected) -> None:
    """`manage.py after_restore`, where the marks cannot know; with --list only names."""
    suspicion.look()
    told = StringIO()
    call_command("after_restore", "--list", stdout=told)
    assert told.getvalue() == ""
    call_command("after_restore", stdout=told)
    assert told.getvalue().splitlines() == [
        "Grants held suspect: 1",
        f"{alice.member.organization.name}: {alice.member.name}, salesforce: is being tried",
    ]
    assert alice.again().state == State.SUSPECT


def test_said_twice_it_is_the_same_restore(alice: Connected, provider: Rotating) -> None:
    """One attempt for each grant, one incident for each organization, and the doctor's lines agree."""
    told = StringIO()
    for _ in range(2):
        suspicion.look()
        call_command("after_restore", stdout=told)
    assert "Grants held suspect: 1" in told.getvalue()
    assert "Grants held suspect: 0" in told.getvalue()
    assert told.getvalue().count("is being tried") == 2, "the list is told each time"
    assert Attempt.objects.filter(outcome="restored").count() == 1
    assert AuditEntry.objects.filter(action="connections.suspected").count() == 1
    (line,) = findings.lately()
    assert line.message.endswith("(organizations concerned within seven days: 1)")
    assert "after_restore --list" in line.advice
    assert "people concerned connect again" not in line.advice
    provider.access_token = "over"
    probe.probe(alice.connection.pk)
    with transaction.atomic():
        assert suspicion.suspect_all() == 1, "renewed since: a later restore is another one"


def test_the_person_reads_it_once(alice: Connected) -> None:
    suspicion.look()
    with transaction.atomic():
        suspicion.suspect_all()
    text = people.sign_in(alice.member).get("/dashboard/connections/", headers=HOST).content.decode()
    assert text.count("was restored from a backup") == 1
    assert "We ask Salesforce whether this connection still works." in text


def test_what_may_have_been_ended_since_the_backup_is_named(
    alice: Connected,
) -> None:
    """I7: Microsoft was asked nothing when a grant was ended here, so a restored one is honoured there."""
    Connection.objects.update(connected_at=Now())
    row = Connection.objects.create(
        organization=alice.member.organization,
        member=alice.member,
        provider="microsoft",
        subject="x",
        state=State.HEALTHY,
    )

    def listed() -> str:
        told = StringIO()
        call_command("after_restore", "--list", stdout=told)
        return told.getvalue()

    assert listed() == ""
    call_command("after_restore", stdout=StringIO())
    line = f"{alice.member.name}, microsoft: is in use; who had ended it since the backup has to end it again"
    assert line in listed()
    Connection.objects.filter(pk=row.pk).update(connected_at=Now())
    assert "microsoft" not in listed(), "connected again since"
