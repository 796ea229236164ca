"""Graph passes the suite for mailboxes, and what only Graph does."""

from collections.abc import Iterator

import pytest

from tests.contracts.mailbox import MailboxContract
from tests.contracts.receiving import Receiver, receiving

SCOPE = "openid profile email offline_access User.Read Mail.Read"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class TestGraph(MailboxContract):
    provider, api = "microsoft", "graph_url"
    scope, too_little = SCOPE, "openid profile email offline_access User.Read"

    @pytest.fixture(autouse=True)
    def listens(self, receiver: Receiver) -> None:
        type(self).address = receiver.url
