"""Who holds which key, across processes: rows, refusals that name the process, and /readyz (V16, I9)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from organizations import epochs
from tests.organizations import people
from tests.servers import ROOT
from tests.vault.keyrings import new_kek
from tests.vault.processes import environment
from vault import heartbeat, holders, keys, sealing
from vault.cipher import Place
from vault.errors import KekUnusable
from vault.models import DataKey, LiveProcess

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("oracle"),
]


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    keys.forget_all()
    keys.verify_kek()
    yield
    heartbeat.stop()
    keys.forget_all()


def a_place() -> Place:
    return Place(people.organization(), "vault_credential", uuid4(), "sealed", "salesforce", 1)


@contextmanager
def other_process(kek: str) -> Iterator[LiveProcess]:
    """A process of ours with this keyring, alive until the end of the block; its row."""
    known = set(LiveProcess.objects.values_list("pk", flat=True))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.vault.living"], cwd=ROOT, env=environment(VAULT_KEK=kek), stdin=subprocess.PIPE
    )
    try:
        until = time.monotonic() + 30
        while not (row := LiveProcess.objects.exclude(pk__in=known).first()):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield row
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


def test_a_process_writes_which_keys_it_holds_and_takes_the_row_away(settings: Settings) -> None:
    settings.VAULT_KEK = f"default:{settings.VAULT_KEK},2027:{new_kek()}"
    heartbeat.start("web", 0.1)
    row = LiveProcess.objects.get()
    assert row.kek_ids == ["default", "2027"]
    assert row.name.startswith("web ")
    assert row.name.endswith(f":{os.getpid()}")
    until = time.monotonic() + 10
    while LiveProcess.objects.get().seen_at == row.seen_at and time.monotonic() < until:
        time.sleep(0.05)
    assert LiveProcess.objects.get().seen_at > row.seen_at
    heartbeat.stop()
    assert not LiveProcess.objects.exists()


def test_rotation_refuses_and_names_the_process_that_lacks_the_key(settings: Settings) -> None:
    """V16: promotion is blocked until the last process has the new key; a dead one is forgotten after a minute."""
    where, old = a_place(), settings.VAULT_KEK
    blob = sealing.seal(b"secret", where)
    with other_process(old) as row:
        settings.VAULT_KEK = f"2027:{new_kek()},default:{old}"
        with pytest.raises(CommandError, match=r"Not every process holds the key '2027'.*worker .*heard of \d+ s ago"):
            call_command("rotate_keys")
        with pytest.raises(CommandError, match=row.name):
            call_command("rotate_keys", data_keys=True)
        assert DataKey.objects.using("keys").get().kek_id == "default"
    with pytest.raises(CommandError, match="2027"):  # dead, but not known to be
        call_command("rotate_keys")
    LiveProcess.objects.update(seen_at=Now() - holders.ALIVE - timedelta(seconds=1))
    call_command("rotate_keys")
    assert DataKey.objects.using("keys").get().kek_id == "2027"
    keys.forget_all()
    assert sealing.unseal(blob, where) == b"secret"


def test_a_key_put_first_too_early_wraps_nothing_before_all_have_it(settings: Settings) -> None:
    """I9: whatever is sealed meanwhile, the process that was not restarted yet opens it."""
    old, new = settings.VAULT_KEK, new_kek()
    with other_process(old):
        settings.VAULT_KEK = f"2027:{new},default:{old}"
        sealing.seal(b"secret", where := a_place())
        assert DataKey.objects.using("keys").get(organization_id=where.organization_id).kek_id == "default"
    LiveProcess.objects.all().delete()
    with other_process(f"default:{old},2027:{new}"):
        sealing.seal(b"secret", where := a_place())
        assert DataKey.objects.using("keys").get(organization_id=where.organization_id).kek_id == "2027"


def test_a_process_that_cannot_open_what_is_stored_is_not_ready(settings: Settings, client: Client) -> None:
    """V16: /readyz says 503, so that a load balancer sends nobody there."""
    epochs.start_polling(0.1)
    try:
        heartbeat.start("web", 0.1)
        assert client.get("/readyz").json() == {"default": True, "keys": True, "epochs": True, "vault_keys": True}
        sealing.seal(b"secret", a_place())
        DataKey.objects.using("keys").update(kek_id="2027")  # as rotate_keys on another host would have done
        answer = _when_ready_is(client, False)
        assert answer == {"default": True, "keys": True, "epochs": True, "vault_keys": False}
        DataKey.objects.using("keys").update(kek_id="default")
        assert _when_ready_is(client, True)["vault_keys"] is True
    finally:
        epochs.stop_polling()


def _when_ready_is(client: Client, wanted: bool) -> dict[str, bool]:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        answer = client.get("/readyz")
        if (answer.status_code == 200) is wanted:
            break
        time.sleep(0.05)
    return dict(answer.json())


def test_a_wrong_key_of_the_right_name_is_not_listed(settings: Settings) -> None:
    """A slip of the pen on one host: its row must not say that it could open what others make."""
    old, right = settings.VAULT_KEK, new_kek()
    settings.VAULT_KEK = f"default:{old},2027:{right}"
    keys.verify_kek()
    settings.VAULT_KEK = f"default:{old},2027:{new_kek()}"
    with pytest.raises(KekUnusable, match="'2027' in VAULT_KEK is not the one"):
        keys.verify_kek()
    heartbeat.start("web", 60)
    assert LiveProcess.objects.get().kek_ids == ["default"]
    assert not heartbeat.is_ready()


def test_without_a_heartbeat_nobody_is_ready_and_a_stale_one_counts_as_dead() -> None:
    assert not heartbeat.is_ready()
    heartbeat.start("web", 60)
    assert heartbeat.is_ready()
    assert heartbeat._heartbeat is not None
    heartbeat._heartbeat._last_success -= holders.ALIVE.total_seconds() + 1
    assert not heartbeat.is_ready()
    assert holders.lacking("2027")
    LiveProcess.objects.update(seen_at=F("seen_at") - holders.ALIVE - timedelta(seconds=1))
    assert holders.lacking("2027") == []
