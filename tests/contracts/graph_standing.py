"""What tests of mailboxes at Graph stand on: the judge of requests and answers, and an address for notices. No test."""

import pytest

from providers import http
from providers.mail import FolderKind, Mailbox
from tests.contracts.graph_description import FILE, CheckedSession
from tests.contracts.mailbox_standing import Standing
from tests.contracts.receiving import Receiver

SCOPE = "openid profile email offline_access User.Read Mail.Read"


class Graph(Standing):
    """All that goes to Graph is judged by Microsoft's description where that is here."""

    provider, api = "microsoft", "graph_url"
    scope, too_little = SCOPE, "openid profile email offline_access User.Read"

    @pytest.fixture(autouse=True)
    def judged(self, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
        type(self).address = receiver.url
        if FILE.is_file():
            monkeypatch.setattr(http, "Session", CheckedSession)

    @pytest.fixture
    def receiver(self, hook: Receiver) -> Receiver:
        hook.forget()
        return hook

    @pytest.fixture
    def inbox(self, mailbox: Mailbox) -> str:
        return next(folder.id for folder in mailbox.folders() if folder.kind is FolderKind.INBOX)
