"""What every room's tests share. The servers and the keys come from tests/servers.py, which runs earlier."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from secrets import token_bytes

import pytest
from hypothesis import settings as examples
from pytest_django import Settings

from tests import emptying, loopback, outgoing, running, servers
from tests.journeys.people import AddIn, sign_in_anew

SignIn = Callable[[str, str], AddIn]

examples.register_profile("here", deadline=None)  # one stall of a busy machine is no fault
examples.load_profile("here")
loopback.guard()
emptying.by_what_was_written()


@pytest.fixture(autouse=True)
def on_this_machine() -> Iterator[None]:
    """No test talks to a real provider, whatever the code that it tries would answer for a host that is away."""
    loopback.refused.clear()
    yield
    assert loopback.refused == []


@pytest.fixture(scope="session")
def stack() -> Iterator[running.Stack]:
    """The whole product with its simulated Salesforce, one for all tests of a run that ask for it. Whatever they
    brought about, it spoke to nobody else (C34)."""
    log = servers.folder() / "outgoing.log"
    with running.whole_stack(environment=outgoing.environment(log)) as running_stack:
        yield running_stack
    assert not {call for call in outgoing.calls(log) if not call.is_local}


@pytest.fixture(scope="module")
def signed_in(stack: running.Stack) -> SignIn:
    """`signed_in("acme", "alice")`: that person's add-in. For one module: an access token lives ten minutes.

    A test that ends a grant signs in somebody of its own."""
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


@pytest.fixture
def tracking_set_up(settings: Settings) -> None:
    """A key of its own; nobody answers at the address."""
    settings.TRACKING_KEY = b64encode(token_bytes(32)).decode()
    settings.TRACKING_URL = "http://localhost:9"
