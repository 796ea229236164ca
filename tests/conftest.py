"""What every room's tests share. The servers and the keys come from tests/servers.py, which runs earlier."""

from collections.abc import Iterator

import pytest

from tests import running


@pytest.fixture(scope="session")
def stack() -> Iterator[running.Stack]:
    """The whole product with its simulated Salesforce, one for all tests of a run that ask for it."""
    with running.whole_stack() as running_stack:
        yield running_stack
