"""Three people of the running product, signed in once for all hardening tests; whoever ends a grant makes his own."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.journeys.people import AddIn, Browser
from tests.running import Stack

SignIn = Callable[[str, str], AddIn]

#: Every token that somebody was given in this run; none may be found in a log.
given_out: set[str] = set()


def sign_in_anew(stack: Stack, org: str, key: str) -> AddIn:
    user = next(user for user in stack.org(org)["users"] if user["key"] == key)
    add_in = AddIn(Browser(stack, org, user["username"], user["password"])).sign_in()
    given_out.update({add_in.tokens["access_token"], add_in.tokens["refresh_token"]})
    return add_in


@pytest.fixture(scope="module")
def signed_in(stack: Stack) -> SignIn:
    """`signed_in("acme", "alice")`. For one module: an access token lives ten minutes."""
    return cache(lambda org, key: sign_in_anew(stack, org, key))


@pytest.fixture(scope="module")
def alice(signed_in: SignIn) -> AddIn:
    return signed_in("acme", "alice")


@pytest.fixture(scope="module")
def bob(signed_in: SignIn) -> AddIn:
    return signed_in("acme", "bob")


@pytest.fixture(scope="module")
def charlie(signed_in: SignIn) -> AddIn:
    return signed_in("globex", "charlie")
