"""`manage.py doctor`: each cause in plain words with its screen; no secret, no address; exit code 1 on errors."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from redis import Redis

from organizations import doctor as installation
from organizations.registries import Finding, Level, doctor_checks
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError, Transient
from tests.journeys.people import sign_in_anew
from tests.running import Stack
from tests.servers import ROOT
from tests.tracking.asking import await_true
from tests.vault.conftest import Connected, alice, cold, provider
from tests.vault.rotating import Rotating
from tracking.hot.stream import DAY
from vault import causes, connect, dialects, doctor, mailbox_refusals, probe, refused, standing, states
from vault.models import ClientRegistration, Connection, DatabaseMark, DataKey, LiveProcess, State
from vault.tokens import ConnectionTokens

__all__ = ["alice", "cold", "provider"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def everything_off(settings: Any) -> None:
    """No real provider is asked."""
    settings.GOOGLE_CLIENT_ID = settings.MICROSOFT_CLIENT_ID = ""


def refuse_with(provider: Rotating, description: str, error: str = "invalid_grant") -> None:
    def refusal(_: str) -> dict[str, str]:
        return {"error": error, "error_description": description}

    provider._refusal = refusal  # type: ignore[method-assign, assignment]
    provider.access_token = "of-nobody"  # the stored one is refused


def test_the_cause_stays_and_is_grouped(alice: Connected, provider: Rotating) -> None:
    refuse_with(provider, "ip restricted")
    source = ConnectionTokens(alice.connection.pk, "test")
    with pytest.raises(NeedsReconnect):
        source.access(rejected=source.access().token)
    assert (alice.again().state, alice.again().cause) == (State.NEEDS_RECONNECT, "ip_restricted")
    (finding,) = doctor.in_trouble()
    assert finding.level == Level.WARNING
    assert finding.message.startswith(f"Salesforce: 1 in trouble ({alice.connection.pk}).")
    assert "IP Relaxation" in finding.advice
    states.mend(alice.again())
    assert alice.again().cause == ""
    assert list(doctor.in_trouble()) == []


@pytest.mark.parametrize("where", ["a probe", "a renewal"])
def test_passing_trouble_sends_nobody_to_connect_again(alice: Connected, provider: Rotating, where: str) -> None:
    """One 503: said to pass; and forgotten with the next proof."""
    behave, provider.server.behave = provider.server.behave, lambda handler: handler.answer(503, {})
    if where == "a probe":
        probe.probe(alice.connection.pk)
    else:
        with pytest.raises(Transient):
            ConnectionTokens(alice.connection.pk, "test").access(rejected=alice.grant.access_token)
    assert (alice.again().state, alice.again().cause) == (State.DEGRADED, "unreachable")
    (finding,) = doctor.in_trouble()
    assert "The provider does not answer, or not properly; we keep trying." in finding.message
    assert "onnect again" not in finding.message + finding.advice
    shown = standing.status_of(alice.again(), timezone.now())
    assert shown.advice == "There is nothing to do: we keep trying."
    provider.server.behave = behave
    Connection.objects.update(retry_at=None)
    if where == "a probe":
        probe.probe(alice.connection.pk)
    else:
        ConnectionTokens(alice.connection.pk, "test").access(rejected=alice.grant.access_token)
    assert (alice.again().state, alice.again().cause) == (State.HEALTHY, "")


def test_trouble_without_a_code_passes_or_needs_the_person(alice: Connected) -> None:
    Connection.objects.update(state=State.DEGRADED, cause="")
    (finding,) = doctor.in_trouble()
    assert finding.message.endswith("Passing trouble; we keep trying.")
    assert "onnect again" not in finding.advice
    Connection.objects.update(state=State.NEEDS_RECONNECT)
    (finding,) = doctor.in_trouble()
    assert finding.advice == "Dashboard, Connections, Connect again. (by the person)"


def test_an_app_that_is_no_longer_configured_is_the_operators_task(alice: Connected, settings: Any) -> None:
    settings.SALESFORCE_CLIENT_ID = "another"
    ClientRegistration.objects.all().delete()
    with pytest.raises(PermissionMissing):
        ConnectionTokens(alice.connection.pk, "test").access(rejected=alice.grant.access_token)
    assert (alice.again().state, alice.again().cause) == (State.DEGRADED, "client_refused")
    (finding,) = doctor.in_trouble()
    assert "(by the operator)" in finding.advice


def test_who_withdrew_at_google_connects_again_himself(alice: Connected) -> None:
    """That an app in testing loses its grants after a week is for the operator alone."""
    Connection.objects.update(provider="google", state=State.NEEDS_RECONNECT, cause="ended", reason="It has ended.")
    shown = standing.status_of(alice.again(), timezone.now())
    assert shown.advice == "Connect again. Your settings stay as they are."
    (finding,) = doctor.in_trouble()
    assert "Connect again. (by the person)" in finding.advice
    assert "“Testing”: the operator publishes the app" in finding.advice


@pytest.mark.parametrize(
    ("error", "description", "expected"),
    [
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", "Unblock"),
        ("invalid_request", "app must be installed into org", "Connected Apps OAuth Usage, Install"),
        ("OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", "pre-authorized"),
    ],
)
def test_sign_ins_that_salesforce_refuses_are_counted(
    error: str, description: str, expected: str, transactional_db: None
) -> None:
    """Uninstalled connected app, blocked, not admin-approved: nobody has got in yet, so no connection could tell."""
    for _ in range(3):
        refused.note("salesforce", connect.said_by_salesforce(error, description).cause)
    (finding,) = doctor.sign_ins()
    assert finding.message.startswith("Salesforce: sign-ins refused within a week: 3.")
    assert expected in finding.advice


@pytest.mark.parametrize(
    ("provider_name", "error", "expected"),
    [
        ("google", "access_denied: the app is in testing", "Audience: publish the app"),
        ("google", "admin_policy_enforced", "App access control"),
        ("google", "redirect_uri_mismatch", "add the redirect URI"),
        ("microsoft", "AADSTS90094", "Grant admin consent"),
        ("microsoft", "AADSTS50105", "Users and groups"),
        ("microsoft", "AADSTS53003", "Conditional Access"),
    ],
)
def test_so_are_those_of_mailboxes(provider_name: str, error: str, expected: str, transactional_db: None) -> None:
    """Consent screen in testing, admin approval missing, redirect URI not registered ..."""
    refusal = mailbox_refusals.refusal(provider_name, dialects.label(provider_name), error, "")
    refused.note(provider_name, refusal.cause)
    (finding,) = doctor.sign_ins()
    assert expected in finding.advice
    cause = causes.of(provider_name, refusal.cause)
    assert str(refusal) == cause.words, "the person and the operator read the same"
    assert cause.screen in refusal.advice[0]


def test_every_code_that_providers_use_has_a_text() -> None:
    """A code without one would send the operator nowhere."""
    for name in ("salesforce", "google", "microsoft"):
        text = (ROOT / "providers" / name / "oauth.py").read_text()
        used = set(re.findall(r'\("(\w+)", f?(?:"[A-Z]|_[A-Z])|", "([a-z_]+)", (?:_|"[A-Z])|code="(\w+)"', text))
        codes = {code for found in used for code in found if code} - {"email", "calendar"}
        assert codes - set(causes.anywhere() | causes.only_at(name)) == set(), name
        assert len(codes) >= 5, codes


def test_a_missing_scope_and_an_orphaned_key_are_found(alice: Connected, provider: Rotating) -> None:
    Connection.objects.update(scopes=["id", "api"])
    (finding,) = doctor.scopes()
    assert "scope that it needs was not granted" in finding.message
    DataKey.objects.using("keys").update(organization_id="6a1d1d1e-0000-4000-8000-000000000001")
    (finding,) = doctor.orphans()
    assert finding.level == Level.WARNING


def test_silent_processes_are_found(alice: Connected) -> None:
    LiveProcess.objects.all().delete()
    DatabaseMark.objects.all().delete()
    messages = [finding.message for finding in doctor.processes() if finding.level == Level.ERROR]
    assert len(messages) == 3
    LiveProcess.objects.create(
        name="web here:1", seen_at=timezone.now(), started_at=timezone.now(), kek_ids=["default"]
    )
    DatabaseMark.objects.create(moved_at=timezone.now())
    messages = [finding.message for finding in doctor.processes() if finding.level == Level.ERROR]
    assert len(messages) == 1


def test_one_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> None:
    def breaks() -> list[Finding]:
        raise ProviderError("secret-text")

    parts = {"a": breaks, "b": lambda: [Finding(Level.OK, "All is well with b.")]}
    monkeypatch.setattr(doctor_checks, "_parts", parts)
    out = io.StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("doctor", stdout=out)
    assert failed.value.returncode == 1
    assert "All is well with b." in out.getvalue()
    assert "ProviderError" in out.getvalue()
    assert "secret-text" not in out.getvalue()


def test_the_manual_has_the_same_texts() -> None:
    out = io.StringIO()
    call_command("doctor", "--screens", stdout=out)
    assert out.getvalue() == Path(ROOT / "docs" / "doctor.md").read_text()


def test_an_address_that_nobody_reaches_is_said(settings: Any, stack: Stack) -> None:
    settings.PUBLIC_URL, settings.IS_HTTPS = "https://sidebar.invalid", True
    (finding,) = installation.address()
    assert (finding.level, finding.message) == (
        Level.WARNING,
        "https://sidebar.invalid cannot be reached from this machine.",
    )
    assert installation._answers(stack.public_url)


def run(stack: Stack, **changes: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.loopback", "manage.py", "doctor"],
        cwd=ROOT,
        env={**stack.environment, **changes},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_running_product_is_well(stack: Stack) -> None:
    """Everything is looked at, and the redirect URIs to register are spelled out. Salesforce's own login hosts are
    offered too; from a test nobody reaches them, which is no error where another door answers."""
    bob = sign_in_anew(stack, "acme", "bob")
    await_true(lambda: Redis.from_url(stack.facts["redis_url"]).exists(DAY) == 1, 30)  # it may just have started
    told = run(stack)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"Redirect URI to register there: {stack.public_url}/connect/salesforce/callback/" in told.stdout
    assert "Salesforce: https://login.salesforce.com cannot be reached." in told.stdout
    assert "Periodic tasks run." in told.stdout
    tokens = (bob.tokens["access_token"], bob.tokens["refresh_token"])
    for secret in (*tokens, *(org["client_secret"] for org in stack.facts["orgs"])):
        assert str(secret) not in told.stdout
    assert told.stdout.count("ok  ") > 8


def test_one_that_is_not_is_told_what_to_do(stack: Stack) -> None:
    """Wrong key, dead queue, an unreachable provider: each its own line, and code 1."""
    other = "bm90IHRoZSByaWdodCBrZXkgYXQgYWxsIDEyMzQ1Njc="
    names = {name for name in stack.environment if name.startswith(("VAULT_KEK", "REDIS_URL"))}
    environment = {name: value for name, value in stack.environment.items() if name not in names}
    broken = Stack(stack.process, stack.state, {**stack.facts, "environment": {}}, 0.0, stack.output)
    changes = {"VAULT_KEK": other, "REDIS_URL": "redis://127.0.0.1:1/0", "OUTBOUND_PROXY": "http://127.0.0.1:1"}
    told = run(broken, **{**environment, **changes})
    assert told.returncode == 1
    for sentence in ("is not the one that was used", "queue in REDIS_URL does not answer", "cannot be reached"):
        assert sentence in told.stdout


def test_without_a_database_it_ends_within_seconds_and_without_noise(stack: Stack) -> None:
    """One line for all that needs it; the queue, which does not, is looked at all the same."""
    given = urlsplit(stack.facts["database_url"])
    away = urlunsplit(given._replace(netloc=f"{given.username}:{given.password}@127.0.0.1:1"))
    environment = {name: value for name, value in stack.environment.items() if name != "DATABASE_URL_FILE"}
    began = time.monotonic()
    told = run(
        Stack(stack.process, stack.state, {**stack.facts, "environment": {}}, 0.0, stack.output),
        **environment,
        DATABASE_URL=away,
    )
    took = time.monotonic() - began
    lines = told.stdout.splitlines()
    assert told.returncode == 1
    assert "The database in DATABASE_URL does not answer (OperationalError)." in told.stdout
    assert lines[-1] == "warning  The rest needs the database and was not looked at."
    assert any("The queue answers" in line for line in lines)
    assert len(lines) < 12, told.stdout
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert took < 20, "most of it the start of Python, on a busy machine"
