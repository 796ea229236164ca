"""A bulk day in small, with real clients against the simulators: what it costs Salesforce, and whose grant is used.

At its own size: bench/sync.py."""

import gc
from collections.abc import Iterator
from uuid import UUID

import pytest
from pytest_django import Settings

from sync import jobs, pull, work
from sync.carrier import MailCarrier
from sync.models import Decision
from tests.sync import bulk
from tests.sync.company import ORG, Employee, World, found, simulated_world

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
EACH = 100


@pytest.fixture(scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with simulated_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(_world: World, settings: Settings) -> World:
    """Set up as an operator would."""
    google, microsoft = _world.mail["google"].info, _world.mail["microsoft"].info
    settings.OUTBOUND_CA_BUNDLE = _world.salesforce.ca
    settings.SALESFORCE_ORIGINS = _world.salesforce.origins()
    settings.SALESFORCE_CLIENT_ID = "sidebar-demo"
    settings.SALESFORCE_CLIENT_SECRET = _world.salesforce.org(ORG)["client_secret"]
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = google["client_id"], google["client_secret"]
    settings.GOOGLE_OAUTH_URL = settings.GOOGLE_GMAIL_URL = google["api_url"]
    settings.MICROSOFT_CLIENT_ID, settings.MICROSOFT_CLIENT_SECRET = microsoft["client_id"], microsoft["client_secret"]
    settings.MICROSOFT_LOGIN_URL, settings.MICROSOFT_GRAPH_URL = microsoft["api_url"], microsoft["graph_url"]
    return _world


@pytest.fixture
def staff(world: World) -> list[Employee]:
    """One with his mail at each provider, both followed."""
    everybody = found(world, world.hire(2))
    for each in everybody:
        pull.pull(UUID(each.mailbox))
    return everybody


def carry_out(staff: list[Employee]) -> None:
    for mailbox_id in (UUID(each.mailbox) for each in staff):
        while pull.pull(mailbox_id):
            pass
        while work.work(mailbox_id, MailCarrier):
            pass
        assert not jobs.due(mailbox_id).exists()


def test_a_bulk_day_costs_few_calls_each_with_its_own_members_grant(world: World, staff: list[Employee]) -> None:
    customers = world.customers(staff[0])
    for each in staff:
        world.deliver(each, bulk.messages(each, EACH, customers))
    world.forget_calls()
    carry_out(staff)
    calls, matching = world.calls(), bulk.matching(EACH)
    assert Decision.objects.count() == EACH * len(staff)
    assert Decision.objects.filter(rule="matched").count() == matching * len(staff)
    assert world.written_by() == {each.key: matching for each in staff}
    assert {call["user"] for call in calls} == {each.key for each in staff}
    assert len(calls) <= 0.1 * EACH * len(staff)
    assert len(calls) <= 0.6 * matching * len(staff)


def test_one_live_mail_costs_two_calls(world: World, staff: list[Employee]) -> None:
    """One to ask who that is and one to write, at either provider."""
    customers = world.customers(staff[0])
    for number in range(2):  # the first describes what there is in Salesforce
        for each in staff:
            world.deliver(each, bulk.messages(each, 1, customers, first=number * bulk.SHARE))
            world.forget_calls()
            carry_out([each])
            assert number == 0 or len(world.calls()) == 2


def test_nothing_of_a_mail_stays_in_memory(world: World, staff: list[Employee]) -> None:
    """Fewer than four objects a mail that the collector knows: what is kept is kept once. bench/sync.py has the
    process."""
    customers, counted, each_time = world.customers(staff[0]), [], EACH // 2
    for number in range(3):
        for each in staff:
            world.deliver(each, bulk.messages(each, each_time, customers, first=number * each_time))
        carry_out(staff)
        counted.append(_objects())
    assert counted[2] - counted[0] < 4 * 2 * each_time * len(staff)


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_a_single_mails_turn_comes_in_time() -> None:
    """test_sweep has that a full mailbox has two turns before it, one of each kind; here: that both end in time, also
    where each takes half as long again."""
    assert 1.5 * (pull.SLICE + work.SLICE) <= 10
