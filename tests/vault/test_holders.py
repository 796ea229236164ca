"""Who lacks a key, in words, and which key is used meanwhile: read from rows, by the database's clock (V16, I9)."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django import Settings

from tests.vault.keyrings import new_kek
from vault import holders, kek
from vault.errors import KekUnusable
from vault.models import LiveProcess

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def heard(name: str, *kek_ids: str, ago: float = 0.0) -> None:
    now = Now() - timedelta(seconds=ago)
    LiveProcess.objects.create(name=name, kek_ids=list(kek_ids), started_at=now, seen_at=now)


def test_who_lacks_a_key_is_named_with_its_silence() -> None:
    """By name, so that an operator finds them in the order of his hosts."""
    heard("web b", "old", ago=40)
    heard("web a", "old", ago=7)
    heard("web c", "old", "new")
    assert holders.lacking("new") == ["web a (heard of 7 s ago)", "web b (heard of 40 s ago)"]
    assert holders.lacking("old") == []
    holders.require_everywhere("old")
    with pytest.raises(KekUnusable, match=r"'new'\. Without it: web a \(heard of 7 s ago\), web b.*after 60 seconds"):
        holders.require_everywhere("new")


def test_who_was_not_heard_of_for_a_minute_is_forgotten() -> None:
    heard("web a", "old", ago=59)
    heard("web b", "old", ago=60.2)
    assert holders.lacking("new") == ["web a (heard of 59 s ago)"]
    assert [row.name for row in holders.living()] == ["web a"]


def test_the_first_key_that_all_hold_wraps(settings: Settings) -> None:
    """I9: alone, it is our own first."""
    settings.VAULT_KEK = f"new:{new_kek()},old:{new_kek()},older:{new_kek()}"
    provider = kek.current()
    assert holders.wrapping_id(provider) == "new"
    heard("web a", "new", "old", "older")
    assert holders.wrapping_id(provider) == "new"
    heard("web b", "older", "old")
    assert holders.wrapping_id(provider) == "old"
    heard("web c", "new", ago=61)
    assert holders.wrapping_id(provider) == "old", "it is dead"


def test_a_process_that_has_not_seen_its_keys_takes_none_away(settings: Settings) -> None:
    """I9: two hold only the old one, and a third has just begun while its key service is away."""
    settings.VAULT_KEK = f"new:{new_kek()},old:{new_kek()}"
    heard("web a", "new", "old")
    heard("web b", "old")
    heard("web c")
    assert holders.wrapping_id(kek.current()) == "old"


def test_where_no_key_is_held_by_all_nothing_is_wrapped(settings: Settings) -> None:
    settings.VAULT_KEK = f"new:{new_kek()},old:{new_kek()}"
    heard("web a", "new", "old")
    heard("web b", "another", ago=3)
    with pytest.raises(KekUnusable, match=r"held by every process\. Without our first one: web b \(heard of 3 s ago\)"):
        holders.wrapping_id(kek.current())
