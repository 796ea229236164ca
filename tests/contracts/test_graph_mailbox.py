"""Graph passes the suite for mailboxes; each request and answer is as Microsoft's description has it."""

from collections.abc import Iterator

import pytest

from providers import http
from tests.contracts.graph_description import FILE, CheckedSession
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
    def listens(self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
        type(self).address = receiver.url
        if FILE.is_file():
            monkeypatch.setattr(http, "Session", CheckedSession)
