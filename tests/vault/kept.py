"""Answers that were kept and not yet understood, put together by hand: what the tests of `vault/answers.py` share."""

import json
from typing import Any

from organizations.models import AuditEntry
from providers.base import Secret, TokenSet
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import answers, grants
from vault.models import Attempt


def an_attempt(alice: Connected, **changes: Any) -> Attempt:
    """Open, as after the call."""
    row = alice.again()
    values = {"connection": row, "grant_id": alice.grant.id, "generation": row.generation}
    return Attempt.objects.create(**values | changes)


def late(**changes: Any) -> TokenSet:
    values: dict[str, Any] = {
        "access_token": Secret("late"),
        "refresh_token": Secret("late-refresh"),
        "scopes": (),
        "api_url": "",
    }
    return TokenSet(**values | changes)


def kept(alice: Connected, provider: Rotating, body: Any = None, **changes: Any) -> Attempt:
    """An attempt whose answer is kept and not yet understood."""
    answer = {
        "access_token": "late",
        "refresh_token": "late-refresh",
        "instance_url": provider.server.url,
        "id": provider.identity,
    }
    attempt = an_attempt(alice)
    text = json.dumps(answer | changes) if body is None else body
    answers.keep(attempt.id, answers.sealer(attempt.connection, attempt)(text.encode()))
    provider.access_token = "late"  # what the provider accepts now
    return again(attempt)


def again(attempt: Attempt) -> Attempt:
    return Attempt.objects.select_related("connection").get(pk=attempt.pk)


def stored(alice: Connected) -> tuple[str, str]:
    grant = grants.load(alice.again())
    return grant.access_token.reveal(), grant.refresh_token.reveal() if grant.refresh_token else ""


def told(alice: Connected, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    found = AuditEntry.objects.filter(organization_id=alice.member.organization_id, action=action)
    assert all(each.target == str(alice.connection.pk) for each in found)
    return [(each.actor, each.result, each.facts) for each in found]
