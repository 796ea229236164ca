"""The doctor's look at providers' clocks: their own document, through the product's allow-list and certificates."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from tests.vault.accounts import PROVIDERS, Provider, simulated
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import findings, mailboxes

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

PATHS = {
    "google": "/.well-known/openid-configuration",
    "microsoft": "/organizations/v2.0/.well-known/openid-configuration",
}


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, Provider]]:
    with simulated(*PROVIDERS) as running:
        yield running


@pytest.fixture(params=PROVIDERS)
def sim(request: pytest.FixtureRequest, both: dict[str, Provider], settings: Settings) -> Provider:
    settings.OUTBOUND_CA_BUNDLE = both["google"].info["ca"]
    both[request.param].configure(settings)
    both[request.param].sim("reset", {"grants": True})
    return both[request.param]


def test_each_provider_is_asked_for_the_document_that_it_has(sim: Provider) -> None:
    off = findings._difference(sim.name, mailboxes.login_url(sim.name))
    assert off is not None
    assert abs(off) < 5
    assert [call["path"] for call in sim.calls("openid-configuration")] == [PATHS[sim.name]]


def test_nobody_is_asked_whose_certificate_we_do_not_trust(sim: Provider, settings: Settings) -> None:
    settings.OUTBOUND_CA_BUNDLE = ""
    assert findings._difference(sim.name, mailboxes.login_url(sim.name)) is None
    assert sim.calls("openid-configuration") == []


def test_nobody_is_asked_who_is_not_on_the_allow_list(sim: Provider, settings: Settings) -> None:
    """A row that somebody has changed must not send us anywhere."""
    here = mailboxes.login_url(sim.name)
    settings.GOOGLE_OAUTH_URL = settings.GOOGLE_GMAIL_URL = settings.GOOGLE_CALENDAR_URL = "https://localhost:1"
    settings.MICROSOFT_LOGIN_URL = settings.MICROSOFT_GRAPH_URL = "https://localhost:1"
    assert findings._difference(sim.name, here) is None
    assert sim.calls("openid-configuration") == []


@pytest.mark.parametrize(("status", "counts"), [(200, True), (404, False), (503, False)])
def test_the_date_of_an_error_page_counts_for_nothing(
    alice: Connected, provider: Rotating, status: int, counts: bool
) -> None:
    def behave(handler: Any) -> None:
        handler.answer(status, {})

    provider.server.behave = behave
    off = findings._difference("salesforce", alice.connection.login_url)
    assert (off is not None) == counts
    assert [seen.path for seen in provider.server.seen] == ["/.well-known/openid-configuration"]
