"""One running product for all journeys. Each person signs in once; a journey that ends a grant makes its own."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.journeys.people import AddIn, Browser, Salesforce
from tests.running import Stack, whole_stack

SignIn = Callable[[str, str], AddIn]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with whole_stack() as running:
        yield running


@pytest.fixture(scope="session")
def signed_in(stack: Stack) -> SignIn:
    """`signed_in("acme", "alice")`: that person's add-in, the same one every time."""

    @cache
    def sign_in(org: str, key: str) -> AddIn:
        return sign_in_anew(stack, org, key)

    return sign_in


def sign_in_anew(stack: Stack, org: str, key: str) -> AddIn:
    user = next(user for user in stack.org(org)["users"] if user["key"] == key)
    return AddIn(Browser(stack, org, user["username"], user["password"])).sign_in()


@pytest.fixture(scope="session")
def alice(signed_in: SignIn) -> AddIn:
    return signed_in("acme", "alice")


@pytest.fixture(scope="session")
def bob(signed_in: SignIn) -> AddIn:
    return signed_in("acme", "bob")


@pytest.fixture(scope="session")
def charlie(signed_in: SignIn) -> AddIn:
    return signed_in("globex", "charlie")


@pytest.fixture
def acme(stack: Stack) -> Salesforce:
    return Salesforce(stack, "acme")


@pytest.fixture
def globex(stack: Stack) -> Salesforce:
    return Salesforce(stack, "globex")
