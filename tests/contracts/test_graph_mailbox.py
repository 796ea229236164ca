"""Graph passes the suite for mailboxes; each request and answer is as Microsoft's description has it."""

from tests.contracts.graph_standing import Graph
from tests.contracts.mailbox import MailboxContract


class TestGraph(Graph, MailboxContract):
    """See tests/contracts/mailbox.py."""
