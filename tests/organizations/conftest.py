"""Fixtures of this room's tests: its own URLs, an add-in, and Alice, Bob and Charlie."""

import pytest
from pytest_django import Settings

from organizations.models import Member
from tests.organizations import people


@pytest.fixture(autouse=True)
def own_urls(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.organizations.urls"


@pytest.fixture
def everybody(db: None) -> tuple[Member, Member, Member]:
    people.add_in()
    return people.everybody()


@pytest.fixture
def alice(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[0]


@pytest.fixture
def bob(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[1]


@pytest.fixture
def charlie(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[2]
