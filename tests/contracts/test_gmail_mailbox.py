"""Gmail passes the suite for mailboxes, and what only Gmail does."""

from tests.contracts.mailbox import MailboxContract


class TestGmail(MailboxContract):
    provider, api = "google", "api_url"
    scope = "openid https://www.googleapis.com/auth/gmail.readonly"
    too_little = "openid email https://www.googleapis.com/auth/calendar.events"
    address = "projects/sidebar-demo/topics/gmail"
