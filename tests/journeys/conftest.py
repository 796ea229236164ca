"""The simulated Salesforce's control desks."""

import pytest

from tests.journeys.people import Salesforce
from tests.running import Stack


@pytest.fixture
def acme(stack: Stack) -> Salesforce:
    return Salesforce(stack, "acme")


@pytest.fixture
def globex(stack: Stack) -> Salesforce:
    return Salesforce(stack, "globex")
